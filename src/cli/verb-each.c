/* SPDX-License-Identifier: Apache-2.0 */
/* start, stop, delete, open, close: the verbs that do one thing to each instance named. Each name is tried,
 * whatever became of the one before; the first error decides the exit status. */
#include "base/clock.h"
#include "base/log.h"
#include "cli/session.h"
#include "cli/verb.h"
#include "instance/operations.h"

#include <stdio.h>
#include <unistd.h>

struct each_options {
    unsigned timeout_sec;
    bool force;
    bool yes;
};

struct each {
    const char *done;      /* "started" */
    const char *unchanged; /* "was running" */
    int (*operate)(const struct context *c, const struct each_options *o, const char *name, bool *ret_changed,
                   struct error *e);
};

static int do_one(const struct each *each, const struct context *c, const struct each_options *o,
                  const char *name, struct error *e)
{
    bool changed = false;
    uint64_t start_msec = clock_msec();
    int r = each->operate(c, o, name, &changed, e);
    if (r == 0 && log_get_level() >= LOG_LEVEL_WARNING)
        printf("%s: %s (%.2f s)\n", name, changed ? each->done : each->unchanged,
               (double)(clock_msec() - start_msec) / 1000);
    return r;
}

static int do_each(const struct each *each, const struct context *c, const struct each_options *o,
                   char **names, int n, struct error *e)
{
    for (int i = 0; i < n; i++) {
        struct error one = ERROR_NONE;
        int r = do_one(each, c, o, names[i], &one);
        if (r == -ECANCELED)
            return error_set(e, r, "%s", one.text);
        if (r < 0 && e->errnum)
            log_error("%s", one.text); /* the first is said at the end */
        else if (r < 0)
            error_set(e, r, "%s", one.text);
    }
    return e->errnum;
}

static int run_each(const struct each *each, struct globals *g, const struct each_options *o, char **names,
                    int n, struct error *e)
{
    _cleanup_session_ struct session *s = NULL;
    int r = session_open(g, SESSION_VIRT_NEEDED, &s, e);
    return r < 0 ? r : do_each(each, &s->context, o, names, n, e);
}

static int set_timeout(void *target, const char *value, struct error *e)
{
    uint64_t seconds = 0;
    if (str_to_u64(value, &seconds) < 0 || seconds > 86400)
        return error_set(e, -EINVAL, "'%s' is not a number of seconds from 0 to 86400", value);
    ((struct each_options *)target)->timeout_sec = (unsigned)seconds;
    return 0;
}

CLI_FLAG(set_force, struct each_options, force)
CLI_FLAG(set_yes, struct each_options, yes)
static const struct cli_option stop_options[] = {
    {"timeout", 0, "SECONDS", "wait so long for the guest to power off (60)", set_timeout},
    {"force", 'f', NULL, "then pull the plug; at once with --timeout 0", set_force},
    {0},
};
static const struct cli_option delete_options[] = {
    {"yes", 'y', NULL, "do not ask", set_yes},
    {0},
};
static const struct cli_option close_options[] = {
    {"yes", 'y', NULL, "even if the key is ephemeral, and the data is lost with it", set_yes},
    {0},
};

/* Only a person at a terminal is asked; a script has said what it wants. */
static bool confirmed(char **names, int n)
{
    if (!isatty(STDIN_FILENO))
        return true;
    fprintf(stderr, "Destroy the keys and disks of:");
    for (int i = 0; i < n; i++)
        fprintf(stderr, " %s", names[i]);
    fprintf(stderr, "\nWhat they hold is gone for good. Go on? (y/N) ");
    int answer = getchar();
    return answer == 'y' || answer == 'Y';
}

static int operate_start(const struct context *c, const struct each_options *o, const char *name,
                         bool *ret_changed, struct error *e)
{
    (void)o;
    return instance_start(c, name, ret_changed, e);
}

static int operate_stop(const struct context *c, const struct each_options *o, const char *name,
                        bool *ret_changed, struct error *e)
{
    return instance_stop(c, name, o->timeout_sec, o->force, ret_changed, e);
}

static int operate_delete(const struct context *c, const struct each_options *o, const char *name,
                          bool *ret_changed, struct error *e)
{
    (void)o;
    return instance_delete(c, name, ret_changed, e);
}

static int operate_open(const struct context *c, const struct each_options *o, const char *name,
                        bool *ret_changed, struct error *e)
{
    (void)o;
    return instance_open(c, name, ret_changed, e);
}

static int operate_close(const struct context *c, const struct each_options *o, const char *name,
                         bool *ret_changed, struct error *e)
{
    return instance_close(c, name, o->yes, ret_changed, e);
}

/* Parses, and runs `each` over the names. */
static int verb_each(const struct verb *self, struct globals *g, const struct cli_option *options,
                     const struct each *each, bool ask, int argc, char **argv, struct error *e)
{
    struct each_options o = {.timeout_sec = 60};
    int n = 0;
    int r = verb_parse(self, g, options, &o, argc, argv, 1, argc, &n, e);
    if (r != 0)
        return r;
    if (ask && !o.yes && !confirmed(argv + 1, n))
        return error_set(e, -EINVAL, "%s: not confirmed; nothing was done", self->name);
    return run_each(each, g, &o, argv + 1, n, e);
}

int verb_start(const struct verb *self, struct globals *g, int argc, char **argv, struct error *e)
{
    static const struct each each = {"started", "was running", operate_start};
    return verb_each(self, g, NULL, &each, false, argc, argv, e);
}

int verb_stop(const struct verb *self, struct globals *g, int argc, char **argv, struct error *e)
{
    static const struct each each = {"stopped", "was stopped", operate_stop};
    return verb_each(self, g, stop_options, &each, false, argc, argv, e);
}

int verb_delete(const struct verb *self, struct globals *g, int argc, char **argv, struct error *e)
{
    static const struct each each = {"deleted, its key is gone", "was not there", operate_delete};
    return verb_each(self, g, delete_options, &each, true, argc, argv, e);
}

int verb_open(const struct verb *self, struct globals *g, int argc, char **argv, struct error *e)
{
    static const struct each each = {"opened", "was open", operate_open};
    return verb_each(self, g, NULL, &each, false, argc, argv, e);
}

int verb_close(const struct verb *self, struct globals *g, int argc, char **argv, struct error *e)
{
    static const struct each each = {"closed", "was closed", operate_close};
    return verb_each(self, g, close_options, &each, false, argc, argv, e);
}
