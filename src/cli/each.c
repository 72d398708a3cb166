/* SPDX-License-Identifier: Apache-2.0 */
/* See each.h. */
#include "cli/each.h"

#include "base/clock.h"
#include "base/log.h"
#include "cli/confirm.h"
#include "cli/outcomes.h"

#include <stdio.h>

/* Size of ", its key is gone": the fate of the key, for people. */
#define DETAIL_MAX 128
static void tell_key(const struct key_end *key, const char *whose, char ret[DETAIL_MAX])
{
    switch (key->fate) {
    case KEY_FATE_GONE:
        snprintf(ret, DETAIL_MAX, ", its %s is gone", whose);
        break;
    case KEY_FATE_STAYS:
        snprintf(ret, DETAIL_MAX, ", its %s stays for %zu other%s", whose, key->n_others,
                 key->n_others == 1 ? "" : "s");
        break;
    case KEY_FATE_CALLERS:
        snprintf(ret, DETAIL_MAX, ", its %s is the caller's, and stays", whose);
        break;
    case KEY_FATE_LEFT:
        snprintf(ret, DETAIL_MAX,
                 ", its %s belongs to another user and was left: mayfly recover of that user destroys it",
                 whose);
        break;
    case KEY_FATE_FORGOTTEN:
        snprintf(ret, DETAIL_MAX, ", its %s was NOT destroyed", whose);
        break;
    default:
        snprintf(ret, DETAIL_MAX, ", it had no key: its disks were not encrypted");
    }
}

/* One run over several names. */
struct run {
    const struct each *each;
    const struct context *context;
    const void *options;
    struct outcomes *outcomes; /* NULL: output is for people */
};

/* Prints or notes the outcome of one object. The first error is printed at the end. */
static void tell_outcome(const struct run *run, const char *name, bool changed, const struct key_end *key,
                         uint64_t start_msec, const struct error *one, struct error *e)
{
    const struct each *each = run->each;
    char detail[DETAIL_MAX] = "";
    if (run->outcomes)
        outcomes_add(run->outcomes, name, changed, each->whose_key ? key : NULL, one);
    if (one->errnum && e->errnum)
        log_error("%s", one->text);
    else if (one->errnum)
        error_pass(e, one->errnum, one);
    if (one->errnum || run->outcomes || log_is_quiet())
        return;
    if (each->whose_key && changed)
        tell_key(key, each->whose_key, detail);
    printf("%s: %s%s (%.2f s)\n", name, changed ? each->done : each->unchanged, detail,
           (double)(clock_msec() - start_msec) / 1000);
}

static void prepare(const struct run *run, char **names, int n)
{
    int max = run->each->prepare_max;
    run->each->prepare(run->context, run->options, (const char *const *)names, (size_t)(n < max ? n : max));
}

static int do_each(const struct run *run, char **names, int n, struct error *e)
{
    const struct each *each = run->each;
    for (int i = 0; i < n; i++) {
        struct error one = ERROR_NONE;
        bool changed = false;
        uint64_t start_msec = clock_msec();
        if (each->prepare && i % each->prepare_max == 0)
            prepare(run, names + i, n - i);
        int r = each->operate(run->context, run->options, names[i], &changed, &one);
        tell_outcome(run, names[i], changed, each->key, start_msec, &one, e);
        if (r == -ECANCELED)
            return error_pass(e, r, &one);
    }
    return e->errnum;
}

/* True if an object was begun. Those that were not when the user stopped the run are not mentioned. */
static bool was_begun(const struct outcome *o)
{
    return o->changed || (o->error.errnum && o->error.errnum != -ECANCELED);
}

static int do_some(const struct run *run, char **names, int n, struct error *e)
{
    struct error why = ERROR_NONE;
    uint64_t start_msec = clock_msec();
    _cleanup_free_ struct outcome *done = calloc((size_t)n, sizeof *done);
    if (!done)
        return error_memory(e);
    int r =
        run->each->operate_all(run->context, run->options, (const char *const *)names, (size_t)n, done, &why);
    if (r == -ECANCELED)
        error_pass(e, r, &why);
    for (int i = 0; i < n; i++)
        if (r != -ECANCELED || was_begun(&done[i]))
            tell_outcome(run, names[i], done[i].changed, &done[i].key, start_msec, &done[i].error, e);
    return r < 0 ? error_pass(e, r, &why) : 0;
}

