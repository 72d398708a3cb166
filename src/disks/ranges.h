/* SPDX-License-Identifier: Apache-2.0 */
/* Who writes where on a disk, at the moment. A request that changes a part of a sector of the cipher's reads
 * the sector, changes it and writes it whole; another write to the rest of it would be lost meanwhile. So
 * such a request has its range for itself alone; all other writes go on side by side. Used by all queues of a
 * disk.
 */
#pragma once

#include "base/macro.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct range_entry {
    uint64_t from, to; /* bytes; whole sectors */
    bool is_exclusive;
    struct range_entry *next, **before; /* ranges.c's */
};

struct ranges {
    pthread_mutex_t lock;
    struct range_entry *first;
    unsigned exclusive; /* entries that are */
    uint64_t waiting;   /* a bit for each queue that was refused */
};

void ranges_init(struct ranges *r);
void ranges_destroy(struct ranges *r);

/* False: another is in the way. Then `queue` is told of by ranges_leave() when one leaves. */
bool ranges_enter(struct ranges *r, struct range_entry *entry, unsigned queue);

/* Returns a bit for each queue that has been waiting, and may try again. */
uint64_t ranges_leave(struct ranges *r, struct range_entry *entry);
