/* SPDX-License-Identifier: Apache-2.0 */
/* mayfly set-engine: another engine for one instance. */
#include "base/log.h"
#include "cli/outcomes.h"
#include "cli/plan.h"
#include "cli/session.h"
#include "cli/verb.h"
#include "instance/operations.h"

#include <stdio.h>

struct engine_options {
    bool dry_run;
};

CLI_FLAG(set_dry_run, struct engine_options, dry_run)
static const struct cli_option engine_options[] = {
    {"dry-run", 0, NULL, "print what would be done", set_dry_run},
    {0},
};

int verb_set_engine(const struct verb *self, struct globals *g, int argc, char **argv, struct error *e)
{
    struct engine_options o = {.dry_run = false};
    _cleanup_session_ struct session *s = NULL;
    _cleanup_steps_ struct steps *plan = NULL;
    bool changed = false;
    int n = 0;
    int r = verb_parse(self, g, engine_options, &o, argc, argv, 2, 2, &n, e);
    if (r != 0)
        return r;
    r = session_open(g, SESSION_VIRT_NEEDED, &s, e);
    if (r == 0)
        r = instance_set_engine(&s->context, argv[1], argv[2], o.dry_run, &changed, o.dry_run ? &plan : NULL,
                                e);
    if (r < 0)
        return r;
    if (o.dry_run)
        return print_plan(g, plan, e);
    if (g->json) {
        struct json_object *document = json_changed(g, changed);
        return json_give(g, document, outcome_put_instance(document, &s->context, argv[1], NULL), e);
    }
    if (!log_is_quiet())
        printf(changed ? "%s: has engine %s now\n" : "%s: had engine %s\n", argv[1], argv[2]);
    return 0;
}
