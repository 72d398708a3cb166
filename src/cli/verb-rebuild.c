/* SPDX-License-Identifier: Apache-2.0 */
/* mayfly rebuild: new disks and a new key for instances that keep their domains. */
#include "cli/each.h"
#include "cli/image-options.h"
#include "cli/plan.h"
#include "cli/seed-options.h"
#include "instance/operations.h"

struct rebuild_options {
    struct rebuild_request request;
    struct seed_options seed;
    bool empty;
    bool yes;
    struct key_end *old_key; /* what became of the old key */
};

CLI_FLAG(set_empty, struct rebuild_options, empty)
CLI_FLAG(set_dry_run, struct rebuild_options, request.dry_run)
CLI_FLAG(set_yes, struct rebuild_options, yes)
static const struct cli_option rebuild_options[] = {
    {"empty", 0, NULL, "write no image: leave the root disk empty", set_empty},
    {"dry-run", 0, NULL, "print what would be done", set_dry_run},
    {"yes", 'y', NULL, "do not ask", set_yes},
    {0},
};

static int operate_rebuild(const struct context *c, const void *options, const char *name, bool *ret_changed,
                           struct error *e)
{
    const struct rebuild_options *o = options;
    struct rebuild_request request = o->request;
    *o->old_key = (struct key_end){.fate = KEY_FATE_NONE};
    request.ret_key = o->old_key;
    *ret_changed = true;
    return instance_rebuild(c, name, &request, NULL, e);
}

static int dry_run(struct globals *g, const struct rebuild_options *o, const char *name, struct error *e)
{
    _cleanup_session_ struct session *s = NULL;
    _cleanup_steps_ struct steps *plan = NULL;
    int r = session_open(g, SESSION_VIRT_NEEDED, &s, e);
    if (r == 0)
        r = instance_rebuild(&s->context, name, &o->request, &plan, e);
    return r < 0 ? r : print_plan(g, plan, e);
}

/* Checks that the contents are stated. The old data is lost in any case, so the person must say what replaces
 * it. */
static int check_contents(const struct verb *self, const struct rebuild_options *o, struct error *e)
{
    if (o->empty && o->request.image.path)
        return error_set(e, -EINVAL, "%s: --empty and --image exclude each other", self->name);
    if (!o->empty && !o->request.image.path)
        return error_set(e, -EINVAL, "%s: needs --image FILE, or --empty for an empty root disk", self->name);
    return 0;
}

static void rebuild_options_end(struct rebuild_options *o)
{
    seed_options_end(&o->seed);
}

int verb_rebuild(const struct verb *self, struct globals *g, int argc, char **argv, struct error *e)
{
    struct key_end old_key = {.fate = KEY_FATE_NONE};
    const struct each each = {.done = "rebuilt",
                              .whose_key = "old key",
                              .key = &old_key,
                              .what = "Destroy the keys and disks, and make new ones, of",
                              .price = "Their data is lost for good.",
                              .operate = operate_rebuild};
    _cleanup_(rebuild_options_end) struct rebuild_options o = {.old_key = &old_key};
    int n = 0;
    const struct cli_group own[] = {
        {rebuild_options, &o}, {image_options, &o.request.image}, {seed_options, &o.seed}, {0}};
    int r = verb_parse_groups(self, g, own, argc, argv, 1, argc, &n, e);
    if (r == 0)
        r = check_contents(self, &o, e);
    if (r == 0)
        r = seed_options_read(&o.seed, e);
    if (r != 0)
        return r;
    o.request.seed = o.seed.seed;
    if (!o.request.dry_run)
        return each_run(&each, self, g, &o, o.yes, argv + 1, n, e);
    if (n > 1)
        return error_set(e, -EINVAL, "rebuild: --dry-run is for one instance at a time");
    return dry_run(g, &o, argv[1], e);
}
