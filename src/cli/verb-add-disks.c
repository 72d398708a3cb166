/* SPDX-License-Identifier: Apache-2.0 */
/* mayfly add-disks: makes disks for a domain that others have defined, or will define. */
#include "cli/disks-options.h"
#include "cli/image-options.h"
#include "cli/launched.h"
#include "cli/plan.h"
#include "cli/session.h"
#include "cli/verb.h"

struct add_disks_options {
    struct add_disks_request request;
    const char *key_owner; /* owner of request.key; NULL: the caller */
};

static int set_key_owner(void *target, const char *value, struct error *e)
{
    if (!streq(value, "caller") && !streq(value, "mayfly"))
        return error_set(e, -EINVAL, "'%s' is neither caller nor mayfly", value);
    ((struct add_disks_options *)target)->key_owner = value;
    return 0;
}

CLI_TEXT(set_uuid, struct add_disks_options, request.uuid)
CLI_TEXT(set_key, struct add_disks_options, request.key)
CLI_FLAG(set_dry_run, struct add_disks_options, request.dry_run)
static const struct cli_option add_disks_options[] = {
    {"uuid", 0, "UUID", "make them for the domain of this UUID, which others will define", set_uuid},
    {"key", 0, "MANAGER:PLACE/ID", "use this existing key instead of a new one", set_key},
    {"key-owner", 0, "OWNER", "caller: it is never destroyed (default); mayfly: by delete", set_key_owner},
    {"dry-run", 0, NULL, "print what would be done", set_dry_run},
    {0},
};

/* Reads the words of the verb. 1: there is nothing to do. */
static int parse(const struct verb *self, struct globals *g, int argc, char **argv,
                 struct add_disks_options *o, struct error *e)
{
    struct add_disks_request *q = &o->request;
    const struct cli_group own[] = {
        {add_disks_options, o}, {disks_options, &q->disks}, {image_options, &q->disks.image}, {0}};
    int n = 0;
    int r = verb_parse_groups(self, g, own, argc, argv, 0, 1, &n, e);
    if (r == 0 && n == 0 && !q->uuid)
        r = error_set(e, -EINVAL, "%s: no domain is given; name it, or use --uuid", self->name);
    if (r == 0 && o->key_owner && !q->key)
        r = error_set(e, -EINVAL, "%s: --key-owner needs --key", self->name);
    if (r != 0)
        return r;
    q->name = n ? argv[1] : NULL;
    q->keep_key = q->key && (!o->key_owner || streq(o->key_owner, "caller"));
    return 0;
}

int verb_add_disks(const struct verb *self, struct globals *g, int argc, char **argv, struct error *e)
{
    struct add_disks_options o = {.key_owner = NULL};
    const struct add_disks_request *q = &o.request;
    _cleanup_session_ struct session *s = NULL;
    _cleanup_free_ struct launched *launched = NULL;
    _cleanup_steps_ struct steps *plan = NULL;
    bool changed = false;
    int r = parse(self, g, argc, argv, &o, e);
    if (r == 0)
        r = session_open(g, SESSION_VIRT_NEEDED, &s, e);
    if (r != 0)
        return r;
    r = instance_add_disks(&s->context, q, &launched, &changed, q->dry_run ? &plan : NULL, e);
    progress_end(&s->progress);
    if (r < 0)
        return r;
    return q->dry_run ? print_plan(g, plan, e) : print_launched(g, &s->context, launched, 1, changed, e);
}
