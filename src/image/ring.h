/* SPDX-License-Identifier: Apache-2.0 */
/* Many transfers under way at once, by io_uring. Where io_uring is forbidden or missing
 * (kernel.io_uring_disabled, seccomp), ring_start() does each transfer itself: slower, and the same to the
 * caller.
 *
 *     ring_start(ring, &(struct ring_request){.operation = RING_WRITE, ...});     as many as there are
 *     poll(ring_fd(ring)); while ((q = ring_take_done(ring))) ... q->result ...
 *
 * The ring deals with short transfers and EINTR. A request and its buffer are the ring's until it is taken
 * back.
 */
#pragma once

#include "base/macro.h"

#include <stdbool.h>
#include <stdint.h>

enum ring_operation {
    RING_READ,
    RING_WRITE,
    RING_ZERO, /* done by fallocate(); where that is refused, it becomes a RING_WRITE of zeros */
    RING_SYNC,
};

struct ring_request {
    enum ring_operation operation;
    int fd;
    uint8_t *buffer; /* NULL: zeros are written */
    size_t bytes;
    uint64_t offset_bytes;
    void *owner; /* for the caller */
    int result;  /* once it is done: 0, or a negative errno (-EIO: the file ended before) */
    /* for ring.c alone */
    size_t done_bytes;
    struct ring_request *next;
};

struct ring;
int ring_new(struct ring **ret) _must_check_;

/* Waits for all requests under way, and frees the ring. */
struct ring *ring_free(struct ring *r);
DEFINE_CLEANUP(struct ring *, ring_free)
#define _cleanup_ring_ _cleanup_(ring_freep)

void ring_start(struct ring *r, struct ring_request *q);

/* Takes back a request that is done; NULL: none is done now. */
struct ring_request *ring_take_done(struct ring *r);

/* Returns how many requests are not taken back yet. */
unsigned ring_under_way(const struct ring *r);

/* Returns the descriptor to poll for reading when ring_take_done() has none. -1: without io_uring, no request
 * is ever waited for. */
int ring_fd(const struct ring *r);
