/* SPDX-License-Identifier: Apache-2.0 */
/* The key managers of one run. To open one may start a process that logs in somewhere, so each is opened
 * once, when it is first needed, and stays open until the run ends.
 */
#pragma once

#include "keys/keymgr.h"

struct context;

struct key_managers {
    struct keymgr **opened;
    size_t n;
};

/* The one of this name. It belongs to the context: the caller does not close it. Errors are those of
 * keymgr_open(); what failed is tried anew the next time. */
int context_keymgr(const struct context *c, const char *name, struct keymgr **ret,
                   struct error *e) _must_check_;

/* Closes them all. */
void key_managers_end(struct key_managers *all);
