/* SPDX-License-Identifier: Apache-2.0 */
/* The volume group for new disks, and its room. */
#pragma once

#include "broker/inventory.h"

/* Finds the group of this name (NULL: the first configured); it must be whole and configured. -EINVAL,
 * -ENOENT, -ENODEV. */
int group_find(const struct config *c, const struct inventory *i, const char *vg, const struct group **ret,
               struct error *e) _must_check_;

/* Returns the size that LVM makes of `bytes`: whole extents. */
uint64_t group_round_up(const struct group *g, uint64_t bytes);

/* Returns the number of further disks that LVM's metadata certainly has room for. LVM writes the next version
 * beside the current one, and counts the room for that as free. */
uint64_t group_room_disks(const struct group *g);

/* Checks the room. -ENOSPC: none for `n_disks` disks of `bytes` together, or for their tags in LVM's
 * metadata. */
int group_check_room(const struct group *g, uint64_t bytes, uint64_t n_disks, struct error *e) _must_check_;
