/* SPDX-License-Identifier: Apache-2.0 */
/* Keeps a domain from the volume below an encrypted disk, and from the disks of another instance. Devices are
 * compared by number, never by name: see storage/lineage.h.
 *
 *     XML --hook_paths_find--> paths --stat--> numbers --lineage_of--> maps: refused; volumes: by their tags
 */
#pragma once

#include "broker/inventory.h"
#include "storage/lineage.h"
#include "virt/hook-paths.h"

struct guard {
    char uuid[UUID_TEXT]; /* of the domain; "": not known */
    struct found_device {
        char *path; /* as in the domain's XML */
        struct reached reached;
    } * found;
    size_t n;
};

/* Finds the devices that the domain of this XML would reach. Call it as root if possible: other users cannot
 * follow every path. The caller ends *ret, also after an error (out of memory). */
int guard_look(const char *xml, struct guard *ret, struct error *e) _must_check_;
void guard_end(struct guard *g);
#define _cleanup_guard_ _cleanup_(guard_end)

/* Checks the maps, with /sys alone. -EUNSAFE: the domain would have an open disk of another instance. */
int guard_check_maps(const struct guard *g, const char *name, struct error *e) _must_check_;

/* Checks the volumes. -EUNSAFE: the domain would have the volume below an encrypted disk, or a plain disk of
 * another instance. */
int guard_check_volumes(const struct guard *g, const struct inventory *i, const char *name,
                        struct error *e) _must_check_;
