/* SPDX-License-Identifier: Apache-2.0 */
/* The guest of bench/vhost-user: connects to a server of vhost-user-blk, keeps so many requests under way,
 * and prints one line of JSON: what it did in how long. The server is any; its processes' CPU the script
 * counts.
 *
 *     vhost-load SOCKET DISK-BYTES REQUEST-BYTES DEPTH QUEUES WRITE-PERCENT SECONDS
 *
 * Random places; the requests of all queues together are DEPTH. A thread a queue, which sleeps when there is
 * nothing to take, as a guest does. Each block that is written has its place in each of its sectors, and what
 * is read is looked at: either zeros or that.
 */
#include "bench/front-end.h"

#include "base/fd.h"
#include "base/str.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define QUEUE_SIZE 128
#define DEPTH_MAX  128
#define WAIT_MSEC  10000
#define BUCKETS    4096 /* of latencies: 64 for each power of two of nanoseconds */

struct load {
    struct front *front;
    uint64_t disk_bytes, seed, end_nsec;
    uint64_t filled; /* requests, of a disk that is filled; UINT64_MAX: it is not */
    uint32_t request_bytes;
    unsigned queue, depth, write_percent;
    uint8_t *data[DEPTH_MAX];
    uint64_t begun_nsec[DEPTH_MAX], sector[DEPTH_MAX];
    bool is_write[DEPTH_MAX];
    uint64_t done;
    uint64_t latencies[BUCKETS];
    const char *failure;
    pthread_t thread;
};

static uint64_t now_nsec(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static uint64_t pick(struct load *l, uint64_t n)
{
    l->seed ^= l->seed << 13;
    l->seed ^= l->seed >> 7;
    l->seed ^= l->seed << 17;
    return l->seed % n;
}

static unsigned bucket_of(uint64_t nsec)
{
    unsigned power = 63 - (unsigned)__builtin_clzll(nsec | 64);
    return (power - 6) * 64 + (unsigned)(nsec >> (power - 6) & 63);
}

static uint64_t nsec_of(unsigned bucket)
{
    return (uint64_t)(64 + bucket % 64) << bucket / 64;
}

static void begin(struct load *l, unsigned slot)
{
    uint64_t sectors = l->request_bytes / 512;
    const struct iovec part = {l->data[slot], l->request_bytes};
    l->sector[slot] =
        (l->filled < UINT64_MAX ? l->filled++ : pick(l, l->disk_bytes / l->request_bytes)) * sectors;
    l->is_write[slot] = pick(l, 100) < l->write_percent;
    for (uint64_t i = 0; l->is_write[slot] && i < sectors; i++) {
        uint64_t mark = l->sector[slot] + i + 1;
        memcpy(l->data[slot] + i * 512, &mark, sizeof mark);
    }
    l->begun_nsec[slot] = now_nsec();
    front_put(l->front, l->queue, slot, l->is_write[slot] ? VIRTIO_BLK_T_OUT : VIRTIO_BLK_T_IN,
              l->sector[slot], &part, 1);
}

/* One sector of each request is looked at: that costs next to nothing. */
static bool is_right(struct load *l, unsigned slot)
{
    uint64_t at = pick(l, l->request_bytes / 512), mark;
    memcpy(&mark, l->data[slot] + at * 512, sizeof mark);
    return l->is_write[slot] || mark == l->sector[slot] + at + 1;
}

static void take(struct load *l, unsigned slot, uint64_t now)
{
    if (front_status(l->front, l->queue, slot) != VIRTIO_BLK_S_OK)
        l->failure = "a request failed";
    else if (!is_right(l, slot))
        l->failure = "what was read is not what was written";
    l->latencies[bucket_of(now - l->begun_nsec[slot])]++;
    l->done++;
}

static bool goes_on(const struct load *l, uint64_t now)
{
    return l->filled < UINT64_MAX ? l->filled < l->disk_bytes / l->request_bytes : now < l->end_nsec;
}

static void *run(void *argument)
{
    struct load *l = argument;
    unsigned under_way = l->depth;
    for (unsigned i = 0; i < l->depth; i++)
        begin(l, i);
    front_kick(l->front, l->queue);
    while (under_way > 0 && !l->failure) {
        int slot = front_wait(l->front, l->queue, WAIT_MSEC);
        uint64_t now = now_nsec();
        if (slot < 0)
            l->failure = "no answer";
        for (; slot >= 0; slot = front_take(l->front, l->queue)) {
            take(l, (unsigned)slot, now);
            if (goes_on(l, now))
                begin(l, (unsigned)slot);
            else
                under_way--;
        }
        front_kick(l->front, l->queue);
    }
    return NULL;
}

static uint64_t percentile(const uint64_t *latencies, uint64_t total, double share)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < BUCKETS; i++) {
        sum += latencies[i];
        if ((double)sum >= share * (double)total)
            return nsec_of(i);
    }
    return 0;
}

