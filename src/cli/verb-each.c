/* SPDX-License-Identifier: Apache-2.0 */
/* start, stop, reboot, delete, open, close: the verbs that do one thing to each instance named. */
#include "base/clock.h"
#include "cli/each.h"
#include "instance/lock.h"
#include "instance/operations.h"

/* Instances that are about to be stopped, and whose guests have been asked to power off; and when. */
struct asked {
    const char *name[MODEL_LOCKS_MAX];
    bool was[MODEL_LOCKS_MAX];
    size_t n;
    uint64_t msec;
};

struct each_options {
    bool all;
    struct asked *asked;
    unsigned timeout_sec;
    bool force;
    bool hard;
    bool yes;
    bool forget_key;
    bool leave_key;
    bool read_only;
    bool for_start;
};

static int set_timeout(void *target, const char *value, struct error *e)
{
    return cli_parse_timeout(value, &((struct each_options *)target)->timeout_sec, e);
}

CLI_FLAG(set_all, struct each_options, all)
CLI_FLAG(set_force, struct each_options, force)
CLI_FLAG(set_hard, struct each_options, hard)
CLI_FLAG(set_yes, struct each_options, yes)
CLI_FLAG(set_read_only, struct each_options, read_only)
CLI_FLAG(set_for_start, struct each_options, for_start)
CLI_FLAG(set_forget_key, struct each_options, forget_key)
CLI_FLAG(set_leave_key, struct each_options, leave_key)
static const struct cli_option start_options[] = {
    {"all", 'a', NULL, "all instances that do not run", set_all},
    {0},
};
static const struct cli_option stop_options[] = {
    {"all", 'a', NULL, "all instances that run, or have an open disk", set_all},
    {"timeout", 0, "SECONDS", "wait so long for the guest to power off (60)", set_timeout},
    {"force", 'f', NULL, "then force it off; at once with --timeout 0", set_force},
    {0},
};
static const struct cli_option reboot_options[] = {
    {"all", 'a', NULL, "all instances that run", set_all},
    {"hard", 0, NULL, "force it off, and start it on disks opened anew", set_hard},
    {0},
};
static const struct cli_option delete_options[] = {
    {"yes", 'y', NULL, "do not ask", set_yes},
    {"forget-key", 0, NULL, "even if the key cannot be destroyed because its manager is gone",
     set_forget_key},
    {"leave-key", 0, NULL, "leave a key that the caller may not destroy to its owner", set_leave_key},
    {0},
};
static const struct cli_option open_options[] = {
    {"read-only", 'r', NULL, "so that nothing can be written to them", set_read_only},
    {"for-start", 0, NULL, "for a start by another program; closed when the guest ends", set_for_start},
    {0},
};
static const struct cli_option close_options[] = {
    {"yes", 'y', NULL, "also if the key is ephemeral: the data is lost then", set_yes},
    {0},
};

/* Asks guests to power off, several at the same time. */
static void ask_to_stop(const struct context *c, const void *options, const char *const names[], size_t n)
{
    const struct each_options *o = options;
    o->asked->n = 0;
    if (n < 2)
        return;
    instances_ask_to_stop(c, names, n, o->asked->was);
    memcpy(o->asked->name, names, n * sizeof *names);
    o->asked->n = n;
    o->asked->msec = clock_msec();
}

static int stop_all_hard(const struct context *c, const void *options, const char *const names[], size_t n,
                         struct outcome ret[], struct error *e)
{
    (void)options;
    return instances_stop_hard(c, names, n, ret, e);
}

static int operate_stop(const struct context *c, const void *options, const char *name, bool *ret_changed,
                        struct error *e)
{
    const struct each_options *o = options;
    uint64_t asked_msec = 0;
    for (size_t i = 0; i < o->asked->n; i++)
        if (o->asked->name[i] == name && o->asked->was[i])
            asked_msec = o->asked->msec;
    return instance_stop_asked(c, name, asked_msec, o->timeout_sec, o->force, ret_changed, e);
}

static int start_all(const struct context *c, const void *options, const char *const names[], size_t n,
                     struct outcome ret[], struct error *e)
{
    (void)options;
    return instances_start(c, names, n, ret, e);
}

static int reboot_all(const struct context *c, const void *options, const char *const names[], size_t n,
                      struct outcome ret[], struct error *e)
{
    const struct each_options *o = options;
    return instances_reboot(c, names, n, o->hard, ret, e);
}

static int delete_all(const struct context *c, const void *options, const char *const names[], size_t n,
                      struct outcome ret[], struct error *e)
{
    const struct each_options *o = options;
    if (o->forget_key)
        return instances_delete_forget_keys(c, names, n, ret, e);
    return o->leave_key ? instances_delete_leave_keys(c, names, n, ret, e)
                        : instances_delete(c, names, n, ret, e);
}

static int open_all(const struct context *c, const void *options, const char *const names[], size_t n,
                    struct outcome ret[], struct error *e)
{
    const struct each_options *o = options;
    enum map_use use = o->read_only ? MAP_READ_ONLY : o->for_start ? MAP_FOR_START : MAP_TO_STAY;
    return instances_open(c, names, n, use, ret, e);
}

static int close_all(const struct context *c, const void *options, const char *const names[], size_t n,
                     struct outcome ret[], struct error *e)
{
    const struct each_options *o = options;
    return instances_close(c, names, n, o->yes, ret, e);
}

static bool picks_stopped(const struct context *c, const struct model *m, const struct instance *i)
{
    (void)m;
    if (i->state == INSTANCE_NO_DOMAIN)
        report_warning(c, "instance %s: has no domain, and is left out", i->name);
    return i->state != INSTANCE_RUNNING && i->state != INSTANCE_NO_DOMAIN && each_is_whole(c, i);
}

