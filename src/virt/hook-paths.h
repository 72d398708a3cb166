/* SPDX-License-Identifier: Apache-2.0 */
/* All that the XML of a domain could mean by a path of this host, found without parsing it: whatever begins
 * with
 * '/' behind a quote, '=', ',', ':' or '>'. That is more than its disks: backing chains, mirrors, data files,
 * host devices, and arguments that libvirt passes on to QEMU are there too, and whatever comes next. */
#pragma once

#include "base/error.h"
#include "base/str.h"

struct hook_paths {
    char **path;
    size_t n;
};

/* The paths in `xml`, and those that volumes of storage pools have, as far as the definition of the pool
 * tells. *ret is to be ended, also after an error, which only is that of memory. */
int hook_paths_find(const char *xml, struct hook_paths *ret, struct error *e) _must_check_;
void hook_paths_end(struct hook_paths *p);
#define _cleanup_hook_paths_ _cleanup_(hook_paths_end)

/* The first <uuid> in it; "" if there is none. */
void hook_paths_uuid(const char *xml, char uuid[UUID_TEXT]);
