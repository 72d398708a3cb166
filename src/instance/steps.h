/* SPDX-License-Identifier: Apache-2.0 */
/* The engine: an operation is a list of steps, each with what undoes it. The same list serves a dry run, the
 * progress and the unwinding.
 *
 *     steps_add(s, &(struct step){"create volume vg0/..._disk", create_volume, remove_volume, disk});
 *     ...
 *     r = steps_run(s, c, e);
 *
 * steps_run() runs them in order. When one fails, or the user wants to stop, the steps that were done are
 * undone in reverse order, and the first error is the one that is reported. A step that fails has undone its
 * own part. When undoing fails too, the rest is still undone, the sentence says what is left, and the errno
 * becomes ENEEDSRECOVER.
 */
#pragma once

#include "instance/context.h"

struct step {
    char *what; /* for people; owned by the list */
    int (*run)(const struct context *c, void *object, struct error *e);
    int (*undo)(const struct context *c, void *object, struct error *e); /* NULL: nothing to undo */
    void *object;                                                        /* not owned */
};

struct steps;
int steps_new(struct steps **ret, struct error *e) _must_check_;
struct steps *steps_free(struct steps *s);
DEFINE_CLEANUP(struct steps *, steps_free)
#define _cleanup_steps_ _cleanup_(steps_freep)

/* Adds one at the end; its text is formatted. */
int steps_add(struct steps *s, int (*run)(const struct context *, void *, struct error *),
              int (*undo)(const struct context *, void *, struct error *), void *object, struct error *e,
              const char *format, ...) _printf_(6, 7) _must_check_;

int steps_run(struct steps *s, const struct context *c, struct error *e) _must_check_;

/* The texts, for --dry-run. */
size_t steps_count(const struct steps *s);
const char *steps_what(const struct steps *s, size_t i);
