/* SPDX-License-Identifier: Apache-2.0 */
/* mayfly rebuild: new disks and a new key for instances that keep their domains. */
#include "cli/each.h"
#include "cli/plan.h"
#include "instance/operations.h"

struct rebuild_options {
    struct rebuild_request request;
    bool yes;
    char *detail; /* EACH_DETAIL_MAX bytes for the line that tells of it */
};

CLI_TEXT(set_image, struct rebuild_options, request.image_path)
CLI_TEXT(set_image_format, struct rebuild_options, request.image_format)
CLI_FLAG(set_dry_run, struct rebuild_options, request.dry_run)
CLI_FLAG(set_yes, struct rebuild_options, yes)
static const struct cli_option rebuild_options[] = {
    {"image", 0, "FILE", "write this raw or qcow2 image to the root disk", set_image},
    {"image-format", 0, "FORMAT", "raw or qcow2; else qcow2 by its first bytes", set_image_format},
    {"dry-run", 0, NULL, "tell what would be done", set_dry_run},
    {"yes", 'y', NULL, "do not ask", set_yes},
    {0},
};

static int operate_rebuild(const struct context *c, const void *options, const char *name, bool *ret_changed,
                           struct error *e)
{
    const struct rebuild_options *o = options;
    struct rebuild_request request = o->request;
    struct key_end old_key = {KEY_FATE_NONE, 0};
    request.ret_key = &old_key;
    *ret_changed = true;
    int r = instance_rebuild(c, name, &request, NULL, e);
    each_tell_key(&old_key, "old key", o->detail);
    return r;
}

static int dry_run(const struct globals *g, const struct rebuild_options *o, const char *name,
                   struct error *e)
{
    _cleanup_session_ struct session *s = NULL;
    _cleanup_steps_ struct steps *plan = NULL;
    int r = session_open(g, SESSION_VIRT_NEEDED, &s, e);
    if (r == 0)
        r = instance_rebuild(&s->context, name, &o->request, &plan, e);
    return r < 0 ? r : print_plan(plan, g->json, e);
}

int verb_rebuild(const struct verb *self, struct globals *g, int argc, char **argv, struct error *e)
{
    char detail[EACH_DETAIL_MAX] = "";
    const struct each each = {.done = "rebuilt",
                              .detail = detail,
                              .what = "Destroy the keys and disks, and make new ones, of",
                              .price = "What they hold is gone for good.",
                              .operate = operate_rebuild};
    struct rebuild_options o = {.detail = detail};
    int n = 0;
    int r = verb_parse(self, g, rebuild_options, &o, argc, argv, 1, argc, &n, e);
    if (r != 0)
        return r;
    if (!o.request.dry_run)
        return each_run(&each, self, g, &o, o.yes, argv + 1, n, e);
    if (n > 1)
        return error_set(e, -EINVAL, "rebuild: --dry-run is for one instance at a time");
    return dry_run(g, &o, argv[1], e);
}
