/* SPDX-License-Identifier: Apache-2.0 */
/* Everything in a domain's XML that may be a path of this host, found without parsing: text that begins with
 * '/' after a quote, '=', ',', ':' or '>'. That includes more than disks: backing chains, mirrors, data
 * files, host devices, arguments for QEMU, and future elements. */
#pragma once

#include "base/error.h"
#include "base/str.h"

struct hook_paths {
    char **path;
    size_t n;
};

/* Finds the paths in `xml`, and those of volumes in storage pools whose definition names a folder. The caller
 * ends *ret, also after an error. Fails only if memory ran out. */
int hook_paths_find(const char *xml, struct hook_paths *ret, struct error *e) _must_check_;
void hook_paths_end(struct hook_paths *p);
#define _cleanup_hook_paths_ _cleanup_(hook_paths_end)

/* Finds the first <uuid> in the XML; "" if there is none. */
void hook_paths_uuid(const char *xml, char uuid[UUID_TEXT]);