static bool picks_running(const struct context *c, const struct model *m, const struct instance *i)
{
    (void)c, (void)m;
    return i->state == INSTANCE_RUNNING;
}

static bool picks_open(const struct context *c, const struct model *m, const struct instance *i)
{
    return i->state == INSTANCE_RUNNING || (model_is_open(m, i) && each_is_whole(c, i));
}

/* Parses the words, and runs `each` over the names. */
static int verb_each(const struct verb *self, struct globals *g, const struct cli_option *options,
                     const struct each *each, int argc, char **argv, struct error *e)
{
    struct each_options o = {.yes = false};
    int n = 0;
    int r = verb_parse(self, g, options, &o, argc, argv, each->picks ? 0 : 1, argc, &n, e);
    if (r == 0)
        r = each_check_all(self, o.all, n, e);
    return r != 0 ? r : each_run(each, self, g, &o, o.yes, argv + 1, n, e);
}

int verb_start(const struct verb *self, struct globals *g, int argc, char **argv, struct error *e)
{
    static const struct each each = {.done = "started",
                                     .unchanged = "was running",
                                     .operate_all = start_all,
                                     .at_once = TOGETHER_MAX,
                                     .picks = picks_stopped};
    return verb_each(self, g, start_options, &each, argc, argv, e);
}

int verb_stop(const struct verb *self, struct globals *g, int argc, char **argv, struct error *e)
{
    static const struct each each = {.done = "stopped",
                                     .unchanged = "was stopped",
                                     .prepare = ask_to_stop,
                                     .prepare_max = MODEL_LOCKS_MAX,
                                     .operate = operate_stop,
                                     .picks = picks_open};
    static const struct each hard = {.done = "stopped",
                                     .unchanged = "was stopped",
                                     .operate_all = stop_all_hard,
                                     .at_once = TOGETHER_MAX,
                                     .picks = picks_open};
    struct asked asked = {.n = 0};
    struct each_options o = {.timeout_sec = 60, .asked = &asked};
    int n = 0;
    int r = verb_parse(self, g, stop_options, &o, argc, argv, 0, argc, &n, e);
    if (r == 0)
        r = each_check_all(self, o.all, n, e);
    return r != 0
               ? r
               : each_run(o.force && o.timeout_sec == 0 ? &hard : &each, self, g, &o, true, argv + 1, n, e);
}

int verb_reboot(const struct verb *self, struct globals *g, int argc, char **argv, struct error *e)
{
    static const struct each asking = {.done = "its guest was asked to reboot",
                                       .operate_all = reboot_all,
                                       .at_once = TOGETHER_MAX,
                                       .picks = picks_running};
    static const struct each hard = {
        .done = "restarted", .operate_all = reboot_all, .at_once = TOGETHER_MAX, .picks = picks_running};
    struct each_options o = {.hard = false};
    int n = 0;
    int r = verb_parse(self, g, reboot_options, &o, argc, argv, 0, argc, &n, e);
    if (r == 0)
        r = each_check_all(self, o.all, n, e);
    return r != 0 ? r : each_run(o.hard ? &hard : &asking, self, g, &o, true, argv + 1, n, e);
}

int verb_delete(const struct verb *self, struct globals *g, int argc, char **argv, struct error *e)
{
    static const struct each each = {.done = "deleted",
                                     .unchanged = "was deleted already",
                                     .whose_key = "key",
                                     .what = "Destroy the keys and disks of",
                                     .price = "What they hold is gone for good.",
                                     .operate_all = delete_all};
    static const struct each forgetting = {
        .done = "deleted",
        .unchanged = "was not there",
        .whose_key = "key",
        .what = "Remove the disks, even if their keys cannot be destroyed, of",
        .price =
            "Anyone who has such a key can read what its disks held, where it is still on a physical volume.",
        .operate_all = delete_all};
    static const struct each leaving = {
        .done = "deleted",
        .unchanged = "was deleted already",
        .whose_key = "key",
        .what = "Destroy the disks, and as far as we may the keys, of",
        .price = "What they hold is gone for good, unless the owner of a key that is left keeps it.",
        .operate_all = delete_all};
    struct each_options o = {.yes = false};
    int n = 0;
    int r = verb_parse(self, g, delete_options, &o, argc, argv, 1, argc, &n, e);
    if (r == 0 && o.forget_key && o.leave_key)
        r = error_set(e, -EINVAL, "delete: --forget-key and --leave-key do not go together");
    const struct each *how = o.forget_key ? &forgetting : o.leave_key ? &leaving : &each;
    return r != 0 ? r : each_run(how, self, g, &o, o.yes, argv + 1, n, e);
}

int verb_open(const struct verb *self, struct globals *g, int argc, char **argv, struct error *e)
{
    static const struct each each = {
        .done = "opened", .unchanged = "was open", .operate_all = open_all, .at_once = TOGETHER_MAX};
    struct each_options o = {.read_only = false};
    int n = 0;
    int r = verb_parse(self, g, open_options, &o, argc, argv, 1, argc, &n, e);
    if (r == 0 && o.read_only && o.for_start)
        r = error_set(e, -EINVAL, "open: --read-only and --for-start do not go together");
    return r != 0 ? r : each_run(&each, self, g, &o, true, argv + 1, n, e);
}

int verb_close(const struct verb *self, struct globals *g, int argc, char **argv, struct error *e)
{
    static const struct each each = {
        .done = "closed", .unchanged = "was closed", .operate_all = close_all, .at_once = TOGETHER_MAX};
    return verb_each(self, g, close_options, &each, argc, argv, e);
}
