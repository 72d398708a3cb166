/* SPDX-License-Identifier: Apache-2.0 */
/* See load.h. */
#include "bench/load.h"

#include "base/str.h"

#include <time.h>

#define SECTOR_BYTES  512
#define LOOK_MSEC     100
#define NSEC_PER_SEC  UINT64_C(1000000000)
#define NSEC_PER_MSEC UINT64_C(1000000)

static uint64_t now_nsec(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * NSEC_PER_SEC + (uint64_t)t.tv_nsec;
}

/* Returns a number below `n`. */
static uint64_t pick(struct load *l, uint64_t n)
{
    l->seed ^= l->seed << 13;
    l->seed ^= l->seed >> 7;
    l->seed ^= l->seed << 17;
    return l->seed % n;
}

static uint64_t places(const struct load *l)
{
    return l->size_bytes / l->request_bytes;
}

static uint64_t next_place(struct load *l)
{
    return l->order == LOAD_RANDOM ? pick(l, places(l)) : l->next++ % places(l);
}

static void mark(struct load *l, unsigned slot)
{
    for (uint64_t i = 0; i < l->request_bytes / SECTOR_BYTES; i++) {
        uint64_t number = l->sector[slot] + i + 1;
        memcpy(l->data[slot] + i * SECTOR_BYTES, &number, sizeof number);
    }
}

static void begin(struct load *l, unsigned slot)
{
    const struct iovec part = {l->data[slot], l->request_bytes};
    l->sector[slot] = (l->offset_bytes + next_place(l) * l->request_bytes) / SECTOR_BYTES;
    l->is_write[slot] = pick(l, 100) < l->write_percent;
    if (l->marks && l->is_write[slot])
        mark(l, slot);
    l->begun_nsec[slot] = now_nsec();
    front_put(l->front, l->queue, slot, l->is_write[slot] ? VIRTIO_BLK_T_OUT : VIRTIO_BLK_T_IN,
              l->sector[slot], &part, 1);
}

/* Looks at one sector of the request: that costs next to nothing. */
static bool is_right(struct load *l, unsigned slot)
{
    uint64_t at = pick(l, l->request_bytes / SECTOR_BYTES), number;
    memcpy(&number, l->data[slot] + at * SECTOR_BYTES, sizeof number);
    return !l->marks || l->is_write[slot] || number == l->sector[slot] + at + 1;
}

static int not_given(struct error *e)
{
    return error_set(e, -EPROTO, "vhost-user: the server answers a request that it was not given");
}

static int take(struct load *l, unsigned slot, uint64_t now, struct error *e)
{
    if (slot >= l->depth || !l->begun_nsec[slot])
        return not_given(e);
    if (front_status(l->front, l->queue, slot) != VIRTIO_BLK_S_OK)
        return error_set(e, -EIO, "vhost-user: the server says that a request failed");
    if (!is_right(l, slot))
        return error_set(e, -EBADMSG, "vhost-user: what was read is not what was written");
    latencies_add(&l->latencies, now - l->begun_nsec[slot]);
    l->begun_nsec[slot] = 0;
    return 0;
}

static bool goes_on(const struct load *l, uint64_t now)
{
    return l->order == LOAD_ONCE ? l->next < places(l) : now < l->end_nsec;
}

static int take_answers(struct load *l, struct error *e)
{
    int slot = front_wait(l->front, l->queue, LOOK_MSEC);
    uint64_t now = now_nsec();
    if (slot < 0 && now > l->answered_nsec + l->answer_limit_sec * NSEC_PER_SEC)
        return error_set(e, -ETIMEDOUT, "vhost-user: the server did not answer a request within %u seconds",
                         l->answer_limit_sec);
    if (slot >= 0)
        l->answered_nsec = now;
    int r = 0;
    for (; r == 0 && slot >= 0; slot = front_take(l->front, l->queue)) {
        r = take(l, (unsigned)slot, now, e);
        if (r == 0 && goes_on(l, now))
            begin(l, (unsigned)slot);
        else
            l->under_way--;
    }
    return r == 0 && slot == -EPROTO ? not_given(e) : r;
}

static int look_around(struct load *l, struct error *e)
{
    uint64_t now = now_nsec();
    if (!l->look || now < l->look_nsec)
        return 0;
    l->look_nsec = now + LOOK_MSEC * NSEC_PER_MSEC;
    return l->look(l->context, e);
}

size_t load_memory_bytes(unsigned queues, unsigned depth, uint32_t request_bytes)
{
    return ((size_t)8 << 20) + queues * ((size_t)2 << 20) + (size_t)depth * request_bytes;
}

int load_prepare(struct load *l, struct error *e)
{
    l->seed = UINT64_C(88172645463325252) + l->queue;
    for (unsigned i = 0; i < l->depth; i++) {
        l->data[i] = front_room(l->front, l->request_bytes, 4096);
        if (!l->data[i])
            return error_memory(e);
        for (uint32_t at = 0; at < l->request_bytes; at += sizeof l->seed) /* nothing below can compress it */
            memcpy(l->data[i] + at, &(uint64_t){pick(l, UINT64_MAX)}, sizeof l->seed);
    }
    return 0;
}

int load_run(struct load *l, struct error *e)
{
    uint64_t start = now_nsec();
    int r = 0;
    l->end_nsec = start + l->runtime_sec * NSEC_PER_SEC;
    l->answered_nsec = start;
    l->under_way = l->depth;
    for (unsigned i = 0; i < l->depth; i++)
        begin(l, i);
    front_kick(l->front, l->queue);
    while (r == 0 && l->under_way > 0) {
        r = look_around(l, e);
        if (r == 0)
            r = take_answers(l, e);
        front_kick(l->front, l->queue);
    }
    l->took_nsec = now_nsec() - start;
    return r;
}
