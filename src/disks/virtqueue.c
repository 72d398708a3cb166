/* SPDX-License-Identifier: Apache-2.0 */
/* See virtqueue.h. All numbers in the rings are little-endian, as are the machines that this is built for. */
#include "disks/virtqueue.h"

#include <errno.h>
#include <stdatomic.h>

/* Access to fields that the guest can change: the compiler must not read or write them twice. */
#define READ_ONCE(field)         __atomic_load_n(&(field), __ATOMIC_RELAXED)
#define WRITE_ONCE(field, value) __atomic_store_n(&(field), (value), __ATOMIC_RELAXED)

static uint16_t *used_event(const struct virtqueue *q)
{
    return (uint16_t *)(void *)((uint8_t *)q->available + sizeof *q->available) + q->size;
}

static uint16_t *available_event(const struct virtqueue *q)
{
    return (uint16_t *)(void *)((uint8_t *)q->used + sizeof *q->used + q->size * sizeof q->used->ring[0]);
}

static bool is_aligned(const void *p, size_t to)
{
    return (uintptr_t)p % to == 0;
}

int virtqueue_map(struct virtqueue *q, const struct memory_table *t, const struct vhost_vring_address *a)
{
    uint8_t *descriptors = memory_of_user(t, a->descriptors, q->size * sizeof(struct vring_desc));
    uint8_t *available =
        memory_of_user(t, a->available, sizeof(struct vring_avail) + (q->size + 1) * sizeof(uint16_t));
    uint8_t *used = memory_of_user(
        t, a->used, sizeof(struct vring_used) + q->size * sizeof(struct vring_used_elem) + sizeof(uint16_t));
    if (!descriptors || !available || !used || !is_aligned(descriptors, VRING_DESC_ALIGN_SIZE) ||
        !is_aligned(available, VRING_AVAIL_ALIGN_SIZE) || !is_aligned(used, VRING_USED_ALIGN_SIZE))
        return -EPROTO;
    q->memory = t;
    q->descriptors = (struct vring_desc *)(void *)descriptors;
    q->available = (struct vring_avail *)(void *)available;
    q->used = (struct vring_used *)(void *)used;
    q->next_used = q->published = READ_ONCE(q->used->idx);
    return 0;
}

/* ------------------------------------------------------------------- chains */

static struct vring_desc read_descriptor(const struct vring_desc *d)
{
    return (struct vring_desc){.addr = READ_ONCE(d->addr),
                               .len = READ_ONCE(d->len),
                               .flags = READ_ONCE(d->flags),
                               .next = READ_ONCE(d->next)};
}

/* Adds a descriptor to the chain. Its buffer may lie in two regions of memory that meet. */
static int add_part(const struct virtqueue *q, struct chain *c, const struct vring_desc *d)
{
    bool is_in = d->flags & VRING_DESC_F_WRITE;
    uint64_t address = d->addr, left = d->len;
    if (left == 0 || (!is_in && c->n_in > 0))
        return -EPROTO;
    while (left > 0) {
        uint64_t bytes = left;
        uint8_t *at = memory_at(q->memory, address, &bytes);
        if (!at || c->n_out + c->n_in == CHAIN_PARTS_MAX)
            return -EPROTO;
        c->part[c->n_out + c->n_in] = (struct iovec){at, bytes};
        c->n_out += !is_in;
        c->n_in += is_in;
        address += bytes; /* stays in 64 bits: no region ends beyond them */
        left -= bytes;
    }
    return 0;
}

/* Adds the descriptors of a table to the chain, from number `i` on. A chain that is longer than its table is
 * a loop. */
static int walk(const struct virtqueue *q, const struct vring_desc *table, unsigned size, unsigned i,
                struct chain *c)
{
    for (unsigned n = 0; n < size; n++) {
        const struct vring_desc d = read_descriptor(&table[i]);
        int r = d.flags & VRING_DESC_F_INDIRECT ? -EPROTO : add_part(q, c, &d);
        if (r < 0 || !(d.flags & VRING_DESC_F_NEXT))
            return r;
        i = d.next;
        if (i >= size)
            return -EPROTO;
    }
    return -EPROTO;
}

static int walk_indirect(const struct virtqueue *q, const struct vring_desc *d, struct chain *c)
{
    uint64_t bytes = d->len;
    if (!q->indirect || d->flags & VRING_DESC_F_NEXT || bytes == 0 || bytes % sizeof *d ||
        bytes / sizeof *d > VIRTQUEUE_SIZE_MAX)
        return -EPROTO;
    uint8_t *table = memory_at(q->memory, d->addr, &bytes);
    if (!table || bytes != d->len || !is_aligned(table, sizeof(uint64_t)))
        return -EPROTO;
    return walk(q, (const struct vring_desc *)(void *)table, (unsigned)(bytes / sizeof *d), 0, c);
}

int virtqueue_chain(struct virtqueue *q, uint16_t head, struct chain *ret)
{
    ret->head = head;
    ret->n_out = ret->n_in = 0;
    if (head >= q->size)
        return -EPROTO;
    const struct vring_desc first = read_descriptor(&q->descriptors[head]);
    if (first.flags & VRING_DESC_F_INDIRECT)
        return walk_indirect(q, &first, ret);
    return walk(q, q->descriptors, q->size, head, ret);
}

static uint16_t available_index(const struct virtqueue *q)
{
    return __atomic_load_n(&q->available->idx, __ATOMIC_ACQUIRE);
}

bool virtqueue_has_more(const struct virtqueue *q)
{
    return available_index(q) != q->next_available;
}

int virtqueue_pop(struct virtqueue *q, struct chain *ret)
{
    uint16_t waiting = (uint16_t)(available_index(q) - q->next_available);
    if (waiting == 0)
        return 0;
    if (waiting > q->size)
        return -EPROTO;
    uint16_t head = READ_ONCE(q->available->ring[q->next_available % q->size]);
    int r = virtqueue_chain(q, head, ret);
    if (r < 0)
        return r;
    q->next_available++;
    return 1;
}

/* -------------------------------------------------------------- giving back */

void virtqueue_push(struct virtqueue *q, uint16_t head, uint32_t written)
{
    struct vring_used_elem *element = &q->used->ring[q->next_used % q->size];
    WRITE_ONCE(element->id, head);
    WRITE_ONCE(element->len, written);
    q->next_used++;
}

bool virtqueue_publish(struct virtqueue *q)
{
    uint16_t before = q->published;
    if (before == q->next_used)
        return false;
    __atomic_store_n(&q->used->idx, q->next_used, __ATOMIC_RELEASE);
    q->published = q->next_used;
    /* the guest first asks for an interrupt, then reads the index; so the index is written before its wish is
     * read */
    atomic_thread_fence(memory_order_seq_cst);
    if (q->event_index)
        return vring_need_event(READ_ONCE(*used_event(q)), q->next_used, before);
    return !(READ_ONCE(q->available->flags) & VRING_AVAIL_F_NO_INTERRUPT);
}

bool virtqueue_want_kicks(struct virtqueue *q)
{
    if (q->event_index)
        WRITE_ONCE(*available_event(q), q->next_available);
    else
        WRITE_ONCE(q->used->flags, 0);
    atomic_thread_fence(memory_order_seq_cst);
    return virtqueue_has_more(q);
}

/* Asks the guest not to kick. With event-idx nothing is to do: the guest kicks only as it passes the index
 * that was asked for, which it has passed. */
void virtqueue_want_no_kicks(struct virtqueue *q)
{
    if (!q->event_index)
        WRITE_ONCE(q->used->flags, VRING_USED_F_NO_NOTIFY);
}
