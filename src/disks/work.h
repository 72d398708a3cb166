/* SPDX-License-Identifier: Apache-2.0 */
/* The requests of one queue that are under way: cut into pieces, enciphered, transferred, deciphered.
 *
 *     guest's memory --encrypt--> buffer --write--> disk
 *     guest's memory <--decrypt-- buffer <--read--- disk
 *
 * The buffers hold what is on the disk, never plaintext. A piece that is a part of a unit of the disk's (a
 * write of 512 bytes where sectors have 4096) is read first, changed in one locked page, and written whole.
 * One thread has all of it.
 */
#pragma once

#include "disks/block-request.h"
#include "disks/disk.h"
#include "disks/guest-data.h"
#include "disks/io.h"

struct task {
    struct chain chain;
    struct block_request request;
    uint32_t written; /* into the guest's memory, once it is finished */

    /* work.c's */
    struct io_transfer io; /* of what has no data */
    struct range_entry range;
    bool has_range, is_waiting;
    struct place place; /* of the data that is not begun */
    uint64_t begun_bytes;
    unsigned pieces; /* under way */
    int result;
    struct task *next;
};

struct work;

/* For a queue of the disk, which is borrowed. `writes_through`: the guest does not flush, so each write is on
 * the disk before it is told that it is done. */
int work_new(struct disk *d, unsigned queue, bool writes_through, struct work **ret,
             struct error *e) _must_check_;

/* Waits for what is under way; tasks that are not finished stay so. */
struct work *work_free(struct work *w);
DEFINE_CLEANUP(struct work *, work_free)

/* Is each task finished by the time that work_start() returns, as far as others do not keep it waiting? */
bool work_is_immediate(const struct work *w);

/* Begins a task whose `chain` and `request` are set. It belongs to the work until it is taken back. */
void work_start(struct work *w, struct task *t);

/* Hands all that was begun to the kernel. */
void work_submit(struct work *w);

/* One that is finished, its answer written, or NULL. */
struct task *work_take_finished(struct work *w);

/* Tries again what waits: for another queue, or for buffers. */
void work_retry(struct work *w);

/* Would work_take_finished() get any further? And what to poll for, when it would not; -1: nothing. */
bool work_has_done(const struct work *w);
int work_poll_fd(const struct work *w);
