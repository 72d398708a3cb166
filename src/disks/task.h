/* SPDX-License-Identifier: Apache-2.0 */
/* A request of the guest that is under way, and lists of such tasks. */
#pragma once

#include "disks/block-request.h"
#include "disks/guest-data.h"
#include "disks/io.h"
#include "disks/ranges.h"

struct task {
    struct chain chain;
    struct block_request request;
    uint32_t written; /* bytes in the guest's memory, once the task is finished */

    /* for work.c alone, with all that follows */
    struct io_transfer io; /* transfer of a request without data: a discard, a flush */
    struct range_entry range;
    bool has_range, is_waiting;
    struct place place; /* of the first data that no piece has yet */
    uint64_t begun_bytes;
    unsigned pieces; /* number of pieces under way */
    int result;      /* 0, or the first failure */
    struct task *next;
};

/* Makes `r` the result if it is the first failure. */
void task_note_result(struct task *t, int r);

/* Writes the status of a task that is done into the guest's memory. */
void task_write_status(struct task *t);

struct task_list {
    struct task *first, **end;
};

void task_list_init(struct task_list *l);
void task_list_add(struct task_list *l, struct task *t);

/* Takes the first task from the list; NULL: the list is empty. */
struct task *task_list_take(struct task_list *l);
