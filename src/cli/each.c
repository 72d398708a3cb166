/* SPDX-License-Identifier: Apache-2.0 */
/* See each.h. */
#include "cli/each.h"

#include "base/clock.h"
#include "base/log.h"

#include <stdio.h>
#include <unistd.h>

static int do_one(const struct each *each, const struct context *c, const void *options, const char *name,
                  struct error *e)
{
    bool changed = false;
    uint64_t start_msec = clock_msec();
    int r = each->operate(c, options, name, &changed, e);
    if (r == 0 && log_get_level() >= LOG_LEVEL_WARNING)
        printf("%s: %s (%.2f s)\n", name, changed ? each->done : each->unchanged,
               (double)(clock_msec() - start_msec) / 1000);
    return r;
}

int each_do(const struct each *each, const struct context *c, const void *options, char **names, int n,
            struct error *e)
{
    for (int i = 0; i < n; i++) {
        struct error one = ERROR_NONE;
        int r = do_one(each, c, options, names[i], &one);
        if (r == -ECANCELED)
            return error_set(e, r, "%s", one.text);
        if (r < 0 && e->errnum)
            log_error("%s", one.text); /* the first is said at the end */
        else if (r < 0)
            error_set(e, r, "%s", one.text);
    }
    return e->errnum;
}

bool each_confirmed(const char *what, const char *price, char **names, int n)
{
    if (!isatty(STDIN_FILENO))
        return true;
    fprintf(stderr, "%s:", what);
    for (int i = 0; i < n; i++)
        fprintf(stderr, " %s", names[i]);
    fprintf(stderr, "\n%s Go on? (y/N) ", price);
    int answer = getchar();
    return answer == 'y' || answer == 'Y';
}

int each_run(const struct each *each, const struct verb *self, const struct globals *g, const void *options,
             bool yes, char **names, int n, struct error *e)
{
    _cleanup_session_ struct session *s = NULL;
    if (each->what && !yes && !each_confirmed(each->what, each->price, names, n))
        return error_set(e, -EINVAL, "%s: not confirmed; nothing was done", self->name);
    int r = session_open(g, each->virt, &s, e);
    return r < 0 ? r : each_do(each, &s->context, options, names, n, e);
}
