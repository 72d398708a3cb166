/* SPDX-License-Identifier: Apache-2.0 */
/* mayfly resize: one disk of one instance. */
#include "base/log.h"
#include "cli/outcomes.h"
#include "cli/plan.h"
#include "cli/session.h"
#include "cli/verb.h"
#include "instance/operations.h"

#include <stdio.h>

CLI_TEXT(set_disk, struct resize_request, role)
CLI_FLAG(set_dry_run, struct resize_request, dry_run)
static const struct cli_option resize_options[] = {
    {"disk", 0, "ROLE", "the disk to grow: root, eph0, swap, ...", set_disk},
    {"dry-run", 0, NULL, "print what would be done", set_dry_run},
    {0},
};

static int print_json(struct globals *g, const struct context *c, const char *name, const char *role,
                      bool changed, struct error *e)
{
    struct json_object *document = json_changed(g, changed);
    return json_give(g, document, outcome_put_instance(document, c, name, role), e);
}

int verb_resize(const struct verb *self, struct globals *g, int argc, char **argv, struct error *e)
{
    struct resize_request q = {.role = NULL};
    int n = 0;
    int r = verb_parse(self, g, resize_options, &q, argc, argv, 2, 2, &n, e);
    if (r != 0)
        return r;
    _cleanup_session_ struct session *s = NULL;
    _cleanup_steps_ struct steps *plan = NULL;
    bool changed = false;
    if (!q.role)
        return error_set(e, -EINVAL, "instance %s: needs --disk ROLE, the disk to grow; see mayfly show %s",
                         argv[1], argv[1]);
    q.more = argv[2][0] == '+';
    r = cli_parse_size(argv[2] + q.more, &q.size_bytes, e);
    if (r == 0)
        r = session_open(g, SESSION_VIRT_NEEDED, &s, e);
    if (r == 0)
        r = instance_resize(&s->context, argv[1], &q, &changed, q.dry_run ? &plan : NULL, e);
    if (r < 0)
        return r;
    if (q.dry_run)
        return print_plan(g, plan, e);
    if (g->json)
        return print_json(g, &s->context, argv[1], q.role, changed, e);
    if (!log_is_quiet())
        printf(changed ? "%s: disk %s has grown; the guest has to grow its partitions and file systems\n"
                       : "%s: disk %s had that size\n",
               argv[1], q.role);
    return 0;
}
