/* SPDX-License-Identifier: Apache-2.0 */
/* Runs verbs that do the same to several instances: these are looked up and locked together, and their steps
 * run side by side. Each has its own outcome, undo and entry in the audit trail. */
#pragma once

#include "instance/disks.h"
#include "instance/operations.h"

struct together {
    const char *verb; /* for the audit trail */
    enum map_use use; /* use of the opened disks */

    /* Checks an instance that is ready, fills in its disks (which have that `use` already), and adds its
     * steps; no steps: there is nothing to do. */
    int (*plan)(const struct context *c, const struct model *m, const struct instance *i, struct disks *d,
                struct steps *s, struct error *e);
};

/* Fills in ret[n], of at most TOGETHER_MAX; returns the first error, or -ECANCELED. */
int instances_together(const struct context *c, const struct together *t, const char *const names[], size_t n,
                       struct outcome ret[], struct error *e) _must_check_;

/* Runs the verb for one instance. */
int instance_together(const struct context *c, const struct together *t, const char *name, bool *ret_changed,
                      struct error *e) _must_check_;
