/* SPDX-License-Identifier: Apache-2.0 */
/* See work.h. */
#include "disks/work.h"

#include <string.h>
#include <sys/mman.h>

#define SMALL_BYTES  DISK_UNIT_MAX
#define SMALL_PIECES 256
#define LARGE_BYTES  ((size_t)128 << 10)
#define LARGE_PIECES 32
#define BUFFER_BYTES (SMALL_PIECES * SMALL_BYTES + LARGE_PIECES * LARGE_BYTES)

/* A piece of a task. */
struct piece {
    struct io_transfer io;
    struct task *task;
    struct place place;     /* its data in the guest's memory */
    uint64_t offset, bytes; /* on the disk: of the data, which may be a part of what is transferred */
    bool is_read_first;     /* to be changed and written */
    struct piece *next;     /* free */
    bool is_large;
    uint8_t *buffer;
};

struct task_list {
    struct task *first, **end;
};

struct work {
    struct disk *disk;
    unsigned queue;
    bool writes_through;
    struct io *io; /* the disk's */
    struct cipher *cipher;
    struct secret *page; /* plaintext of one unit, for a moment */
    uint8_t *buffers;
    struct piece *pieces, *free_small, *free_large;
    struct task_list waiting; /* for pieces, or for their range */
    struct task_list finished;
};

static void list_add(struct task_list *l, struct task *t)
{
    t->next = NULL;
    *l->end = t;
    l->end = &t->next;
}

static struct task *list_take(struct task_list *l)
{
    struct task *t = l->first;
    if (t) {
        l->first = t->next;
        if (!l->first)
            l->end = &l->first;
    }
    return t;
}

/* ---------------------------------------------------------------- making it */

static void add_piece(struct work *w, struct piece *p)
{
    struct piece **list = p->is_large ? &w->free_large : &w->free_small;
    p->next = *list;
    *list = p;
}

