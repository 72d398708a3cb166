/* SPDX-License-Identifier: Apache-2.0 */
/* See task.h. */
#include "disks/task.h"

#include <errno.h>

void task_note_result(struct task *t, int r)
{
    if (r < 0 && t->result == 0)
        t->result = r;
}

static int status_of(const struct task *t)
{
    if (t->request.operation == BLOCK_REFUSED)
        return t->request.answer;
    if (t->result == -EOPNOTSUPP)
        return VIRTIO_BLK_S_UNSUPP;
    return t->result < 0 ? VIRTIO_BLK_S_IOERR : VIRTIO_BLK_S_OK;
}

void task_write_status(struct task *t)
{
    bool is_in = t->request.operation == BLOCK_READ || t->request.operation == BLOCK_GET_ID;
    *t->request.status = (uint8_t)status_of(t);
    t->written = 1 + (is_in && t->result == 0 ? (uint32_t)t->request.data_bytes : 0);
}

void task_list_init(struct task_list *l)
{
    *l = (struct task_list){.end = &l->first};
}

void task_list_add(struct task_list *l, struct task *t)
{
    t->next = NULL;
    *l->end = t;
    l->end = &t->next;
}

struct task *task_list_take(struct task_list *l)
{
    struct task *t = l->first;
    if (t) {
        l->first = t->next;
        if (!l->first)
            l->end = &l->first;
    }
    return t;
}
