/* SPDX-License-Identifier: Apache-2.0 */
/* See ring.h. Each request is handed to the kernel at once: at hundreds of KiB each the system calls cost
 * nothing. Writes are always left to threads of the kernel (IOSQE_ASYNC): a dm-crypt table without queues
 * encrypts in the thread that writes. So all processors encrypt, and this thread goes on.
 */
#include "image/ring.h"

#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define DEPTH       64
#define ZEROS_BYTES ((size_t)1 << 20)

struct ring {
    bool uses_io_uring;
    struct io_uring io_uring;
    unsigned under_way;
    struct ring_request *done, **done_end;
    uint8_t *zeros; /* only read, so it takes no memory */
};

int ring_new(struct ring **ret)
{
    _cleanup_ring_ struct ring *r = calloc(1, sizeof *r);
    if (!r)
        return -ENOMEM;
    r->done_end = &r->done;
    void *zeros = mmap(NULL, ZEROS_BYTES, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (zeros == MAP_FAILED)
        return -ENOMEM;
    r->zeros = zeros;
    r->uses_io_uring = io_uring_queue_init(DEPTH, &r->io_uring, 0) == 0;
    *ret = TAKE_PTR(r);
    return 0;
}

/* ------------------------------------------------ one transfer of a request */

struct transfer {
    void *buffer;
    size_t bytes;
    off_t offset_bytes;
};

static struct transfer next_transfer(const struct ring *r, const struct ring_request *q)
{
    struct transfer t = {.buffer = r->zeros,
                         .bytes = q->bytes - q->done_bytes,
                         .offset_bytes = (off_t)(q->offset_bytes + q->done_bytes)};
    if (q->buffer)
        t.buffer = q->buffer + q->done_bytes;
    else if (q->operation == RING_WRITE && t.bytes > ZEROS_BYTES)
        t.bytes = ZEROS_BYTES;
    return t;
}

static const int zero_range = FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE;

static ssize_t transfer_now(const struct ring_request *q, const struct transfer *t)
{
    ssize_t n = -1;
    switch (q->operation) {
    case RING_READ:
        n = pread(q->fd, t->buffer, t->bytes, t->offset_bytes);
        break;
    case RING_WRITE:
        n = pwrite(q->fd, t->buffer, t->bytes, t->offset_bytes);
        break;
    case RING_ZERO:
        n = fallocate(q->fd, zero_range, t->offset_bytes, (off_t)t->bytes);
        break;
    case RING_SYNC:
        n = fsync(q->fd);
        break;
    }
    return n < 0 ? -errno : n;
}

static void prepare(struct io_uring_sqe *sqe, struct ring_request *q, const struct transfer *t)
{
    switch (q->operation) {
    case RING_READ:
        io_uring_prep_read(sqe, q->fd, t->buffer, (unsigned)t->bytes, (uint64_t)t->offset_bytes);
        break;
    case RING_WRITE:
        io_uring_prep_write(sqe, q->fd, t->buffer, (unsigned)t->bytes, (uint64_t)t->offset_bytes);
        sqe->flags |= IOSQE_ASYNC;
        break;
    case RING_ZERO:
        io_uring_prep_fallocate(sqe, q->fd, zero_range, t->offset_bytes, (off_t)t->bytes);
        break;
    case RING_SYNC:
        io_uring_prep_fsync(sqe, q->fd, 0);
        break;
    }
    io_uring_sqe_set_data(sqe, q);
}

/* Notes the end of a transfer: `n` bytes, or a negative errno. False if the request needs another one. */
static bool note_transfer(struct ring_request *q, ssize_t n)
{
    if (n == -EINTR)
        return false;
    if (n < 0 && q->operation == RING_ZERO) {
        q->operation = RING_WRITE;
        return false;
    }
    if (n >= 0 && (q->operation == RING_ZERO || q->operation == RING_SYNC))
        return true;
    if (n > 0)
        q->done_bytes += (size_t)n;
    else
        q->result = n < 0 ? (int)n : -EIO;
    return n <= 0 || q->done_bytes == q->bytes;
}

/* ----------------------------------------------------------------- the ring */

static void add_done(struct ring *r, struct ring_request *q)
{
    q->next = NULL;
    *r->done_end = q;
    r->done_end = &q->next;
}

static void finish_now(struct ring *r, struct ring_request *q)
{
    struct transfer t;
    do
        t = next_transfer(r, q);
    while (!note_transfer(q, transfer_now(q, &t)));
    add_done(r, q);
}

/* Starts the next transfer of a request. If the kernel does not take it now, a later call submits it. */
static void start_transfer(struct ring *r, struct ring_request *q)
{
    const struct transfer t = next_transfer(r, q);
    struct io_uring_sqe *sqe = r->uses_io_uring ? io_uring_get_sqe(&r->io_uring) : NULL;
    if (!sqe) {
        finish_now(r, q);
        return;
    }
    prepare(sqe, q, &t);
    io_uring_submit(&r->io_uring);
}

void ring_start(struct ring *r, struct ring_request *q)
{
    q->result = 0;
    q->done_bytes = 0;
    r->under_way++;
    start_transfer(r, q);
}

/* Takes a result. -EAGAIN: the descriptor does not block, and the kernel leaves the waiting to this thread.
 */
static void take_result(struct ring *r, struct ring_request *q, int n)
{
    if (n == -EAGAIN)
        finish_now(r, q);
    else if (note_transfer(q, n))
        add_done(r, q);
    else
        start_transfer(r, q);
}

struct ring_request *ring_take_done(struct ring *r)
{
    struct io_uring_cqe *cqe;
    if (r->uses_io_uring && io_uring_sq_ready(&r->io_uring) > 0)
        io_uring_submit(&r->io_uring);
    while (!r->done && r->uses_io_uring && io_uring_peek_cqe(&r->io_uring, &cqe) == 0) {
        struct ring_request *q = io_uring_cqe_get_data(cqe);
        int n = cqe->res;
        io_uring_cqe_seen(&r->io_uring, cqe);
        take_result(r, q, n);
    }
    struct ring_request *q = r->done;
    if (!q)
        return NULL;
    r->done = q->next;
    if (!r->done)
        r->done_end = &r->done;
    r->under_way--;
    return q;
}

unsigned ring_under_way(const struct ring *r)
{
    return r->under_way;
}

int ring_fd(const struct ring *r)
{
    return r->uses_io_uring ? r->io_uring.ring_fd : -1;
}

struct ring *ring_free(struct ring *r)
{
    struct io_uring_cqe *cqe;
    if (!r)
        return NULL;
    while (r->under_way > 0) {
        int failed = ring_take_done(r) ? 0 : io_uring_wait_cqe(&r->io_uring, &cqe);
        if (failed < 0 && failed != -EINTR)
            break;
    }
    if (r->uses_io_uring)
        io_uring_queue_exit(&r->io_uring);
    if (r->zeros)
        munmap(r->zeros, ZEROS_BYTES);
    free(r);
    return NULL;
}
