/* SPDX-License-Identifier: Apache-2.0 */
/* The load of one queue on a disk that is served over vhost-user-blk: so many requests are kept under way.
 *
 *     struct load l = {.front = &front, .size_bytes = ..., .request_bytes = 4096, .depth = 32, ...};
 *     r = load_prepare(&l, e);
 *     if (r == 0)
 *         r = load_run(&l, e);      // sleeps when there is nothing to take, as a guest does
 *     ... l.latencies, l.took_nsec ...
 */
#pragma once

#include "base/error.h"
#include "bench/front-end.h"
#include "bench/latencies.h"

#include <stdbool.h>

enum load_order {
    LOAD_RANDOM,
    LOAD_SEQUENTIAL, /* from the first place to the last, again and again */
    LOAD_ONCE,       /* from the first place to the last, however long that takes */
};

#define LOAD_DEPTH_MAX 128

struct load {
    struct front *front;
    unsigned queue;
    uint64_t offset_bytes, size_bytes; /* the part of the disk */
    uint32_t request_bytes;
    unsigned depth; /* at most LOAD_DEPTH_MAX, and as many as the part has requests */
    unsigned write_percent;
    enum load_order order;
    bool marks; /* each written sector says its place, and what is read must say it */
    unsigned runtime_sec, answer_limit_sec;
    int (*look)(void *context, struct error *e); /* called every 100 ms; a negative errno ends the load */
    void *context;

    /* what came of it */
    struct latencies latencies; /* from submission to completion */
    uint64_t took_nsec;

    /* for load.c alone */
    uint64_t seed, next, end_nsec, look_nsec, answered_nsec;
    unsigned under_way;
    uint8_t *data[LOAD_DEPTH_MAX];
    uint64_t begun_nsec[LOAD_DEPTH_MAX]; /* 0: no such request is under way */
    uint64_t sector[LOAD_DEPTH_MAX];
    bool is_write[LOAD_DEPTH_MAX];
};

/* The memory of the guest that loads need for the requests of all queues together. */
size_t load_memory_bytes(unsigned queues, unsigned depth, uint32_t request_bytes);

/* Takes room for the data. -ENOMEM: the guest's memory is too small. */
int load_prepare(struct load *l, struct error *e) _must_check_;

/* -EIO: a request failed. -EBADMSG: what was read is not what was written. -ETIMEDOUT: no answer. -EPROTO: an
 * answer without a request. Or what look() returns. */
int load_run(struct load *l, struct error *e) _must_check_;
