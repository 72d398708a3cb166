/* SPDX-License-Identifier: Apache-2.0 */
/* The guest of bench/vhost-user: connects to a server of vhost-user-blk, keeps so many requests under way
 * (src/bench/load.h), and prints one line of JSON: what it did in how long. The server is any; its processes'
 * CPU the script counts.
 *
 *     vhost-load SOCKET DISK-BYTES REQUEST-BYTES DEPTH QUEUES WRITE-PERCENT SECONDS
 *
 * Random places; 0 seconds: each place once. The requests of all queues together are DEPTH. A thread a queue.
 * What is read must be what was written.
 */
#include "bench/load.h"

#include "base/str.h"

#include <pthread.h>
#include <stdio.h>

#define QUEUE_SIZE       128
#define ANSWER_LIMIT_SEC 10

struct worker {
    struct load load;
    struct error e;
    int result;
    pthread_t thread;
};

static void *run(void *argument)
{
    struct worker *w = argument;
    w->result = load_run(&w->load, &w->e);
    return NULL;
}

static int fail(const char *why)
{
    fprintf(stderr, "vhost-load: %s\n", why);
    return 1;
}

static int report(const struct worker *workers, unsigned n)
{
    static struct latencies all;
    uint64_t took_nsec = 0;
    for (unsigned q = 0; q < n; q++) {
        const struct worker *w = &workers[q];
        if (w->result < 0)
            return fail(w->e.text);
        latencies_join(&all, &w->load.latencies);
        took_nsec = w->load.took_nsec > took_nsec ? w->load.took_nsec : took_nsec;
    }
    printf("{\"requests\": %llu, \"seconds\": %.6f, \"p50_usec\": %.1f, \"p99_usec\": %.1f, \"p999_usec\": "
           "%.1f}\n",
           (unsigned long long)all.n, (double)took_nsec / 1e9,
           (double)latencies_percentile_nsec(&all, 0.5) / 1000,
           (double)latencies_percentile_nsec(&all, 0.99) / 1000,
           (double)latencies_percentile_nsec(&all, 0.999) / 1000);
    return 0;
}

static int start(struct worker *w, struct front *f, unsigned queue, const uint64_t numbers[], unsigned queues)
{
    w->load = (struct load){.front = f,
                            .queue = queue,
                            .size_bytes = numbers[0],
                            .request_bytes = (uint32_t)numbers[1],
                            .depth = (unsigned)numbers[2] / queues,
                            .write_percent = (unsigned)numbers[4],
                            .order = numbers[5] == 0 ? LOAD_ONCE : LOAD_RANDOM,
                            .marks = true,
                            .runtime_sec = (unsigned)numbers[5],
                            .answer_limit_sec = ANSWER_LIMIT_SEC};
    int r = load_prepare(&w->load, &w->e);
    return r < 0 ? r : -pthread_create(&w->thread, NULL, run, w);
}

int main(int argc, char *argv[])
{
    static struct front f;
    static struct worker workers[FRONT_QUEUES_MAX];
    uint64_t numbers[6] = {0};
    for (int i = 0; i < 6; i++)
        if (argc != 8 || str_to_u64(argv[2 + i], &numbers[i]) < 0)
            return fail(
                "Usage: vhost-load SOCKET DISK-BYTES REQUEST-BYTES DEPTH QUEUES WRITE-PERCENT SECONDS");
    unsigned queues = (unsigned)numbers[3];
    const struct front_options o = {
        .queues = queues,
        .size = QUEUE_SIZE,
        .memory_bytes = load_memory_bytes(queues, (unsigned)numbers[2], (uint32_t)numbers[1])};
    int fd = front_connect(argv[1], 0);
    if (fd < 0 || front_open(&f, fd, &o) < 0)
        return fail("cannot connect to the server");
    for (unsigned q = 0; q < queues; q++)
        if (start(&workers[q], &f, q, numbers, queues) < 0)
            return fail("cannot start");
    for (unsigned q = 0; q < queues; q++)
        pthread_join(workers[q].thread, NULL);
    int r = report(workers, queues);
    front_close(&f);
    return r;
}
