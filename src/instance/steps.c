/* SPDX-License-Identifier: Apache-2.0 */
/* A list of steps, run forwards and undone backwards. It knows nothing of instances.
 *
 *     run:   1 -> 2 -> 3 -> 4 fails
 *     undo:  4 <- 3 <- 2 <- 1, whatever fails on the way; but a keystone that cannot be undone ends it
 */
#include "instance/steps.h"

#include <stdarg.h>

struct step {
    char *what;
    step_fn *run;
    step_fn *undo;
    void *object;
    bool keystone;
};

struct steps {
    struct step *step;
    size_t n, room;
};

int steps_new(struct steps **ret, struct error *e)
{
    struct steps *s = calloc(1, sizeof *s);
    if (!s)
        return error_memory(e);
    *ret = s;
    return 0;
}

struct steps *steps_free(struct steps *s)
{
    if (s) {
        for (size_t i = 0; i < s->n; i++)
            free(s->step[i].what);
        free(s->step);
        free(s);
    }
    return NULL;
}

static __attribute__((format(printf, 4, 0))) int add(struct steps *s, const struct step *new, struct error *e,
                                                     const char *format, va_list ap)
{
    if (s->n == s->room) {
        size_t room = s->room ? s->room * 2 : 16;
        struct step *bigger = reallocarray(s->step, room, sizeof *bigger);
        if (!bigger)
            return error_memory(e);
        s->step = bigger;
        s->room = room;
    }
    char *what = str_vformat(format, ap);
    if (!what)
        return error_memory(e);
    s->step[s->n] = *new;
    s->step[s->n++].what = what;
    return 0;
}

int steps_add(struct steps *s, step_fn *run, step_fn *undo, void *object, struct error *e, const char *format,
              ...)
{
    va_list ap;
    va_start(ap, format);
    int r = add(s, &(struct step){.run = run, .undo = undo, .object = object}, e, format, ap);
    va_end(ap);
    return r;
}

int steps_add_keystone(struct steps *s, step_fn *run, step_fn *undo, void *object, struct error *e,
                       const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    int r =
        add(s, &(struct step){.run = run, .undo = undo, .object = object, .keystone = true}, e, format, ap);
    va_end(ap);
    return r;
}

/* Undoes steps `n` - 1 to 0. Returns `r`, or -ENEEDSRECOVER with the first thing that is left. */
static int unwind(const struct steps *s, size_t n, const struct context *c, int r, struct error *e)
{
    bool whole = true;
    for (size_t i = n; i-- > 0;) {
        const struct step *step = &s->step[i];
        struct error why = ERROR_NONE;
        if (!step->undo)
            continue;
        report_step(c, "undo: %s", step->what);
        if (step->undo(c, step->object, &why) == 0)
            continue;
        if (whole)
            error_append(e, "; then it could not be undone: %s: %s; run mayfly recover", step->what,
                         why.text);
        whole = false;
        if (step->keystone)
            break;
    }
    if (whole)
        return r;
    if (e)
        e->errnum = -ENEEDSRECOVER;
    return -ENEEDSRECOVER;
}

static int run(struct steps *s, const struct context *c, struct error *e)
{
    for (size_t i = 0; i < s->n; i++) {
        if (context_stopped(c)) {
            int r = error_set(e, -ECANCELED, "%s: stopped before this step", s->step[i].what);
            return unwind(s, i, c, r, e);
        }
        report_step(c, "%s", s->step[i].what);
        int r = s->step[i].run(c, s->step[i].object, e);
        if (r < 0) {
            error_set(e, r, "%s: failed: %s", s->step[i].what, strerror(-r));
            return unwind(s, i + 1, c, r, e);
        }
    }
    return 0;
}

int steps_run(struct steps *s, const struct context *c, struct error *e)
{
    int r = run(s, c, e);
    context_heed_stop(c);
    return r;
}

size_t steps_count(const struct steps *s)
{
    return s->n;
}

const char *steps_what(const struct steps *s, size_t i)
{
    return s->step[i].what;
}
