/* SPDX-License-Identifier: Apache-2.0 */
/* The requests of one queue that are under way. Each is a task, which is cut into pieces (pieces.h). One
 * thread has all of them.
 */
#pragma once

#include "disks/disk.h"
#include "disks/task.h"

struct work;

/* For a queue of `d`, which must outlive it. `writes_through`: the guest does not flush, so each write is
 * synced before the guest is told of its end. */
int work_new(struct disk *d, unsigned queue, bool writes_through, struct work **ret,
             struct error *e) _must_check_;

/* Waits for the transfers under way. Tasks that are not finished then never will be. */
struct work *work_free(struct work *w);
DEFINE_CLEANUP(struct work *, work_free)

/* Begins a task whose `chain` and `request` are set. The task is the work's until work_take_finished(). */
void work_start(struct work *w, struct task *t);

/* Hands the transfers that were begun to the kernel. */
void work_submit(struct work *w);

/* A finished task, whose status is written, or NULL. */
struct task *work_take_finished(struct work *w);

/* Begins again the tasks that wait for a range or for buffers. */
void work_retry(struct work *w);

/* Is it worth while to call work_take_finished()? */
bool work_has_done(const struct work *w);

/* The descriptor to poll when it is not; -1: there is nothing to wait for. */
int work_poll_fd(const struct work *w);
