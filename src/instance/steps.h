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
 * When an undo fails, the other steps are still undone, the sentence says what is left, and the errno becomes
 * ENEEDSRECOVER. An anchor is the exception: if it cannot be undone, the steps before it are not undone
 * either, so that recover finds enough to understand the case.
 *
 * Slow calls, such as libvirt's, are made for several objects at once: steps_add_at_once(). Several lists,
 * one for each instance, can run side by side: steps_run_many().
 */
#pragma once

#include "instance/context.h"

/* Does the work of a step, or undoes it. The operation owns the object, not the list. A step that is a point
 * of no return calls context_hold_stop(). */
typedef int step_fn(const struct context *c, void *object, struct error *e);

struct steps;
int steps_new(struct steps **ret, struct error *e) _must_check_;
struct steps *steps_free(struct steps *s);
DEFINE_CLEANUP(struct steps *, steps_free)
#define _cleanup_steps_ _cleanup_(steps_freep)

/* Hands the list over to whoever asked for it, for --dry-run. `ret` NULL: nobody did. */
static inline void steps_hand_over(struct steps **s, struct steps **ret)
{
    if (ret)
        *ret = TAKE_PTR(*s);
}

/* Adds a step at the end; the formatted text is for people. `undo` NULL: there is nothing to undo. */
int steps_add(struct steps *s, step_fn *run, step_fn *undo, void *object, struct error *e, const char *format,
              ...) _printf_(6, 7) _must_check_;

/* Adds a step as steps_add() does, but an anchor: until it is undone, the steps before it must stay. */
int steps_add_anchor(struct steps *s, step_fn *run, step_fn *undo, void *object, struct error *e,
                     const char *format, ...) _printf_(6, 7) _must_check_;

/* Adds a step as steps_add() does, but one that is done for several objects at once: those of the same steps
 * that follow in the list, and of other lists. Each object has its error; errnum 0: it went well. */
#define STEPS_AT_ONCE VIRT_AT_ONCE
typedef void steps_fn(const struct context *c, void *const objects[], size_t n, struct error why[]);
int steps_add_at_once(struct steps *s, steps_fn *run, step_fn *undo, void *object, struct error *e,
                      const char *format, ...) _printf_(6, 7) _must_check_;

int steps_run(struct steps *s, const struct context *c, struct error *e) _must_check_;

/* Runs `n` lists. Each runs up to its next step that is done for several objects at once; then that step is
 * done for STEPS_AT_ONCE objects at a time. A list that fails is undone, and the others go on. Fills in
 * why[n]; errnum 0: the list went well. */
void steps_run_many(struct steps *const lists[], size_t n, const struct context *c, struct error why[]);

/* Return the texts, for --dry-run; they outlive the objects of the steps. */
size_t steps_count(const struct steps *s);
const char *steps_what(const struct steps *s, size_t i);
