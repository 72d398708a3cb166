/* SPDX-License-Identifier: Apache-2.0 */
/* For verbs that do one thing to each named object: each is tried, whatever became of the others, and the
 * first error decides the exit status. */
#pragma once

#include "cli/session.h"
#include "cli/verb.h"
#include "instance/operations.h"

struct each {
    const char *done;      /* "started" */
    const char *unchanged; /* "was running" */
    enum session_virt virt;
    const char *what;  /* the question: "Destroy the keys and disks of"; NULL: none is asked */
    const char *price; /* the loss: "Their data is lost for good." */

    /* `options` are those that the verb has read. */
    int (*operate)(const struct context *c, const void *options, const char *name, bool *ret_changed,
                   struct error *e);

    const char *whose_key;     /* the key that is destroyed: "key", "old key"; NULL: none */
    const struct key_end *key; /* what became of the key; filled in by `operate` */
    bool names_keys;           /* the names are keys, not instances */

    /* Called before `operate`, for the next `prepare_max` objects; may be NULL. */
    void (*prepare)(const struct context *c, const void *options, const char *const names[], size_t n);
    int prepare_max;

    /* Whether --all includes this instance. NULL: the verb has no --all. */
    bool (*picks)(const struct context *c, const struct model *m, const struct instance *i);

    /* Called instead of `operate`, for `at_once` objects at a time; 0: for all. */
    int (*operate_all)(const struct context *c, const void *options, const char *const names[], size_t n,
                       struct outcome ret[], struct error *e);
    int at_once;
};

/* Operates on the `n` names. */
int each_do(const struct each *each, struct globals *g, const struct context *c, const void *options,
            char **names, int n, struct error *e) _must_check_;

/* Operates on all instances that each->picks(). */
int each_do_all(const struct each *each, struct globals *g, const struct context *c, const void *options,
                struct error *e) _must_check_;

/* True unless the instance is being made or destroyed, which gives a warning. For picks(). */
bool each_is_whole(const struct context *c, const struct instance *i);

/* Refuses (-EINVAL) neither names nor --all, or both. */
int each_check_all(const struct verb *self, bool all, int n, struct error *e) _must_check_;

/* Asks for confirmation, unless `yes`; then operates on the `n` names, or (0) on all that each->picks().
 * -EINVAL: not confirmed, or no terminal. */
int each_run(const struct each *each, const struct verb *self, struct globals *g, const void *options,
             bool yes, char **names, int n, struct error *e) _must_check_;
