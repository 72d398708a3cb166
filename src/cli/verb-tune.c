/* SPDX-License-Identifier: Apache-2.0 */
/* mayfly tune: the maps of the named instances, or of all that have open disks. */
#include "cli/each.h"
#include "cli/plan.h"
#include "instance/operations.h"

struct tune_options {
    bool all, dry_run;
};

CLI_FLAG(set_all, struct tune_options, all)
CLI_FLAG(set_dry_run, struct tune_options, dry_run)
static const struct cli_option tune_options[] = {
    {"all", 'a', NULL, "all instances with an open disk", set_all},
    {"dry-run", 0, NULL, "print what would be done", set_dry_run},
    {0},
};

static int operate_tune(const struct context *c, const void *options, const char *name, bool *ret_changed,
                        struct error *e)
{
    (void)options;
    return instance_tune(c, name, false, ret_changed, NULL, e);
}

/* Prints what would be tuned. `globals`: a struct globals. */
static int operate_dry_run(const struct context *c, const void *globals, const char *name, bool *ret_changed,
                           struct error *e)
{
    _cleanup_steps_ struct steps *plan = NULL;
    int r = instance_tune(c, name, true, ret_changed, &plan, e);
    if (r < 0)
        return r;
    *ret_changed = steps_count(plan) > 0;
    return print_plan(*(struct globals *const *)globals, plan, e);
}

/* Picks instances with open disks. Disks that are being made or destroyed get their tables from the operation
 * at work. */
static bool picks(const struct context *c, const struct model *m, const struct instance *i)
{
    return model_is_open(m, i) && each_is_whole(c, i);
}

int verb_tune(const struct verb *self, struct globals *g, int argc, char **argv, struct error *e)
{
    static const struct each each = {
        .done = "tuned", .unchanged = "was up to date", .operate = operate_tune, .picks = picks};
    static const struct each dry = {
        .done = "would be tuned", .unchanged = "is up to date", .operate = operate_dry_run, .picks = picks};
    struct tune_options o = {.all = false};
    _cleanup_session_ struct session *s = NULL;
    bool changed = false;
    int n = 0;
    int r = verb_parse(self, g, tune_options, &o, argc, argv, 0, argc, &n, e);
    if (r != 0)
        return r;
    r = each_check_all(self, o.all, n, e);
    if (r < 0)
        return r;
    if (o.dry_run && g->json && n != 1)
        return error_set(e, -EINVAL, "tune: --dry-run --json is for one instance at a time");
    r = session_open(g, SESSION_VIRT_WANTED, &s, e);
    if (r < 0)
        return r;
    const struct each *which = o.dry_run ? &dry : &each;
    if (o.dry_run && g->json)
        return operate_dry_run(&s->context, &g, argv[1], &changed, e);
    return o.all ? each_do_all(which, g, &s->context, &g, e)
                 : each_do(which, g, &s->context, &g, argv + 1, n, e);
}
