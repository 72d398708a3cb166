/* SPDX-License-Identifier: Apache-2.0 */
/* Transfers between a disk and buffers of ours, for one queue.
 *
 * By io_uring, with the disk as a fixed file and the buffers registered. Where the kernel would only have
 * threads of its own wait for each transfer (files in memory: tmpfs knows no RWF_NOWAIT), or forbids
 * io_uring, each is done at once as it is handed in, which is faster there.
 */
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

enum io_operation {
    IO_READ,
    IO_WRITE,
    IO_SYNC,
    IO_PUNCH, /* the blocks are given back; what is read there then is anything */
};

struct io_transfer {
    enum io_operation operation;
    uint8_t *buffer; /* within those of io_set_buffers() */
    uint64_t offset_bytes, bytes;
    void *owner; /* the caller's */
    int result;  /* of one that is done: 0, or a negative errno */

    uint64_t done_bytes; /* io.c's */
    struct io_transfer *next;
};

struct io;

/* `disk` and `mark` are borrowed; `mark` is held by the kernel until the last transfer has ended, even if
 * this process was killed in the middle of them (-1: none). The ring takes nothing but these transfers, on
 * this disk: system calls that a filter forbids are no more to be had by it. */
int io_new(int disk, int mark, struct io **ret, struct error *e) _must_check_;

/* Waits for all that is under way. */
struct io *io_free(struct io *io);
DEFINE_CLEANUP(struct io *, io_free)

/* The buffers of all transfers that follow, until the next call (NULL: none), which waits for what is under
 * way and drops it. */
void io_set_buffers(struct io *io, uint8_t *buffers, size_t bytes);

/* Is each transfer done when io_start() returns? */
bool io_is_immediate(const struct io *io);

/* Hands one in; io_submit() hands all to the kernel. */
void io_start(struct io *io, struct io_transfer *t);
void io_submit(struct io *io);

/* One that is done, or NULL. */
struct io_transfer *io_take_done(struct io *io);

/* Would io_take_done() have one? Or has io_submit() more to do? */
bool io_has_done(const struct io *io);

/* To poll for reading. -1: there is never anything to wait for. */
int io_poll_fd(const struct io *io);

/* Its ring, for a test that tries what it does not take. NULL: it has none. */
struct io_uring;
struct io_uring *io_ring(struct io *io);
