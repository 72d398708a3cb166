/* SPDX-License-Identifier: Apache-2.0 */
/* The ranges of a disk that are being written. A request that changes a part of a unit reads the unit,
 * changes it and writes it whole; another write to that unit meanwhile would be lost. So such a request has
 * its range for itself. Other writes go on side by side. All queues of a disk share these ranges.
 */
#pragma once

#include "base/macro.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct range_entry {
    uint64_t from, to; /* in bytes, whole units */
    bool is_exclusive;
    struct range_entry *next, **before; /* for ranges.c alone */
};

struct ranges {
    pthread_mutex_t lock;
    struct range_entry *first;
    unsigned exclusive; /* number of exclusive entries */
    uint64_t waiting;   /* a bit for each queue that was refused */
};

void ranges_init(struct ranges *r);
void ranges_destroy(struct ranges *r);

/* Enters a range. False if another entry is in the way: ranges_leave() then returns the bit of `queue` when
 * one leaves. */
bool ranges_enter(struct ranges *r, struct range_entry *entry, unsigned queue);

/* Leaves a range. Returns the bits of the queues that were refused and may try again. */
uint64_t ranges_leave(struct ranges *r, struct range_entry *entry);
