/* SPDX-License-Identifier: Apache-2.0 */
/* Volumes with the names of instances' disks in volume groups that are not configured: of a group that was
 * split or got another name, say. The broker reads nothing of such groups, so nobody sees their tags. But the
 * kernel tells everybody the names of volumes that are active.
 */
#pragma once

#include "config/config.h"
#include "storage/lineage.h"

/* Calls `found` for each, until it returns false. `root` is "", or for tests the folder in whose "sys" the
 * kernel's /sys is found. */
void elsewhere_each(const char *root, const struct config_list *groups,
                    bool (*found)(void *data, const struct reached *volume), void *data);