static int report(const struct load *loads, unsigned n, double seconds)
{
    static uint64_t latencies[BUCKETS];
    uint64_t done = 0;
    for (unsigned q = 0; q < n; q++) {
        if (loads[q].failure) {
            fprintf(stderr, "vhost-load: %s\n", loads[q].failure);
            return 1;
        }
        done += loads[q].done;
        for (unsigned i = 0; i < BUCKETS; i++)
            latencies[i] += loads[q].latencies[i];
    }
    printf("{\"requests\": %llu, \"seconds\": %.6f, \"p50_usec\": %.1f, \"p99_usec\": %.1f, \"p999_usec\": "
           "%.1f}\n",
           (unsigned long long)done, seconds, (double)percentile(latencies, done, 0.5) / 1000,
           (double)percentile(latencies, done, 0.99) / 1000,
           (double)percentile(latencies, done, 0.999) / 1000);
    return 0;
}

static void prepare(struct load *l, struct front *f, unsigned queue, uint64_t numbers[], unsigned queues)
{
    *l = (struct load){.front = f,
                       .queue = queue,
                       .disk_bytes = numbers[0],
                       .request_bytes = (uint32_t)numbers[1],
                       .depth = (unsigned)numbers[2] / queues,
                       .filled = numbers[5] == 0 ? 0 : UINT64_MAX,
                       .write_percent = (unsigned)numbers[4],
                       .seed = 88172645463325252u + queue};
    for (unsigned i = 0; i < l->depth; i++) {
        l->data[i] = front_room(f, l->request_bytes, 4096);
        memset(l->data[i], 'd', l->request_bytes);
    }
}

int main(int argc, char *argv[])
{
    static struct front f;
    static struct load loads[FRONT_QUEUES_MAX];
    uint64_t numbers[6] = {0};
    for (int i = 0; i < 6; i++)
        if (argc != 8 || str_to_u64(argv[2 + i], &numbers[i]) < 0) {
            fprintf(stderr,
                    "Usage: vhost-load SOCKET DISK-BYTES REQUEST-BYTES DEPTH QUEUES WRITE-PERCENT SECONDS\n");
            return 1;
        }
    unsigned queues = (unsigned)numbers[3];
    const struct front_options o = {.queues = queues,
                                    .size = QUEUE_SIZE,
                                    .memory_bytes = ((size_t)8 << 20) + numbers[2] * numbers[1] +
                                                    queues * ((size_t)2 << 20),
                                    .no_inflight = false};
    int fd = front_connect(argv[1], 0);
    if (fd < 0 || front_open(&f, fd, &o) < 0) {
        fprintf(stderr, "vhost-load: cannot connect to %s\n", argv[1]);
        return 1;
    }
    for (unsigned q = 0; q < queues; q++)
        prepare(&loads[q], &f, q, numbers, queues);
    uint64_t start = now_nsec();
    for (unsigned q = 0; q < queues; q++) {
        loads[q].end_nsec = start + numbers[5] * 1000000000;
        if (pthread_create(&loads[q].thread, NULL, run, &loads[q]) != 0)
            return 1;
    }
    for (unsigned q = 0; q < queues; q++)
        pthread_join(loads[q].thread, NULL);
    int r = report(loads, queues, (double)(now_nsec() - start) / 1e9);
    front_close(&f);
    return r;
}
