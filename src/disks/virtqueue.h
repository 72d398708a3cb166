/* SPDX-License-Identifier: Apache-2.0 */
/* A split virtqueue of virtio 1.0 in memory that the guest may change at any moment. Each field of the
 * guest's is read once and checked before it is used; what cannot be right is -EPROTO, and the queue is used
 * no more.
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
    132u /* 128 parts of data, header and status, and one end of memory that falls in one */

struct virtqueue {
    unsigned size; /* a power of two */
    const struct memory_table *memory;
    struct vring_desc *descriptors;
    struct vring_avail *available;
    struct vring_used *used;
    bool event_index, indirect; /* negotiated */
    uint16_t next_available;    /* what is popped next */
    uint16_t next_used;         /* what is pushed next */
    uint16_t published;         /* what the guest has been shown of it */
};

/* A request of the guest's: what we read, then what we write. */
struct chain {
    uint16_t head;
    unsigned n_out, n_in;
    struct iovec part[CHAIN_PARTS_MAX];
};

/* Where the rings are, as the front end names them. -EPROTO: they are not in its memory, or not aligned. */
int virtqueue_map(struct virtqueue *q, const struct memory_table *t,
                  const struct vhost_vring_address *a) _must_check_;

/* 1: the next request; 0: there is none. -EPROTO: the ring or the chain is malformed. */
int virtqueue_pop(struct virtqueue *q, struct chain *ret) _must_check_;

/* One that was under way before (see inflight.h). */
int virtqueue_chain(struct virtqueue *q, uint16_t head, struct chain *ret) _must_check_;

bool virtqueue_has_more(const struct virtqueue *q);

/* Gives a request back, with `written` bytes in it; the guest sees it after virtqueue_publish(). */
void virtqueue_push(struct virtqueue *q, uint16_t head, uint32_t written);

/* Shows the guest what was pushed. True: it wants to be told. */
bool virtqueue_publish(struct virtqueue *q);

/* Whether the guest kicks. virtqueue_want_kicks() says true if there is something already. */
bool virtqueue_want_kicks(struct virtqueue *q);
void virtqueue_want_no_kicks(struct virtqueue *q);
