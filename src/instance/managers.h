/* SPDX-License-Identifier: Apache-2.0 */
/* The key managers of one run. Opening one may start a process that logs in somewhere. So each is opened
 * once, when it is first needed, and stays open until the run ends.
 */
#pragma once

#include "keys/keymgr.h"

struct context;

/* A key that is fetched before it is asked for: see keys_fetch_ahead() in keys.h. */
struct key_ahead {
    char ref[KEY_REF_MAX];
    struct secret *secret; /* NULL: it could not be fetched, and `error` says why */
    struct error error;
};

struct key_managers {
    struct keymgr **opened;
    size_t n;
    struct key_ahead *ahead;
    size_t n_ahead;
};

/* Opens the manager of this name, once. It belongs to the context: the caller does not close it. Errors are
 * those of keymgr_open(); after an error the next call tries again. */
int context_keymgr(const struct context *c, const char *name, struct keymgr **ret,
                   struct error *e) _must_check_;

/* Closes all managers, and wipes keys that were fetched ahead. */
void key_managers_end(struct key_managers *all);

/* Wipes keys that were fetched ahead and not used. */
void keys_ahead_end(struct key_managers *all);

/* Hands over the result for a key that was fetched ahead, once: a secret, or an error in `e`. False: it was
 * not fetched ahead. */
bool key_take_ahead(const struct context *c, const char *ref, struct secret **ret,
                    struct error *e) _must_check_;
