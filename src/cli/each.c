/* SPDX-License-Identifier: Apache-2.0 */
/* See each.h. */
#include "cli/each.h"

#include "base/clock.h"
#include "base/log.h"

#include <stdio.h>
#include <unistd.h>

void each_tell_key(const struct key_end *key, const char *whose, char ret[EACH_DETAIL_MAX])
{
    switch (key->fate) {
    case KEY_FATE_GONE:
        snprintf(ret, EACH_DETAIL_MAX, ", its %s is gone", whose);
        break;
    case KEY_FATE_STAYS:
        snprintf(ret, EACH_DETAIL_MAX, ", its %s stays for %zu other%s", whose, key->n_others,
                 key->n_others == 1 ? "" : "s");
        break;
    case KEY_FATE_FORGOTTEN:
        snprintf(ret, EACH_DETAIL_MAX, ", its %s was NOT destroyed", whose);
        break;
    default:
        snprintf(ret, EACH_DETAIL_MAX, ", it had no key: what its disks held was not encrypted");
    }
}

/* What became of one. The first error is said at the end. */
static void tell(const struct each *each, const char *name, bool changed, const char *detail,
                 uint64_t start_msec, const struct error *one, struct error *e)
{
    if (one->errnum && e->errnum)
        log_error("%s", one->text);
    else if (one->errnum)
        error_pass(e, one->errnum, one);
    else if (!log_is_quiet())
        printf("%s: %s%s (%.2f s)\n", name, changed ? each->done : each->unchanged,
               changed && detail ? detail : "", (double)(clock_msec() - start_msec) / 1000);
}

static void prepare(const struct each *each, const struct context *c, char **names, int n)
{
    if (each->prepare)
        each->prepare(c, (const char *const *)names, (size_t)(n < KEYS_AHEAD_MAX ? n : KEYS_AHEAD_MAX));
}

int each_do(const struct each *each, const struct context *c, const void *options, char **names, int n,
            struct error *e)
{
    for (int i = 0; i < n; i++) {
        struct error one = ERROR_NONE;
        bool changed = false;
        uint64_t start_msec = clock_msec();
        if (i % KEYS_AHEAD_MAX == 0)
            prepare(each, c, names + i, n - i);
        if (each->operate(c, options, names[i], &changed, &one) == -ECANCELED)
            return error_pass(e, one.errnum, &one);
        tell(each, names[i], changed, each->detail, start_msec, &one, e);
    }
    return e->errnum;
}

static int do_all(const struct each *each, const struct context *c, char **names, int n, struct error *e)
{
    struct error why = ERROR_NONE;
    uint64_t start_msec = clock_msec();
    _cleanup_free_ struct deleted *done = calloc((size_t)n, sizeof *done);
    if (!done)
        return error_memory(e);
    int r = each->operate_all(c, (const char *const *)names, (size_t)n, done, &why);
    if (r == -ECANCELED)
        error_pass(e, r, &why);
    for (int i = 0; i < n; i++) {
        char detail[EACH_DETAIL_MAX];
        each_tell_key(&done[i].key, "key", detail);
        if (r != -ECANCELED || done[i].changed)
            tell(each, names[i], done[i].changed, detail, start_msec, &done[i].error, e);
    }
    return r < 0 ? error_pass(e, r, &why) : 0;
}

int each_confirm(const struct verb *verb, const char *what, const char *price, char **names, int n,
                 struct error *e)
{
    if (!isatty(STDIN_FILENO))
        return error_set(e, -EINVAL,
                         "%s: destroys data, and there is no terminal to ask for a confirmation; nothing was "
                         "done; use --yes to go on without",
                         verb->name);
    fprintf(stderr, "%s:", what);
    for (int i = 0; i < n; i++)
        fprintf(stderr, " %s", names[i]);
    fprintf(stderr, "\n%s Go on? (y/N) ", price);
    int answer = getchar();
    if (answer != 'y' && answer != 'Y')
        return error_set(e, -EINVAL, "%s: not confirmed; nothing was done", verb->name);
    return 0;
}

int each_run(const struct each *each, const struct verb *self, const struct globals *g, const void *options,
             bool yes, char **names, int n, struct error *e)
{
    _cleanup_session_ struct session *s = NULL;
    int r = verb_refuse_json(self, g, e);
    if (r == 0 && each->what && !yes)
        r = each_confirm(self, each->what, each->price, names, n, e);
    if (r == 0)
        r = session_open(g, each->virt, &s, e);
    if (r < 0)
        return r;
    return each->operate_all ? do_all(each, &s->context, names, n, e)
                             : each_do(each, &s->context, options, names, n, e);
}
