/* SPDX-License-Identifier: Apache-2.0 */
/* The guest's memory, as the front end shares it: mapped here, and the only way from an address of the
 * guest's to one of ours. */
#pragma once

#include "disks/vhost-message.h"

#include <stddef.h>

struct memory_region {
    uint64_t guest_address, user_address, bytes;
    uint8_t *start; /* where guest_address lies in our memory */
    void *map;
    size_t map_bytes;
};

struct memory_table {
    struct memory_region region[VHOST_REGIONS_MAX];
    unsigned n;
};

/* Maps the regions of a message, whose descriptors stay its own. -EPROTO: a region is empty, runs past the
 * end of its file or of the address space, or overlaps another. */
int memory_table_map(struct memory_table *ret, const struct vhost_memory *m, const int *fds) _must_check_;
void memory_table_unmap(struct memory_table *t);

/* Where `address` of the guest lies here. *bytes, what is wanted, becomes what is there in one piece. NULL:
 * nothing is there. */
uint8_t *memory_at(const struct memory_table *t, uint64_t address, uint64_t *bytes);

/* The same for an address of the front end's process, which is how it names rings; all `bytes` or NULL. */
uint8_t *memory_of_user(const struct memory_table *t, uint64_t address, uint64_t bytes);
