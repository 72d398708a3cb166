/* SPDX-License-Identifier: Apache-2.0 */
/* What is under way of a queue, kept in a file that the front end holds while we may die: the "inflight I/O
 * tracking" of the vhost-user specification, for split rings. After a reconnection these requests are done
 * again, in their order. The front end can write to it too, so nothing in it is trusted.
 */
#pragma once

#include "disks/virtqueue.h"

struct inflight_entry {
    uint8_t is_under_way;
    uint8_t padding[5];
    uint16_t next;    /* of the last batch that was given back */
    uint64_t counter; /* their order */
};

struct inflight_area {
    uint64_t features;
    uint16_t version;
    uint16_t size; /* entries */
    uint16_t last_batch;
    uint16_t used_index;
    struct inflight_entry entry[];
};

struct inflight {
    struct inflight_area *area; /* NULL: the front end keeps none, and all of this does nothing */
    unsigned size;              /* of the queue; the area has as many entries */
    uint64_t counter;
    unsigned n_pushed; /* and not published yet */
    uint16_t pushed[VIRTQUEUE_SIZE_MAX];
};

/* Bytes of the area of one queue; areas follow each other. */
size_t inflight_bytes(unsigned queue_size);

/* Looks what is under way, when a queue begins whose used index is `used_index`. heads[] (as many as the
 * queue has) gets the requests that are to be done again, oldest first; returns how many. */
unsigned inflight_begin(struct inflight *f, uint16_t used_index, uint16_t heads[]);

/* Around each request: taken from the ring; given back, before the guest is shown it; and after that. */
void inflight_take(struct inflight *f, uint16_t head);
void inflight_push(struct inflight *f, uint16_t head);
void inflight_published(struct inflight *f, uint16_t used_index);
