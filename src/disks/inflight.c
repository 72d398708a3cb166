/* SPDX-License-Identifier: Apache-2.0 */
/* See inflight.h. The order of the stores matters: after a kill -9 between any two of them, the next worker
 * must find the same requests. A process that maps the memory after the end of a thread sees the stores of
 * that thread in their order, and STORE() keeps the compiler from changing that. */
#include "disks/inflight.h"

#include <stdatomic.h>
#include <stdlib.h>

#define VERSION 1

/* Stores a value, and is not reordered. */
#define STORE(field, value) __atomic_store_n(&(field), (value), __ATOMIC_SEQ_CST)
#define LOAD(field)         __atomic_load_n(&(field), __ATOMIC_RELAXED)

size_t inflight_bytes(unsigned queue_size)
{
    size_t bytes = sizeof(struct inflight_area) + queue_size * sizeof(struct inflight_entry);
    return (bytes + 63) / 64 * 64;
}

struct found {
    uint16_t head;
    uint64_t counter;
};

static int by_counter(const void *a, const void *b)
{
    const struct found *x = a, *y = b;
    return (x->counter > y->counter) - (x->counter < y->counter);
}

/* Completes the last batch, if the worker ended after the guest had seen it, and before that was noted here.
 */
static void finish_batch(struct inflight *f, uint16_t used_index)
{
    uint16_t n = (uint16_t)(used_index - LOAD(f->area->used_index)), head = LOAD(f->area->last_batch);
    for (uint16_t i = 0; i < n && i < f->size && head < f->size; i++) {
        STORE(f->area->entry[head].is_under_way, 0);
        head = LOAD(f->area->entry[head].next);
    }
    STORE(f->area->used_index, used_index);
}

unsigned inflight_begin(struct inflight *f, uint16_t used_index, uint16_t heads[])
{
    f->n_pushed = 0;
    f->counter = 0;
    if (!f->area)
        return 0;
    if (LOAD(f->area->version) != VERSION) { /* a new file, all zeros */
        STORE(f->area->size, (uint16_t)f->size);
        STORE(f->area->used_index, used_index);
        STORE(f->area->version, (uint16_t)VERSION);
    }
    finish_batch(f, used_index);
    unsigned n = 0;
    struct found found[VIRTQUEUE_SIZE_MAX];
    for (unsigned i = 0; i < f->size; i++)
        if (LOAD(f->area->entry[i].is_under_way))
            found[n++] = (struct found){(uint16_t)i, LOAD(f->area->entry[i].counter)};
    qsort(found, n, sizeof found[0], by_counter);
    for (unsigned i = 0; i < n; i++)
        heads[i] = found[i].head;
    f->counter = n > 0 ? found[n - 1].counter + 1 : 0;
    return n;
}

void inflight_take(struct inflight *f, uint16_t head)
{
    if (!f->area || head >= f->size)
        return;
    STORE(f->area->entry[head].counter, f->counter++);
    STORE(f->area->entry[head].is_under_way, 1);
}

void inflight_push(struct inflight *f, uint16_t head)
{
    if (!f->area || head >= f->size)
        return;
    STORE(f->area->entry[head].next, LOAD(f->area->last_batch));
    STORE(f->area->last_batch, head);
    f->pushed[f->n_pushed++] = head;
}

void inflight_published(struct inflight *f, uint16_t used_index)
{
    if (!f->area)
        return;
    for (unsigned i = 0; i < f->n_pushed; i++)
        STORE(f->area->entry[f->pushed[i]].is_under_way, 0);
    f->n_pushed = 0;
    STORE(f->area->used_index, used_index);
}
