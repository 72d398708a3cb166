/* SPDX-License-Identifier: Apache-2.0 */
/* The engine: an operation is a list of steps, each with its undo. The same list serves the dry run, the
 * progress and the unwinding.
 *
 *     r = steps_add(s, create_volume, remove_volume, disk, e, "create volume %s/%s", vg, lv);
 *     ...
 *     r = steps_run(s, c, e);
 *
 * steps_run() runs them in order. When one fails, or the user wants to stop, they are undone in reverse
 * order, and the first error is the one that is reported. The step that failed is undone as well, since it
 * may have had its effect before it failed. So an undo must cope with a step that did nothing, or a part.
 *
 * When an undo fails, the rest is still undone, the sentence says what is left, and the errno becomes
 * ENEEDSRECOVER. A keystone is the exception: if it cannot be undone, the steps before it are not, so that
 * recover finds enough to understand the case.
 *
 * Slow calls to others, such as libvirt, are made for several objects at once: steps_add_at_once(). Several
 * lists, of an instance each, can go on side by side: steps_run_many().
 */
#pragma once

#include "instance/context.h"

/* The work of a step, or its undoing. The object is the operation's own: the list does not own it. A step
 * that is a point of no return calls context_hold_stop(). */
typedef int step_fn(const struct context *c, void *object, struct error *e);

struct steps;
int steps_new(struct steps **ret, struct error *e) _must_check_;
struct steps *steps_free(struct steps *s);
DEFINE_CLEANUP(struct steps *, steps_free)
#define _cleanup_steps_ _cleanup_(steps_freep)

/* Adds a step at the end; the formatted text is for people. `undo` NULL: there is nothing to undo. */
int steps_add(struct steps *s, step_fn *run, step_fn *undo, void *object, struct error *e, const char *format,
              ...) _printf_(6, 7) _must_check_;

/* As steps_add(), for a keystone: until this step is undone, the steps before it must stay. */
int steps_add_keystone(struct steps *s, step_fn *run, step_fn *undo, void *object, struct error *e,
                       const char *format, ...) _printf_(6, 7) _must_check_;

/* As steps_add(), for what can be done for several objects at once: with those of the next steps that are the
 * same, and of other lists. The error of each is its own, and says whether it went well: errnum 0. */
#define STEPS_AT_ONCE VIRT_AT_ONCE
typedef void steps_fn(const struct context *c, void *const objects[], size_t n, struct error why[]);
int steps_add_at_once(struct steps *s, steps_fn *run, step_fn *undo, void *object, struct error *e,
                      const char *format, ...) _printf_(6, 7) _must_check_;

int steps_run(struct steps *s, const struct context *c, struct error *e) _must_check_;

/* Runs `n` lists. One after the other goes on up to its next step that can be done for several at once; that
 * is done for STEPS_AT_ONCE of them at a time. A list that fails is undone, and the others go on.
 * Fills in why[n]; errnum 0: it went well. */
void steps_run_many(struct steps *const lists[], size_t n, const struct context *c, struct error why[]);

/* The texts, for --dry-run; they may be read when the objects of the steps are gone. */
size_t steps_count(const struct steps *s);
const char *steps_what(const struct steps *s, size_t i);
