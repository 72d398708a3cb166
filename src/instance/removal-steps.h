/* SPDX-License-Identifier: Apache-2.0 */
/* The steps of a removal; private to removal*.c.
 *
 * A step is done for a list of removals; its object is the first of the list. A removal whose step failed
 * keeps the error, and later steps skip it. The step itself fails once no removal is left.
 */
#pragma once

#include "instance/removal.h"

/* Skip removals that have failed. */
step_fn removal_remove_snapshots, removal_doom_leads, removal_doom_others, removal_end_domains,
    removal_settle_domains, removal_restore_definitions, removal_detach_disks, removal_close_maps,
    removal_destroy_keys, removal_remove_volumes;

/* ---- removal-domains.c: what happens to the domain. */

/* Returns the domain if it is removed too. NULL: there is none, or it is not Mayfly's, or only a disk is
 * removed. */
const struct domain *removal_domain(const struct removal *r);

/* True if only the rescue disk is removed. The instance stays then, with its key, even if none of its own
 * disks is seen now. */
bool removal_ends_rescue(const struct removal *r);

/* True if the domain stays, and gets the definition back that it had before its rescue. */
bool removal_restores_definition(const struct removal *r);

/* True if the domain stays, and loses the disks. */
bool removal_detaches_disks(const struct removal *r);

/* ---- removal-list.c: how a step is done for the list. */

/* The removals that an act is for: one, or (`only` NULL) all of the list; never one that has failed. */
struct removals {
    const struct removal *first, *only;
};

/* Notes the error, unless `result` is 0; `why` may be without a sentence. */
void removal_fail(struct removal *r, int result, const struct error *why);

/* Returns 0 if a removal is left; else the error of the first. */
int removals_result(const struct removal *first, struct error *e) _must_check_;

/* Does an act for all at once. If that fails it is done again for each alone, which shows whose fault it was:
 * every act may be repeated. */
typedef int removals_fn(const struct context *c, const struct removals *which, struct error *e);
int removals_at_once(const struct context *c, struct removal *first, removals_fn *act,
                     struct error *e) _must_check_;

typedef int removal_fn(const struct context *c, const struct removal *r, struct error *e);
int removals_one_by_one(const struct context *c, struct removal *first, removal_fn *act,
                        struct error *e) _must_check_;

/* Lists their volumes for which `wanted` (NULL: all) is true; the caller frees *ret. */
int removals_volumes(const struct removals *which, bool (*wanted)(const struct removal *r, size_t index),
                     const struct volume ***ret, size_t *ret_n, struct error *e) _must_check_;
