/* SPDX-License-Identifier: Apache-2.0 */
/* The volume group that something is to be made in, and its room. */
#pragma once

#include "broker/inventory.h"

/* The group of this name (NULL: the first configured), whole and Mayfly's to use. -EINVAL, -ENOENT, -ENODEV.
 */
int group_find(const struct config *c, const struct inventory *i, const char *vg, const struct group **ret,
               struct error *e) _must_check_;

/* What LVM makes of `bytes`: whole extents. */
uint64_t group_round_up(const struct group *g, uint64_t bytes);

/* How many more disks LVM's metadata certainly has room for. LVM counts as free the room for the next
 * version, which it writes beside the last one. */
uint64_t group_room_disks(const struct group *g);

/* -ENOSPC: no room for `n_disks` disks of `bytes` together, or in LVM's metadata for their tags. */
int group_check_room(const struct group *g, uint64_t bytes, uint64_t n_disks, struct error *e) _must_check_;
