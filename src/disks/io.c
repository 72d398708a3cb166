/* SPDX-License-Identifier: Apache-2.0 */
/* See io.h. */
#include "disks/io.h"

#include "base/clock.h"

#include <fcntl.h>
#include <liburing.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#define DEPTH 256 /* entries of the ring */

#define RETRY_MSEC 1 /* pause after the kernel has taken no transfer */

#define FIXED_DISK 0 /* numbers of the registered files */
#define FIXED_MARK 1

struct io {
    int disk;
    bool uses_ring, has_fixed_buffers;
    struct io_uring ring;
    unsigned under_way;
    struct io_transfer *done, **done_end;
};

/* True if the kernel can begin transfers without waiting. If not, io_uring gives each to a thread of the
 * kernel, which takes ten times as long as the transfer. */
static bool knows_nowait(int disk)
{
    static _Alignas(4096) uint8_t buffer[4096];
    struct iovec part = {buffer, sizeof buffer};
    bool knows = preadv2(disk, &part, 1, 0, RWF_NOWAIT) >= 0 || errno == EAGAIN;
    memset(buffer, 0, sizeof buffer);
    return knows;
}

static int register_files(struct io *io, int mark)
{
    const int files[] = {[FIXED_DISK] = io->disk, [FIXED_MARK] = mark};
    return io_uring_register_files(&io->ring, files, mark >= 0 ? 2 : 1);
}

static int restrict_ring(struct io *io)
{
    static const uint8_t operations[] = {IORING_OP_READ,        IORING_OP_WRITE, IORING_OP_READ_FIXED,
                                         IORING_OP_WRITE_FIXED, IORING_OP_FSYNC, IORING_OP_FALLOCATE};
    static const uint8_t registrations[] = {IORING_REGISTER_BUFFERS, IORING_UNREGISTER_BUFFERS};
    struct io_uring_restriction all[ARRAY_SIZE(operations) + ARRAY_SIZE(registrations) + 1] = {0};
    unsigned n = 0;
    for (size_t i = 0; i < ARRAY_SIZE(operations); i++)
        all[n++] =
            (struct io_uring_restriction){.opcode = IORING_RESTRICTION_SQE_OP, .sqe_op = operations[i]};
    for (size_t i = 0; i < ARRAY_SIZE(registrations); i++)
        all[n++] = (struct io_uring_restriction){.opcode = IORING_RESTRICTION_REGISTER_OP,
                                                 .register_op = registrations[i]};
    all[n++] = (struct io_uring_restriction){.opcode = IORING_RESTRICTION_SQE_FLAGS_REQUIRED,
                                             .sqe_flags = IOSQE_FIXED_FILE};
    /* liburing 2.3 declares functions for these two calls, but does not export them */
    unsigned fd = (unsigned)io->ring.ring_fd;
    int r = io_uring_register(fd, IORING_REGISTER_RESTRICTIONS, all, n);
    return r < 0 ? r : io_uring_register(fd, IORING_REGISTER_ENABLE_RINGS, NULL, 0);
}

/* Starts the ring. Without io_uring in the kernel or container, transfers are done synchronously. */
static int start_ring(struct io *io, int mark)
{
    if (io_uring_queue_init(DEPTH, &io->ring, IORING_SETUP_R_DISABLED) < 0)
        return 0;
    io->uses_ring = true;
    int r = register_files(io, mark);
    return r < 0 ? r : restrict_ring(io);
}

int io_new(int disk, int mark, struct io **ret, struct error *e)
{
    struct io *io = calloc(1, sizeof *io);
    if (!io)
        return error_memory(e);
    io->disk = disk;
    io->done_end = &io->done;
    int r = knows_nowait(disk) ? start_ring(io, mark) : 0;
    if (r < 0) {
        io_free(io);
        return error_set(e, r, "disk: io_uring cannot be used with its file: %s", strerror(-r));
    }
    *ret = io;
    return 0;
}

bool io_is_immediate(const struct io *io)
{
    return !io->uses_ring;
}

static void add_done(struct io *io, struct io_transfer *t)
{
    t->next = NULL;
    *io->done_end = t;
    io->done_end = &t->next;
}

/* ----------------------------------------------- transfers without io_uring */

static const int punch = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;

static ssize_t transfer_now(const struct io *io, const struct io_transfer *t)
{
    size_t bytes = (size_t)(t->bytes - t->done_bytes);
    off_t at = (off_t)(t->offset_bytes + t->done_bytes);
    ssize_t n = -1;
    switch (t->operation) {
    case IO_READ:
        n = pread(io->disk, t->buffer + t->done_bytes, bytes, at);
        break;
    case IO_WRITE:
        n = pwrite(io->disk, t->buffer + t->done_bytes, bytes, at);
        break;
    case IO_SYNC:
        n = fdatasync(io->disk);
        break;
    case IO_PUNCH:
        n = fallocate(io->disk, punch, at, (off_t)bytes);
        break;
    }
    return n < 0 ? -errno : n;
}

/* Notes the end of a system call: bytes, or a negative errno. False: the transfer needs another one. */
static bool note_bytes(struct io_transfer *t, ssize_t n)
{
    if (n == -EINTR)
        return false;
    if (n < 0)
        t->result = (int)n;
    else if (t->operation == IO_READ || t->operation == IO_WRITE) {
        t->done_bytes += (uint64_t)n;
        if (n == 0)
            t->result = -EIO;
        return n == 0 || t->done_bytes >= t->bytes;
    }
    return true;
}

