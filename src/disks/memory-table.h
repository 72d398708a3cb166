/* SPDX-License-Identifier: Apache-2.0 */
/* The guest's memory, which the front end shares, mapped here. Only this table turns addresses of the guest
 * into addresses of this process. */
#pragma once

#include "disks/vhost-message.h"

#include <stddef.h>

struct memory_region {
    uint64_t guest_address, user_address, bytes;
    uint8_t *start; /* where guest_address is mapped here */
    void *map;
    size_t map_bytes;
};

struct memory_table {
    struct memory_region region[VHOST_REGIONS_MAX];
    unsigned n;
};

/* Maps the regions of a message, which keeps its descriptors. -EPROTO: a region is empty, runs past the end
 * of its file or of the address space, or overlaps another. */
int memory_table_map(struct memory_table *ret, const struct vhost_memory *m, const int *fds) _must_check_;
void memory_table_unmap(struct memory_table *t);

/* Returns where the guest's `address` is mapped here. *bytes, as wanted, becomes the number of bytes that are
 * contiguous there. NULL: the guest has no memory there. */
uint8_t *memory_at(const struct memory_table *t, uint64_t address, uint64_t *bytes);

/* Does the same for an address in the front end's process, by which it names rings. NULL: not all `bytes` are
 * there. */
uint8_t *memory_of_user(const struct memory_table *t, uint64_t address, uint64_t bytes);
