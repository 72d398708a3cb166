/* SPDX-License-Identifier: Apache-2.0 */
/* Which instances mayfly list shows. */
#pragma once

#include "cli/list-columns.h"

struct list_filter {
    const char *states;       /* "running,shut-off"; NULL: any */
    const char *volume_group; /* volume group of one of its disks; NULL: any */
    char **patterns;          /* shell patterns for names; or uuids */
    int n_patterns;           /* 0: any */
};

/* Checks states and groups. -EINVAL: no such state, or the group is not configured. Either would list
 * nothing, and look like an answer. */
int list_check_states(const char *states, struct error *e) _must_check_;
int list_check_group(const struct config *c, const char *group, struct error *e) _must_check_;

/* Lists the instances that match, a row each; the caller frees *ret. -ENOENT: no instance has a given name or
 * uuid (without wildcards). */
int list_filter(const struct model *m, const struct list_filter *f, struct list_row **ret, size_t *ret_n,
                struct error *e) _must_check_;
