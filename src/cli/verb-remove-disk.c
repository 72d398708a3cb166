/* SPDX-License-Identifier: Apache-2.0 */
/* mayfly remove-disk: destroys one disk of one instance. */
#include "base/log.h"
#include "cli/confirm.h"
#include "cli/each.h"
#include "cli/outcomes.h"
#include "cli/plan.h"
#include "instance/operations.h"

#include <stdio.h>

struct remove_disk_options {
    struct remove_disk_request request;
    bool yes;
};

static int set_timeout(void *target, const char *value, struct error *e)
{
    return cli_parse_timeout(value, &((struct remove_disk_options *)target)->request.timeout_sec, e);
}

CLI_FLAG(set_yes, struct remove_disk_options, yes)
CLI_FLAG(set_dry_run, struct remove_disk_options, request.dry_run)
static const struct cli_option remove_disk_options[] = {
    {"timeout", 0, "SECONDS", "wait this long for a running guest to let go of it (60)", set_timeout},
    {"yes", 'y', NULL, "do not ask", set_yes},
    {"dry-run", 0, NULL, "print what would be done", set_dry_run},
    {0},
};

static int print_json(struct globals *g, const struct context *c, const struct remove_disk_request *q,
                      bool changed, struct error *e)
{
    struct json_object *document = json_changed(g, changed);
    bool whole = json_put_text(document, "role", q->role) && outcome_put_instance(document, c, q->name, NULL);
    return json_give(g, document, whole, e);
}

static int confirm(const struct verb *self, const struct context *c, const struct remove_disk_request *q,
                   struct error *e)
{
    _cleanup_model_ struct model *m = NULL;
    int r = model_load(c, &m, e);
    if (r < 0)
        return r;
    fprintf(stderr, "Destroy the disk of:\n");
    confirm_name_disk(m, q->name, q->role);
    return confirm_ask(self->name, c, "Its data is lost for good.", e);
}

int verb_remove_disk(const struct verb *self, struct globals *g, int argc, char **argv, struct error *e)
{
    struct remove_disk_options o = {.request = {.timeout_sec = 60}};
    _cleanup_session_ struct session *s = NULL;
    _cleanup_steps_ struct steps *plan = NULL;
    bool changed = false;
    int n = 0;
    int r = verb_parse(self, g, remove_disk_options, &o, argc, argv, 2, 2, &n, e);
    if (r != 0)
        return r;
    o.request.name = argv[1];
    o.request.role = argv[2];
    bool ask = !o.yes && !o.request.dry_run;
    if (ask)
        r = confirm_possible(self->name, e);
    if (r == 0)
        r = session_open(g, SESSION_VIRT_NEEDED, &s, e);
    if (r == 0 && ask)
        r = confirm(self, &s->context, &o.request, e);
    if (r == 0)
        r = instance_remove_disk(&s->context, &o.request, &changed, o.request.dry_run ? &plan : NULL, e);
    if (r < 0)
        return r;
    if (o.request.dry_run)
        return print_plan(g, plan, e);
    if (g->json)
        return print_json(g, &s->context, &o.request, changed, e);
    if (!log_is_quiet())
        printf("%s: %s removed, and destroyed\n", o.request.name, o.request.role);
    return 0;
}
