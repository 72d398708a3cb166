/* SPDX-License-Identifier: Apache-2.0 */
/* mayfly tune: the maps of the instances named, or of all that have some. */
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
    {"dry-run", 0, NULL, "tell what would be done", set_dry_run},
    {0},
};

static int operate_tune(const struct context *c, const void *options, const char *name, bool *ret_changed,
                        struct error *e)
{
    (void)options;
    return instance_tune(c, name, false, ret_changed, NULL, e);
}

/* `globals`: a struct globals. */
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

static bool has_map(const struct model *m, const struct instance *i)
{
    for (size_t n = 0; n < i->n_volumes; n++)
        if (model_map_of(m, i->volumes[n]))
            return true;
    return false;
}

/* What is being made or destroyed gets its table from whoever does that. */
static bool is_whole(const struct context *c, const struct instance *i)
{
    if (i->volumes[0]->state == VOLUME_READY)
        return true;
    report_warning(c, "instance %s: is %s, and is left out", i->name, instance_state_name(i));
    return false;
}

/* Its uuid where another has the same name; they are sorted by that. */
static char *name_of(const struct model *m, size_t i)
{
    struct instance *one = &m->instances[i];
    bool shared = (i > 0 && streq(one[-1].name, one->name)) ||
                  (i + 1 < m->n_instances && streq(one[1].name, one->name));
    return shared ? one->uuid : one->name;
}

static int tune_all(const struct each *each, struct globals *g, const struct context *c, struct error *e)
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
        if (has_map(m, &m->instances[i]) && is_whole(c, &m->instances[i]))
            names[n++] = name_of(m, i);
    return each_do(each, g, c, &g, names, n, e);
}

int verb_tune(const struct verb *self, struct globals *g, int argc, char **argv, struct error *e)
{
    static const struct each each = {.done = "tuned", .unchanged = "was in tune", .operate = operate_tune};
    static const struct each dry = {
        .done = "would be tuned", .unchanged = "is in tune", .operate = operate_dry_run};
    struct tune_options o = {.all = false};
    _cleanup_session_ struct session *s = NULL;
    bool changed = false;
    int n = 0;
    int r = verb_parse(self, g, tune_options, &o, argc, argv, 0, argc, &n, e);
    if (r != 0)
        return r;
    if (o.all != (n == 0))
        return error_set(e, -EINVAL, "tune: name the instances, or say --all");
    if (o.dry_run && g->json && n != 1)
        return error_set(e, -EINVAL, "tune: --dry-run --json is for one instance at a time");
    r = session_open(g, SESSION_VIRT_WANTED, &s, e);
    if (r < 0)
        return r;
    const struct each *which = o.dry_run ? &dry : &each;
    if (o.dry_run && g->json)
        return operate_dry_run(&s->context, &g, argv[1], &changed, e);
    return o.all ? tune_all(which, g, &s->context, e) : each_do(which, g, &s->context, &g, argv + 1, n, e);
}
