/* SPDX-License-Identifier: Apache-2.0 */
/* Transfers between a disk and our buffers, for one queue.
 *
 * They go through io_uring, with the disk as a fixed file and registered buffers. io_start() does them
 * synchronously if io_uring is forbidden; and if the kernel would only have its threads wait for each (tmpfs,
 * which has no RWF_NOWAIT), since that is faster.
 */
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

enum io_operation {
    IO_READ,
    IO_WRITE,
    IO_SYNC,
    IO_PUNCH, /* deallocates blocks; later reads return arbitrary data */
};

struct io_transfer {
    enum io_operation operation;
    uint8_t *buffer; /* within the memory of io_set_buffers() */
    uint64_t offset_bytes, bytes;
    void *owner; /* for the caller */
    int result;  /* once it is done: 0, or a negative errno */

    uint64_t done_bytes; /* for io.c alone */
    struct io_transfer *next;
};

struct io;

/* Makes the transfers of a queue possible. `disk` and `mark` are borrowed. The kernel keeps `mark` (-1: none)
 * open until the last transfer has ended, even after a kill of this process. The ring is restricted to these
 * transfers on this disk, so a filter of system calls cannot be evaded by it. */
int io_new(int disk, int mark, struct io **ret, struct error *e) _must_check_;

/* Waits for the transfers under way, and frees `io`. */
struct io *io_free(struct io *io);
DEFINE_CLEANUP(struct io *, io_free)

/* Sets the memory in which the buffers of all following transfers lie (NULL: none). Waits for the transfers
 * under way, and drops them. */
void io_set_buffers(struct io *io, uint8_t *buffers, size_t bytes);

/* True if each transfer is done when io_start() returns. */
bool io_is_immediate(const struct io *io);

/* Begins a transfer. io_submit() hands all that were begun to the kernel. */
void io_start(struct io *io, struct io_transfer *t);
void io_submit(struct io *io);

/* Takes back a transfer that is done; NULL: none is. */
struct io_transfer *io_take_done(struct io *io);

/* True if io_take_done() has a transfer, or io_submit() has something to do. */
bool io_has_done(const struct io *io);

/* Returns the descriptor to poll for reading; -1: there is never anything to wait for. */
int io_poll_fd(const struct io *io);

/* Returns the ring, for a test of its restrictions; NULL: there is no ring. */
struct io_uring;
struct io_uring *io_ring(struct io *io);
