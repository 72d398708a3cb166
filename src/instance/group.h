/* SPDX-License-Identifier: Apache-2.0 */
/* Room in a volume group, before something is made there. */
#pragma once

#include "broker/inventory.h"

/* What LVM makes of `bytes`: whole extents. */
uint64_t group_round_up(const struct group *g, uint64_t bytes);

/* -ENOSPC: no room for `n_disks` disks of `bytes` together, or in LVM's metadata for their tags. */
int group_check_room(const struct group *g, uint64_t bytes, uint64_t n_disks, struct error *e) _must_check_;
