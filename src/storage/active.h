/* SPDX-License-Identifier: Apache-2.0 */
/* Active volumes with the names of instances' disks, of any volume group. The kernel shows them to everybody;
 * the broker reads only configured groups, and LVM does not know a device whose volume is gone. */
#pragma once

#include "config/config.h"
#include "storage/lineage.h"

#define DM_NAME_MAX 128

struct active {
    struct reached volume;
    char device[DM_NAME_MAX]; /* in /dev/mapper; a volume may have several, as one with snapshots has */
};

struct active_list {
    struct active *all;
    size_t n;
};

/* Loads the list. `root` is "", or for tests the folder whose "sys" stands for /sys. Skips what cannot be
 * read there: everybody can read the kernel's /sys. -ENOMEM. */
int active_load(const char *root, struct active_list *ret, struct error *e) _must_check_;
void active_end(struct active_list *l);
#define _cleanup_active_ _cleanup_(active_end)

/* Whether its volume group is none of these. */
bool active_elsewhere(const struct active *a, const struct config_list *groups);