static int make_pieces(struct work *w)
{
    void *buffers = mmap(NULL, BUFFER_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (buffers == MAP_FAILED)
        return -ENOMEM;
    w->buffers = buffers;
    w->pieces = calloc(SMALL_PIECES + LARGE_PIECES, sizeof *w->pieces);
    if (!w->pieces)
        return -ENOMEM;
    uint8_t *at = w->buffers;
    for (size_t i = 0; i < SMALL_PIECES + LARGE_PIECES; i++) {
        struct piece *p = &w->pieces[i];
        p->is_large = i >= SMALL_PIECES;
        p->buffer = at;
        at += p->is_large ? LARGE_BYTES : SMALL_BYTES;
        add_piece(w, p);
    }
    return 0;
}

int work_new(struct disk *d, unsigned queue, bool writes_through, struct work **ret, struct error *e)
{
    struct work *w = calloc(1, sizeof *w);
    if (!w)
        return error_memory(e);
    w->disk = d;
    w->queue = queue;
    w->io = d->io[queue];
    w->writes_through = writes_through;
    w->waiting.end = &w->waiting.first;
    w->finished.end = &w->finished.first;
    int r = make_pieces(w) < 0 ? error_memory(e) : 0;
    if (r == 0)
        r = secret_new(DISK_UNIT_MAX, &w->page, e);
    if (r == 0)
        r = cipher_new(d->key, d->sector_bytes, &w->cipher, e);
    if (r < 0) {
        work_free(w);
        return r;
    }
    io_set_buffers(w->io, w->buffers, BUFFER_BYTES);
    *ret = w;
    return 0;
}

struct work *work_free(struct work *w)
{
    if (!w)
        return NULL;
    io_set_buffers(w->io, NULL, 0);
    cipher_free(w->cipher);
    secret_free(w->page);
    free(w->pieces);
    if (w->buffers)
        munmap(w->buffers, BUFFER_BYTES);
    free(w);
    return NULL;
}

/* -------------------------------------------------------- the end of a task */

static int answer(const struct task *t)
{
    if (t->request.operation == BLOCK_REFUSED)
        return t->request.answer;
    if (t->result == -EOPNOTSUPP)
        return VIRTIO_BLK_S_UNSUPP;
    return t->result < 0 ? VIRTIO_BLK_S_IOERR : VIRTIO_BLK_S_OK;
}

static void finish(struct work *w, struct task *t)
{
    if (t->has_range) {
        t->has_range = false;
        disk_wake(w->disk, ranges_leave(&w->disk->ranges, &t->range));
    }
    *t->request.status = (uint8_t)answer(t);
    bool is_in = t->request.operation == BLOCK_READ || t->request.operation == BLOCK_GET_ID;
    t->written = 1 + (is_in && t->result == 0 ? (uint32_t)t->request.data_bytes : 0);
    list_add(&w->finished, t);
}

static void fail(struct task *t, int r)
{
    if (r < 0 && t->result == 0)
        t->result = r;
}

/* -------------------------------------------------------- a piece of a task */

static uint64_t sector_of(const struct work *w, const struct piece *p)
{
    return p->io.offset_bytes / w->disk->sector_bytes;
}

static bool is_partial(const struct piece *p)
{
    return p->bytes != p->io.bytes;
}

/* Encrypted zeros. */
static int fill_with_zeros(struct work *w, struct piece *p)
{
    memset(p->buffer, 0, p->io.bytes);
    return cipher_encrypt(w->cipher, sector_of(w, p), p->buffer, p->buffer, p->io.bytes);
}

/* The unit is in the buffer as it was on the disk. */
static int change_unit(struct work *w, struct piece *p)
{
    uint8_t *plain = secret_bytes(w->page);
    uint64_t first = sector_of(w, p), at = p->offset - p->io.offset_bytes;
    int r = cipher_decrypt(w->cipher, first, p->buffer, plain, p->io.bytes);
    if (r < 0)
        return r;
    if (p->task->request.operation == BLOCK_ZERO)
        memset(plain + at, 0, p->bytes);
    else
        guest_read(&p->place, plain + at, p->bytes);
    return cipher_encrypt(w->cipher, first, plain, p->buffer, p->io.bytes);
}

static int give_to_guest(struct work *w, struct piece *p)
{
    if (!is_partial(p))
        return guest_decrypt(w->cipher, w->page, sector_of(w, p), p->buffer, &p->place, p->bytes);
    int r = cipher_decrypt(w->cipher, sector_of(w, p), p->buffer, secret_bytes(w->page), p->io.bytes);
    guest_write(&p->place, secret_peek(w->page) + (p->offset - p->io.offset_bytes), p->bytes);
    return r;
}

/* What is done before the first transfer. */
static int prepare(struct work *w, struct piece *p)
{
    enum block_operation operation = p->task->request.operation;
    p->is_read_first = operation != BLOCK_READ && is_partial(p);
    p->io.operation = operation == BLOCK_READ || p->is_read_first ? IO_READ : IO_WRITE;
    if (p->io.operation == IO_READ)
        return 0;
    if (operation == BLOCK_ZERO)
        return fill_with_zeros(w, p);
    return guest_encrypt(w->cipher, w->page, sector_of(w, p), &p->place, p->buffer, p->bytes);
}

/* How far the next piece of a task goes: a part of a unit, or as many whole ones as a buffer has room for. */
static uint64_t next_bytes(const struct work *w, const struct task *t)
{
    uint64_t unit = w->disk->unit_bytes, at = (t->request.offset_bytes + t->begun_bytes) % unit;
    uint64_t left = t->request.bytes - t->begun_bytes;
    if (at > 0 || left < unit)
        return left < unit - at ? left : unit - at;
    left -= left % unit;
    return left < LARGE_BYTES ? left : LARGE_BYTES;
}

static struct piece *take_piece(struct work *w, uint64_t bytes)
{
    struct piece **list = bytes <= SMALL_BYTES ? &w->free_small : &w->free_large;
    struct piece *p = *list;
    if (p)
        *list = p->next;
    return p;
}

static void set_piece(struct work *w, struct piece *p, struct task *t, uint64_t bytes)
{
    uint64_t unit = w->disk->unit_bytes;
    p->task = t;
    p->place = t->place;
    p->offset = t->request.offset_bytes + t->begun_bytes;
    p->bytes = bytes;
    p->io.owner = p;
    p->io.buffer = p->buffer;
    p->io.offset_bytes = p->offset / unit * unit;
    p->io.bytes = bytes < unit ? unit : bytes;
}

/* -------------------------------------------------------------------- tasks */

static void wait_for_more(struct work *w, struct task *t)
{
    t->is_waiting = true;
    list_add(&w->waiting, t);
}

static void begin_sync(struct work *w, struct task *t)
{
    t->io.operation = IO_SYNC;
    io_start(w->io, &t->io);
}

/* Nothing of it is under way, and nothing more will be. */
static void settle(struct work *w, struct task *t)
{
    if (t->pieces > 0 || t->is_waiting)
        return;
    if (w->writes_through && t->result == 0 && block_request_writes(&t->request))
        begin_sync(w, t);
    else
        finish(w, t);
}

static void leave_piece(struct work *w, struct piece *p, int result)
{
    struct task *t = p->task;
    fail(t, result);
    t->pieces--;
    add_piece(w, p);
    settle(w, t);
}

/* A transfer of a piece has ended. */
static void piece_done(struct work *w, struct piece *p)
{
    int r = p->io.result;
    if (r == 0 && p->is_read_first) {
        p->is_read_first = false;
        r = change_unit(w, p);
        if (r == 0) {
            p->io.operation = IO_WRITE;
            io_start(w->io, &p->io);
            return;
        }
    } else if (r == 0 && p->io.operation == IO_READ) {
        r = give_to_guest(w, p);
    }
    leave_piece(w, p, r);
}

static bool drain(struct work *w)
{
    bool any = false;
    struct io_transfer *io;
    while ((io = io_take_done(w->io))) {
        any = true;
        if (io->operation == IO_READ || io->operation == IO_WRITE) {
            piece_done(w, io->owner);
        } else {
            struct task *t = io->owner;
            fail(t, io->result);
            finish(w, t);
        }
    }
    return any;
}

static void begin_piece(struct work *w, struct piece *p, struct task *t, uint64_t bytes)
{
    set_piece(w, p, t, bytes);
    t->begun_bytes += bytes;
    t->pieces++;
    if (t->request.operation != BLOCK_ZERO)
        guest_skip(&t->place, bytes);
    int r = prepare(w, p);
    if (r < 0) {
        leave_piece(w, p, r);
        return;
    }
    io_start(w->io, &p->io);
    if (io_is_immediate(w->io))
        drain(w); /* so the next one gets the same buffer, which is in the processor's cache */
}

/* False: there are not enough pieces for all of it now. */
static bool begin_pieces(struct work *w, struct task *t)
{
    while (t->begun_bytes < t->request.bytes && t->result == 0) {
        uint64_t bytes = next_bytes(w, t);
        struct piece *p = take_piece(w, bytes);
        if (!p)
            return false;
        begin_piece(w, p, t, bytes);
    }
    return true;
}

/* Writes have their range as long as they are under way. Where a unit is no more than the guest counts in,
 * none is ever changed in part. */
static bool enter_range(struct work *w, struct task *t)
{
    uint64_t unit = w->disk->unit_bytes, from = t->request.offset_bytes, to = from + t->request.bytes;
    if (t->has_range || !block_request_writes(&t->request) || unit == BLOCK_SECTOR_BYTES)
        return true;
    t->range.from = from / unit * unit;
    t->range.to = (to + unit - 1) / unit * unit;
    t->range.is_exclusive =
        t->request.operation != BLOCK_DISCARD && (t->range.from != from || t->range.to != to);
    t->has_range = ranges_enter(&w->disk->ranges, &t->range, w->queue);
    return t->has_range;
}

/* What is only a part of a unit stays. */
static void begin_discard(struct work *w, struct task *t)
{
    uint64_t unit = w->disk->unit_bytes;
    uint64_t from = (t->request.offset_bytes + unit - 1) / unit * unit;
    uint64_t to = (t->request.offset_bytes + t->request.bytes) / unit * unit;
    if (from >= to) {
        finish(w, t);
        return;
    }
    t->io.operation = IO_PUNCH;
    t->io.offset_bytes = from;
    t->io.bytes = to - from;
    io_start(w->io, &t->io);
}

static void give_id(struct work *w, struct task *t)
{
    size_t bytes = t->request.data_bytes < DISK_ID_BYTES ? t->request.data_bytes : DISK_ID_BYTES;
    t->request.data_bytes = bytes;
    guest_write(&t->place, (const uint8_t *)w->disk->id, bytes);
    finish(w, t);
}

static void begin_transfers(struct work *w, struct task *t)
{
    t->pieces++; /* one more, so that it does not finish between two of them */
    bool all = begin_pieces(w, t);
    t->pieces--;
    if (all)
        settle(w, t);
    else
        wait_for_more(w, t);
}

static void begin(struct work *w, struct task *t)
{
    if (!enter_range(w, t)) {
        wait_for_more(w, t);
        return;
    }
    switch (t->request.operation) {
    case BLOCK_READ:
    case BLOCK_WRITE:
    case BLOCK_ZERO:
        begin_transfers(w, t);
        break;
    case BLOCK_DISCARD:
        begin_discard(w, t);
        break;
    case BLOCK_FLUSH:
        begin_sync(w, t);
        break;
    case BLOCK_GET_ID:
        give_id(w, t);
        break;
    case BLOCK_REFUSED:
        finish(w, t);
        break;
    }
}

void work_start(struct work *w, struct task *t)
{
    t->io = (struct io_transfer){.owner = t};
    t->has_range = t->is_waiting = false;
    t->place = (struct place){.part = t->request.data};
    t->begun_bytes = 0;
    t->pieces = 0;
    t->result = 0;
    begin(w, t);
}

void work_retry(struct work *w)
{
    struct task *t, *after = NULL;
    struct task_list again = w->waiting;
    if (!again.first)
        return;
    w->waiting = (struct task_list){.end = &w->waiting.first};
    for (t = again.first; t; t = after) {
        after = t->next;
        t->is_waiting = false;
        begin(w, t);
    }
}

struct task *work_take_finished(struct work *w)
{
    if (!w->finished.first && drain(w))
        work_retry(w);
    return list_take(&w->finished);
}

bool work_is_immediate(const struct work *w)
{
    return io_is_immediate(w->io);
}

void work_submit(struct work *w)
{
    io_submit(w->io);
}

bool work_has_done(const struct work *w)
{
    return w->finished.first || io_has_done(w->io);
}

int work_poll_fd(const struct work *w)
{
    return io_poll_fd(w->io);
}
