/* SPDX-License-Identifier: Apache-2.0 */
/* The requests of one queue that are under way. Each is a task, which is cut into pieces (pieces.h). One
 * thread has all of them.
 */
#pragma once

#include "disks/disk.h"
#include "disks/task.h"

struct work;

/* Begins the work of a queue of `d`, which must outlive it. `writes_through`: the guest does not flush, so
 * each write is synced before the guest is told of its end. */
int work_new(struct disk *d, unsigned queue, bool writes_through, struct work **ret,
             struct error *e) _must_check_;

/* Waits for the transfers under way, and frees `w`. Tasks that are not finished then never will be. */
struct work *work_free(struct work *w);
DEFINE_CLEANUP(struct work *, work_free)

/* Begins a task whose `chain` and `request` are set. It belongs to `w` until work_take_finished(). */
void work_start(struct work *w, struct task *t);

/* True if transfers are done as they are begun, by this thread: the kernel cannot do them without waiting. */
bool work_is_immediate(const struct work *w);

/* Hands the transfers that were begun to the kernel. */
void work_submit(struct work *w);

/* Takes back a finished task, whose status is written; NULL: none is finished. */
struct task *work_take_finished(struct work *w);

/* Begins again the tasks that wait for a range or for buffers. */
void work_retry(struct work *w);

/* True if work_take_finished() may have a task. */
bool work_has_done(const struct work *w);

/* Returns the descriptor to poll if work_has_done() is false; -1: there is nothing to wait for. */
int work_poll_fd(const struct work *w);
