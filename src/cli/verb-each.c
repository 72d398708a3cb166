/* SPDX-License-Identifier: Apache-2.0 */
/* start, stop, reboot, delete, open, close: the verbs that do one thing to each instance named. */
#include "cli/each.h"
#include "instance/operations.h"

struct each_options {
    unsigned timeout_sec;
    bool force;
    bool hard;
    bool yes;
    bool forget_key;
};

static int set_timeout(void *target, const char *value, struct error *e)
{
    return cli_parse_timeout(value, &((struct each_options *)target)->timeout_sec, e);
}

CLI_FLAG(set_force, struct each_options, force)
CLI_FLAG(set_hard, struct each_options, hard)
CLI_FLAG(set_yes, struct each_options, yes)
CLI_FLAG(set_forget_key, struct each_options, forget_key)
static const struct cli_option stop_options[] = {
    {"timeout", 0, "SECONDS", "wait so long for the guest to power off (60)", set_timeout},
    {"force", 'f', NULL, "then pull the plug; at once with --timeout 0", set_force},
    {0},
};
static const struct cli_option reboot_options[] = {
    {"hard", 0, NULL, "pull the plug, and start again on disks opened anew", set_hard},
    {0},
};
static const struct cli_option delete_options[] = {
    {"yes", 'y', NULL, "do not ask", set_yes},
    {"forget-key", 0, NULL, "even if the key cannot be destroyed, its manager being gone", set_forget_key},
    {0},
};
static const struct cli_option close_options[] = {
    {"yes", 'y', NULL, "even if the key is ephemeral, and the data is lost with it", set_yes},
    {0},
};

static int operate_start(const struct context *c, const void *options, const char *name, bool *ret_changed,
                         struct error *e)
{
    (void)options;
    return instance_start(c, name, ret_changed, e);
}

static int operate_stop(const struct context *c, const void *options, const char *name, bool *ret_changed,
                        struct error *e)
{
    const struct each_options *o = options;
    return instance_stop(c, name, o->timeout_sec, o->force, ret_changed, e);
}

static int operate_reboot(const struct context *c, const void *options, const char *name, bool *ret_changed,
                          struct error *e)
{
    const struct each_options *o = options;
    return instance_reboot(c, name, o->hard, ret_changed, e);
}

static int operate_open(const struct context *c, const void *options, const char *name, bool *ret_changed,
                        struct error *e)
{
    (void)options;
    return instance_open(c, name, ret_changed, e);
}

static int operate_close(const struct context *c, const void *options, const char *name, bool *ret_changed,
                         struct error *e)
{
    const struct each_options *o = options;
    return instance_close(c, name, o->yes, ret_changed, e);
}

/* Parses, and runs `each` over the names. */
static int verb_each(const struct verb *self, struct globals *g, const struct cli_option *options,
                     const struct each *each, int argc, char **argv, struct error *e)
{
    struct each_options o = {.timeout_sec = 60};
    int n = 0;
    int r = verb_parse(self, g, options, &o, argc, argv, 1, argc, &n, e);
    return r != 0 ? r : each_run(each, self, g, &o, o.yes, argv + 1, n, e);
}

int verb_start(const struct verb *self, struct globals *g, int argc, char **argv, struct error *e)
{
    static const struct each each = {
        .done = "started", .unchanged = "was running", .prepare = keys_fetch_ahead, .operate = operate_start};
    return verb_each(self, g, NULL, &each, argc, argv, e);
}

int verb_stop(const struct verb *self, struct globals *g, int argc, char **argv, struct error *e)
{
    static const struct each each = {.done = "stopped", .unchanged = "was stopped", .operate = operate_stop};
    return verb_each(self, g, stop_options, &each, argc, argv, e);
}

int verb_reboot(const struct verb *self, struct globals *g, int argc, char **argv, struct error *e)
{
    static const struct each asking = {.done = "its guest was asked to reboot", .operate = operate_reboot};
    static const struct each hard = {.done = "restarted", .operate = operate_reboot};
    struct each_options o = {.hard = false};
    int n = 0;
    int r = verb_parse(self, g, reboot_options, &o, argc, argv, 1, argc, &n, e);
    return r != 0 ? r : each_run(o.hard ? &hard : &asking, self, g, &o, true, argv + 1, n, e);
}

int verb_delete(const struct verb *self, struct globals *g, int argc, char **argv, struct error *e)
{
    static const struct each each = {.done = "deleted",
                                     .unchanged = "was deleted already",
                                     .whose_key = "key",
                                     .what = "Destroy the keys and disks of",
                                     .price = "What they hold is gone for good.",
                                     .operate_all = instances_delete};
    static const struct each forgetting = {
        .done = "deleted",
        .unchanged = "was not there",
        .whose_key = "key",
        .what = "Remove the disks, even if their keys cannot be destroyed, of",
        .price =
            "Whoever has such a key can read what its disks held, where it is still on a physical volume.",
        .operate_all = instances_delete_forget_keys};
    struct each_options o = {.yes = false};
    int n = 0;
    int r = verb_parse(self, g, delete_options, &o, argc, argv, 1, argc, &n, e);
    return r != 0 ? r : each_run(o.forget_key ? &forgetting : &each, self, g, &o, o.yes, argv + 1, n, e);
}

int verb_open(const struct verb *self, struct globals *g, int argc, char **argv, struct error *e)
{
    static const struct each each = {
        .done = "opened", .unchanged = "was open", .prepare = keys_fetch_ahead, .operate = operate_open};
    return verb_each(self, g, NULL, &each, argc, argv, e);
}

int verb_close(const struct verb *self, struct globals *g, int argc, char **argv, struct error *e)
{
    static const struct each each = {.done = "closed", .unchanged = "was closed", .operate = operate_close};
    return verb_each(self, g, close_options, &each, argc, argv, e);
}
