/* SPDX-License-Identifier: Apache-2.0 */
/* See work.h. A task in its life:
 *
 *     started --> waits for its range, or for free pieces; work_retry() goes on with it
 *             --> pieces under way, each of them one or two transfers
 *             --> synced, if it writes and the guest does not flush
 *             --> finished: its status is written, and it waits to be taken back
 */
#include "disks/work.h"

#include "disks/pieces.h"

struct work {
    struct disk *disk;
    unsigned queue;
    bool writes_through;
    struct io *io; /* transfers of the disk */
    struct pieces pieces;
    struct task_list waiting; /* tasks that wait for pieces, or for their range */
    struct task_list finished;
};

/* --------------------------------------------------------- creation and end */

int work_new(struct disk *d, unsigned queue, bool writes_through, struct work **ret, struct error *e)
{
    struct work *w = calloc(1, sizeof *w);
    if (!w)
        return error_memory(e);
    w->disk = d;
    w->queue = queue;
    w->io = d->io[queue];
    w->writes_through = writes_through;
    task_list_init(&w->waiting);
    task_list_init(&w->finished);
    int r = pieces_init(&w->pieces, d, e);
    if (r < 0) {
        free(w);
        return r;
    }
    io_set_buffers(w->io, w->pieces.buffers, PIECES_BUFFERS_BYTES);
    *ret = w;
    return 0;
}

struct work *work_free(struct work *w)
{
    if (!w)
        return NULL;
    io_set_buffers(w->io, NULL, 0);
    pieces_destroy(&w->pieces);
    free(w);
    return NULL;
}

/* -------------------------------------------------------- the end of a task */

static void finish_task(struct work *w, struct task *t)
{
    if (t->has_range) {
        t->has_range = false;
        disk_wake(w->disk, ranges_leave(&w->disk->ranges, &t->range));
    }
    task_write_status(t);
    task_list_add(&w->finished, t);
}

static void begin_sync(struct work *w, struct task *t)
{
    t->io.operation = IO_SYNC;
    io_start(w->io, &t->io);
}

/* Syncs or finishes a task that has no piece under way and waits for none. */
static void finish_if_idle(struct work *w, struct task *t)
{
    if (t->pieces > 0 || t->is_waiting)
        return;
    if (w->writes_through && t->result == 0 && block_request_writes(&t->request))
        begin_sync(w, t);
    else
        finish_task(w, t);
}

/* ------------------------------------------------- reads, writes and zeroing */

static void end_piece(struct work *w, struct piece *p, int result)
{
    struct task *t = p->task;
    task_note_result(t, result);
    t->pieces--;
    pieces_give_back(&w->pieces, p);
    finish_if_idle(w, t);
}

/* Takes back the transfers that are done, and goes on with their tasks. False if none were done. */
static bool take_done_transfers(struct work *w)
{
    bool any = false;
    struct io_transfer *io;
    while ((io = io_take_done(w->io))) {
        any = true;
        if (io->operation == IO_READ || io->operation == IO_WRITE) {
            int r = piece_go_on(&w->pieces, io->owner);
            if (r > 0)
                io_start(w->io, io);
            else
                end_piece(w, io->owner, r);
        } else {
            struct task *t = io->owner;
            task_note_result(t, io->result);
            finish_task(w, t);
        }
    }
    return any;
}

/* Returns the size of the next piece. It ends where a part of a unit ends, or with the last whole unit that
 * fits into it. */
static uint64_t next_piece_bytes(const struct work *w, const struct task *t)
{
    uint64_t unit = w->disk->unit_bytes, at = (t->request.offset_bytes + t->begun_bytes) % unit;
    uint64_t left = t->request.bytes - t->begun_bytes;
    if (at > 0 || left < unit)
        return left < unit - at ? left : unit - at;
    left -= left % unit;
    return left < PIECE_LARGE_BYTES ? left : PIECE_LARGE_BYTES;
}

static void begin_piece(struct work *w, struct piece *p, struct task *t, uint64_t bytes)
{
    p->task = t;
    p->operation = t->request.operation;
    p->place = t->place;
    p->offset_bytes = t->request.offset_bytes + t->begun_bytes;
    p->bytes = bytes;
    t->begun_bytes += bytes;
    t->pieces++;
    if (t->request.operation != BLOCK_ZERO)
        guest_skip(&t->place, bytes);
    int r = piece_prepare(&w->pieces, p);
    if (r < 0) {
        end_piece(w, p, r);
        return;
    }
    io_start(w->io, &p->io);
    if (io_is_immediate(w->io))
        take_done_transfers(w); /* so the next piece gets this buffer, which is in the processor's cache */
}

/* Begins the pieces of a task. False if there are not enough free pieces for the rest of the task now. */
static bool begin_pieces(struct work *w, struct task *t)
{
    while (t->begun_bytes < t->request.bytes && t->result == 0) {
        uint64_t bytes = next_piece_bytes(w, t);
        struct piece *p = pieces_take(&w->pieces, bytes);
        if (!p)
            return false;
        begin_piece(w, p, t, bytes);
    }
    return true;
}

static void wait_for_retry(struct work *w, struct task *t)
{
    t->is_waiting = true;
    task_list_add(&w->waiting, t);
}

static void begin_transfers(struct work *w, struct task *t)
{
    t->pieces++; /* one more than there are, so that the task does not finish between two of its pieces */
    bool all = begin_pieces(w, t);
    t->pieces--;
    if (all)
        finish_if_idle(w, t);
    else
        wait_for_retry(w, t);
}

/* ------------------------------------------------------------- other requests */

/* Begins a discard, of whole units only: a part of a unit keeps its contents. */
static void begin_discard(struct work *w, struct task *t)
{
    uint64_t unit = w->disk->unit_bytes;
    uint64_t from = (t->request.offset_bytes + unit - 1) / unit * unit;
    uint64_t to = (t->request.offset_bytes + t->request.bytes) / unit * unit;
    if (from >= to) {
        finish_task(w, t);
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
    finish_task(w, t);
}

/* -------------------------------------------------------------------- tasks */

/* Takes the range of a request that writes, until the request is finished. No range is needed if a unit is
 * one sector of the guest: then no unit is ever changed in part. */
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

static void begin_task(struct work *w, struct task *t)
{
    if (!enter_range(w, t)) {
        wait_for_retry(w, t);
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
        finish_task(w, t);
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
    begin_task(w, t);
}

void work_retry(struct work *w)
{
    struct task *t, *after = NULL;
    struct task_list again = w->waiting;
    if (!again.first)
        return;
    task_list_init(&w->waiting);
    for (t = again.first; t; t = after) {
        after = t->next;
        t->is_waiting = false;
        begin_task(w, t);
    }
}

struct task *work_take_finished(struct work *w)
{
    if (!w->finished.first && take_done_transfers(w))
        work_retry(w);
    return task_list_take(&w->finished);
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
