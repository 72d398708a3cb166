/* SPDX-License-Identifier: Apache-2.0 */
/* A list of steps, run forwards and undone backwards. It knows nothing of instances.
 *
 *     run:   1 -> 2 -> 3 -> 4 fails
 *     undo:  4 <- 3 <- 2 <- 1, whatever fails on the way; but an anchor that cannot be undone ends it
 *
 * Several:   1a -> 2a    1b -> 2b    1c -> 2c    3a,b,c at once    4a    4b    4c
 */
#include "instance/steps.h"

#include <stdarg.h>

struct step {
    char *what;
    step_fn *run;
    steps_fn *run_at_once; /* either this or `run` */
    step_fn *undo;
    void *object;
    bool anchor;
};

struct steps {
    struct step *step;
    size_t n, room;
    size_t next; /* step to be run; n: the list has ended */
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

int steps_add_anchor(struct steps *s, step_fn *run, step_fn *undo, void *object, struct error *e,
                     const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    int r = add(s, &(struct step){.run = run, .undo = undo, .object = object, .anchor = true}, e, format, ap);
    va_end(ap);
    return r;
}

int steps_add_at_once(struct steps *s, steps_fn *run, step_fn *undo, void *object, struct error *e,
                      const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    int r = add(s, &(struct step){.run_at_once = run, .undo = undo, .object = object}, e, format, ap);
    va_end(ap);
    return r;
}

/* Undoes the first `n` steps, and ends the list. If an undo fails, the error becomes ENEEDSRECOVER. */
static void unwind(struct steps *s, size_t n, const struct context *c, struct error *e)
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
        if (step->anchor)
            break;
    }
    if (!whole)
        e->errnum = -ENEEDSRECOVER;
    s->next = s->n;
}

/* Begins the next step. False: the user wants to stop; all is undone. */
static bool begin(struct steps *s, const struct context *c, struct error *e)
{
    const char *what = s->step[s->next].what;
    if (context_stopped(c)) {
        error_set(e, -ECANCELED, "%s: stopped before this step", what);
        unwind(s, s->next, c, e);
        return false;
    }
    report_step(c, "%s", what);
    return true;
}

/* Notes the result `r` of the next `n` steps; `failed`: the first step that failed, if one did. */
static void conclude(struct steps *s, size_t n, size_t failed, int r, const struct context *c,
                     struct error *e)
{
    if (r < 0) {
        error_set(e, r, "%s: failed: %s", s->step[failed].what, strerror(-r));
        e->errnum = r;
        unwind(s, s->next + n, c, e);
    } else
        s->next += n;
}

static bool is_at_common_step(const struct steps *s)
{
    return s->next < s->n && s->step[s->next].run_at_once;
}

/* Runs the list up to its end, or to a step that is done for several objects at once. */
static void go_on(struct steps *s, const struct context *c, struct error *e)
{
    while (s->next < s->n && !is_at_common_step(s) && begin(s, c, e)) {
        const struct step *step = &s->step[s->next];
        conclude(s, 1, s->next, step->run(c, step->object, e), c, e);
    }
}

/* Steps that are done at once; the steps of one list stand side by side. */
struct batch {
    struct one_of_many {
        size_t list, step;
    } of[STEPS_AT_ONCE];
    size_t n;
};

/* Adds the next steps of the list that do the same, while there is room. */
static void take_from(struct steps *s, size_t list, steps_fn *run, const struct context *c, struct batch *g)
{
    for (size_t i = s->next; i < s->n && s->step[i].run_at_once == run && g->n < STEPS_AT_ONCE; i++) {
        if (i > s->next)
            report_step(c, "%s", s->step[i].what);
        g->of[g->n++] = (struct one_of_many){list, i};
    }
}

/* Begins the next steps of the lists that wait with the same step. */
static struct batch take_waiting(struct steps *const lists[], size_t n, const struct context *c,
                                 struct error why[])
{
    struct batch g = {.n = 0};
    steps_fn *run = NULL;
    for (size_t i = 0; g.n < STEPS_AT_ONCE && i < n; i++) {
        struct steps *s = lists[i];
        if (!is_at_common_step(s) || (run && s->step[s->next].run_at_once != run) || !begin(s, c, &why[i]))
            continue;
        run = s->step[s->next].run_at_once;
        take_from(s, i, run, c, &g);
    }
    return g;
}

static void do_at_once(struct steps *const lists[], const struct batch *g, const struct context *c,
                       struct error why[])
{
    struct error errors[STEPS_AT_ONCE];
    void *objects[STEPS_AT_ONCE];
    for (size_t i = 0; i < g->n; i++) {
        objects[i] = lists[g->of[i].list]->step[g->of[i].step].object;
        errors[i] = ERROR_NONE;
    }
    lists[g->of[0].list]->step[g->of[0].step].run_at_once(c, objects, g->n, errors);
    for (size_t i = 0, end; i < g->n; i = end) {
        size_t list = g->of[i].list, failed = i;
        for (end = i; end < g->n && g->of[end].list == list; end++)
            if (!errors[failed].errnum)
                failed = end;
        why[list] = errors[failed];
        conclude(lists[list], end - i, g->of[failed].step, errors[failed].errnum, c, &why[list]);
        go_on(lists[list], c, &why[list]);
    }
}

void steps_run_many(struct steps *const lists[], size_t n, const struct context *c, struct error why[])
{
    struct batch g;
    for (size_t i = 0; i < n; i++) {
        why[i] = ERROR_NONE;
        lists[i]->next = 0;
        go_on(lists[i], c, &why[i]);
    }
    while ((g = take_waiting(lists, n, c, why)).n > 0)
        do_at_once(lists, &g, c, why);
    context_heed_stop(c);
}

int steps_run(struct steps *s, const struct context *c, struct error *e)
{
    struct error why;
    steps_run_many(&s, 1, c, &why);
    return why.errnum ? error_pass(e, why.errnum, &why) : 0;
}

size_t steps_count(const struct steps *s)
{
    return s->n;
}

const char *steps_what(const struct steps *s, size_t i)
{
    return s->step[i].what;
}