static void finish_now(struct io *io, struct io_transfer *t)
{
    while (!note_bytes(t, transfer_now(io, t))) {
    }
    add_done(io, t);
}

/* ---------------------------------------------------- transfers by io_uring */

static void prepare(struct io *io, struct io_uring_sqe *sqe, struct io_transfer *t)
{
    uint8_t *buffer = t->buffer + t->done_bytes;
    unsigned bytes = (unsigned)(t->bytes - t->done_bytes);
    uint64_t at = t->offset_bytes + t->done_bytes;
    switch (t->operation) {
    case IO_READ:
        if (io->has_fixed_buffers)
            io_uring_prep_read_fixed(sqe, FIXED_DISK, buffer, bytes, at, 0);
        else
            io_uring_prep_read(sqe, FIXED_DISK, buffer, bytes, at);
        break;
    case IO_WRITE:
        if (io->has_fixed_buffers)
            io_uring_prep_write_fixed(sqe, FIXED_DISK, buffer, bytes, at, 0);
        else
            io_uring_prep_write(sqe, FIXED_DISK, buffer, bytes, at);
        break;
    case IO_SYNC:
        io_uring_prep_fsync(sqe, FIXED_DISK, IORING_FSYNC_DATASYNC);
        break;
    case IO_PUNCH:
        io_uring_prep_fallocate(sqe, FIXED_DISK, punch, (off_t)at, (off_t)bytes);
        break;
    }
    sqe->flags |= IOSQE_FIXED_FILE;
    io_uring_sqe_set_data(sqe, t);
}

/* Queues a transfer. If the ring is full, submits it and tries once more; if that fails, does the transfer
 * synchronously. */
static void queue_transfer(struct io *io, struct io_transfer *t)
{
    struct io_uring_sqe *sqe = io_uring_get_sqe(&io->ring);
    if (!sqe) {
        io_uring_submit(&io->ring);
        sqe = io_uring_get_sqe(&io->ring);
    }
    if (!sqe) {
        finish_now(io, t);
        return;
    }
    prepare(io, sqe, t);
    io->under_way++;
}

void io_start(struct io *io, struct io_transfer *t)
{
    t->result = 0;
    t->done_bytes = 0;
    if (io->uses_ring)
        queue_transfer(io, t);
    else
        finish_now(io, t);
}

static bool has_unsubmitted(const struct io *io)
{
    return io->uses_ring && io_uring_sq_ready(&io->ring) > 0;
}

/* Hands queued transfers to the kernel. Those that it does not take now, for lack of memory for example, stay
 * in the ring for the next try. */
void io_submit(struct io *io)
{
    if (has_unsubmitted(io) && io_uring_submit(&io->ring) < 0)
        clock_sleep_msec(RETRY_MSEC);
}

static void take_result(struct io *io, struct io_transfer *t, int n)
{
    io->under_way--;
    if (n == -EAGAIN)
        finish_now(io, t);
    else if (note_bytes(t, n))
        add_done(io, t);
    else
        queue_transfer(io, t);
}

static void take_results(struct io *io)
{
    struct io_uring_cqe *cqe;
    while (io_uring_peek_cqe(&io->ring, &cqe) == 0) {
        struct io_transfer *t = io_uring_cqe_get_data(cqe);
        int n = cqe->res;
        io_uring_cqe_seen(&io->ring, cqe);
        take_result(io, t, n);
    }
}

struct io_transfer *io_take_done(struct io *io)
{
    if (!io->done && io->uses_ring)
        take_results(io);
    struct io_transfer *t = io->done;
    if (!t)
        return NULL;
    io->done = t->next;
    if (!io->done)
        io->done_end = &io->done;
    return t;
}

bool io_has_done(const struct io *io)
{
    return io->done || has_unsubmitted(io) || (io->uses_ring && io_uring_cq_ready(&io->ring) > 0);
}

struct io_uring *io_ring(struct io *io)
{
    return io->uses_ring ? &io->ring : NULL;
}

int io_poll_fd(const struct io *io)
{
    return io->uses_ring ? io->ring.ring_fd : -1;
}

static void wait_for_all(struct io *io)
{
    struct io_uring_cqe *cqe;
    while (io->under_way > 0) {
        io_submit(io);
        int r = has_unsubmitted(io) ? 0 : io_uring_wait_cqe(&io->ring, &cqe);
        if (r < 0 && r != -EINTR)
            break;
        while (io_take_done(io)) {
        }
    }
}

/* Registers the buffers. If that fails (RLIMIT_MEMLOCK), transfers only take longer. */
void io_set_buffers(struct io *io, uint8_t *buffers, size_t bytes)
{
    const struct iovec all = {buffers, bytes};
    wait_for_all(io);
    if (io->has_fixed_buffers)
        io_uring_unregister_buffers(&io->ring);
    io->has_fixed_buffers = buffers && io->uses_ring && io_uring_register_buffers(&io->ring, &all, 1) == 0;
}

struct io *io_free(struct io *io)
{
    if (!io)
        return NULL;
    wait_for_all(io);
    if (io->uses_ring)
        io_uring_queue_exit(&io->ring);
    free(io);
    return NULL;
}
