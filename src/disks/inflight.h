/* SPDX-License-Identifier: Apache-2.0 */
/* The requests of a queue that are under way, in a file that the front end keeps if this process dies: the
 * "inflight I/O tracking" of the vhost-user specification, for split rings. The next process does these
 * requests again, in their order. The front end can write to the file, so nothing in it is trusted.
 */
#pragma once

#include "disks/virtqueue.h"

struct inflight_entry {
    uint8_t is_under_way;
    uint8_t padding[5];
    uint16_t next;    /* next entry of the last batch that was given back */
    uint64_t counter; /* orders the requests by age */
};

struct inflight_area {
    uint64_t features;
    uint16_t version;
    uint16_t size; /* number of entries */
    uint16_t last_batch;
    uint16_t used_index;
    struct inflight_entry entry[];
};

struct inflight {
    struct inflight_area *area; /* NULL: the front end keeps no such file, and these functions do nothing */
    unsigned size;              /* size of the queue; the area has as many entries */
    uint64_t counter;
    unsigned n_pushed; /* pushed, but not published yet */
    uint16_t pushed[VIRTQUEUE_SIZE_MAX];
};

/* Returns the bytes of the area of one queue. In the file areas follow each other. */
size_t inflight_bytes(unsigned queue_size);

/* Finds the requests that are to be done again when a queue begins, whose used index is `used_index`.
 * heads[], with room for all of the queue, gets them, oldest first; returns how many. */
unsigned inflight_begin(struct inflight *f, uint16_t used_index, uint16_t heads[]);

/* Notes that a request was taken from the ring; that it was given back, but is not shown to the guest yet;
 * that all that were given back are shown. */
void inflight_take(struct inflight *f, uint16_t head);
void inflight_push(struct inflight *f, uint16_t head);
void inflight_published(struct inflight *f, uint16_t used_index);
