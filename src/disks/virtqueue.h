/* SPDX-License-Identifier: Apache-2.0 */
/* A split virtqueue of virtio 1.0, in memory that the guest may change at any moment. Each field is read
 * once, and checked before it is used. A malformed ring gives -EPROTO, and is not used any more.
 *
 *     while ((r = virtqueue_pop(&q, &chain)) > 0) ...
 *     virtqueue_push(&q, chain.head, written);
 *     if (virtqueue_publish(&q)) ... interrupt the guest
 */
#pragma once

#include "disks/memory-table.h"

#include <linux/virtio_ring.h>
#include <sys/uio.h>

#define VIRTQUEUE_SIZE_MAX 1024u
#define CHAIN_PARTS_MAX                                                                                      \
    132u /* 128 for data, header and status, and some more for buffers that cross regions of memory */

struct virtqueue {
    unsigned size; /* a power of two */
    const struct memory_table *memory;
    struct vring_desc *descriptors;
    struct vring_avail *available;
    struct vring_used *used;
    bool event_index, indirect; /* negotiated */
    uint16_t next_available;    /* index of the next one to pop */
    uint16_t next_used;         /* index of the next one to push */
    uint16_t published;         /* `next_used` as the guest sees it */
};

/* A request of the guest: memory that we read, then memory that we write. */
struct chain {
    uint16_t head;
    unsigned n_out, n_in;
    struct iovec part[CHAIN_PARTS_MAX];
};

/* Finds the rings. -EPROTO: they are not in the guest's memory, or not aligned. */
int virtqueue_map(struct virtqueue *q, const struct memory_table *t,
                  const struct vhost_vring_address *a) _must_check_;

/* Takes the next request. 1: there was one; 0: none is waiting; -EPROTO: the ring or the chain is malformed.
 */
int virtqueue_pop(struct virtqueue *q, struct chain *ret) _must_check_;

/* Reads again a request that was under way before (inflight.h). */
int virtqueue_chain(struct virtqueue *q, uint16_t head, struct chain *ret) _must_check_;

bool virtqueue_has_more(const struct virtqueue *q);

/* Gives back a request into which `written` bytes were written. The guest sees it after virtqueue_publish().
 */
void virtqueue_push(struct virtqueue *q, uint16_t head, uint32_t written);

/* Shows the guest all that was pushed. True if the guest wants an interrupt. */
bool virtqueue_publish(struct virtqueue *q);

/* Asks the guest to kick, or not to. virtqueue_want_kicks() returns true if a request is waiting already. */
bool virtqueue_want_kicks(struct virtqueue *q);
void virtqueue_want_no_kicks(struct virtqueue *q);