static int do_all(const struct run *run, char **names, int n, struct error *e)
{
    int at_once = run->each->at_once ? run->each->at_once : n;
    for (int i = 0; i < n; i += at_once)
        if (do_some(run, names + i, n - i < at_once ? n - i : at_once, e) == -ECANCELED)
            return -ECANCELED;
    return e->errnum;
}

int each_do(const struct each *each, struct globals *g, const struct context *c, const void *options,
            char **names, int n, struct error *e)
{
    _cleanup_outcomes_ struct outcomes outcomes;
    const struct run run = {each, c, options, g->json ? &outcomes : NULL};
    outcomes_begin(&outcomes);
    int r = (each->operate_all ? do_all : do_each)(&run, names, n, e);
    int given = g->json ? outcomes_give(&outcomes, g, each->names_keys ? NULL : c, e) : 0;
    return r < 0 ? r : given;
}

/* -------------------------------------------------------------------- --all */

int each_check_all(const struct verb *self, bool all, int n, struct error *e)
{
    if (all == (n == 0))
        return 0;
    return error_set(e, -EINVAL, "%s: name the instances, or use --all", self->name);
}

bool each_is_whole(const struct context *c, const struct instance *i)
{
    if (i->volumes[0]->state == VOLUME_READY)
        return true;
    report_warning(c, "instance %s: is %s, and is left out", i->name, instance_state_name(i));
    return false;
}

/* Returns the name, or the uuid if another instance has the same name; instances are sorted by name. */
static char *name_of(const struct model *m, size_t i)
{
    struct instance *one = &m->instances[i];
    bool shared = (i > 0 && streq(one[-1].name, one->name)) ||
                  (i + 1 < m->n_instances && streq(one[1].name, one->name));
    return shared ? one->uuid : one->name;
}

int each_do_all(const struct each *each, struct globals *g, const struct context *c, const void *options,
                struct error *e)
{
    _cleanup_model_ struct model *m = NULL;
    int r = model_load(c, &m, e);
    if (r < 0)
        return r;
    _cleanup_free_ char **names = calloc(m->n_instances + 1, sizeof *names);
    int n = 0;
    if (!names)
        return error_memory(e);
    for (size_t i = 0; i < m->n_instances; i++)
        if (each->picks(c, m, &m->instances[i]))
            names[n++] = name_of(m, i);
    return each_do(each, g, c, options, names, n, e);
}

/* ------------------------------------------------------------- confirmation */

static int confirm(const struct each *each, const struct verb *self, const struct context *c, char **names,
                   int n, struct error *e)
{
    _cleanup_model_ struct model *m = NULL;
    int r = each->names_keys ? 0 : model_load(c, &m, e);
    if (r < 0)
        return r;
    fprintf(stderr, "%s:\n", each->what);
    if (m)
        confirm_name_instances(m, names, n);
    for (int i = 0; !m && i < n; i++)
        fprintf(stderr, "  %s\n", names[i]);
    return confirm_ask(self->name, c, each->price, e);
}

int each_run(const struct each *each, const struct verb *self, struct globals *g, const void *options,
             bool yes, char **names, int n, struct error *e)
{
    _cleanup_session_ struct session *s = NULL;
    bool ask = each->what && !yes;
    int r = ask ? confirm_possible(self->name, e) : 0;
    if (r == 0)
        r = session_open(g, each->virt, &s, e);
    if (r == 0 && ask)
        r = confirm(each, self, &s->context, names, n, e);
    if (r < 0)
        return r;
    return n == 0 && each->picks ? each_do_all(each, g, &s->context, options, e)
                                 : each_do(each, g, &s->context, options, names, n, e);
}
