/* SPDX-License-Identifier: Apache-2.0 */
/* Transfers under way, many at once, by io_uring. Where that is forbidden or missing
 * (kernel.io_uring_disabled, seccomp) each is done at once as it is handed in: slower, and the same to the
 * caller.
 *
 *     ring_start(ring, &(struct ring_request){.operation = RING_WRITE, ...});     as many as there are
 *     poll(ring_fd(ring)); while ((q = ring_take_done(ring))) ... q->result ...
 *
 * Short transfers and EINTR end here. A request and its buffer belong to the ring until it is taken back.
 */
#pragma once

#include "base/macro.h"

#include <stdint.h>

enum ring_operation {
    RING_READ,
    RING_WRITE,
    RING_ZERO, /* what cannot zero a range at once has the zeros written */
    RING_SYNC,
};

struct ring_request {
    enum ring_operation operation;
    int fd;
    uint8_t *buffer; /* NULL: zeros are written */
    size_t bytes;
    uint64_t offset_bytes;
    void *owner;               /* the caller's */
    int result;                /* of one that is done: 0, or a negative errno (-EIO: the file ended before) */
    size_t done_bytes;         /* the ring's */
    struct ring_request *next; /* the ring's */
};

struct ring;
int ring_new(struct ring **ret) _must_check_;

/* Waits for all that is under way. */
struct ring *ring_free(struct ring *r);
DEFINE_CLEANUP(struct ring *, ring_free)
#define _cleanup_ring_ _cleanup_(ring_freep)

void ring_start(struct ring *r, struct ring_request *q);

/* One that is done, or NULL: none is, so far. */
struct ring_request *ring_take_done(struct ring *r);

/* How many are not taken back yet. */
unsigned ring_under_way(const struct ring *r);

/* To poll for reading, when ring_take_done() had none. -1: without io_uring there is nothing to wait for. */
int ring_fd(const struct ring *r);
