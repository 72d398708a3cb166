/* SPDX-License-Identifier: Apache-2.0 */
/* mayfly add-disk: makes one more disk for an instance. */
#include "base/log.h"
#include "cli/disks-options.h"
#include "cli/outcomes.h"
#include "cli/plan.h"
#include "cli/seed-options.h"
#include "cli/session.h"
#include "cli/verb.h"

#include <stdio.h>

struct add_disk_options {
    struct add_disk_request request;
    struct secret *seed_image; /* contents of --seed-image; request points to them */
};

static void add_disk_options_end(struct add_disk_options *o)
{
    secret_free(o->seed_image);
}

static int set_ephemeral(void *target, const char *value, struct error *e)
{
    struct wanted_ephemeral *disk = &((struct add_disk_options *)target)->request.ephemeral;
    return disk->size_bytes ? error_set(e, -EINVAL, "at most one disk") : cli_parse_ephemeral(value, disk, e);
}

/* Reads the file now, while mayfly is still root. */
static int set_seed_image(void *target, const char *path, struct error *e)
{
    struct add_disk_options *o = target;
    o->seed_image = secret_free(o->seed_image); /* the option was given twice */
    int r = seed_image_read(path, &o->seed_image, e);
    o->request.seed_image = o->seed_image;
    return r;
}

CLI_FLAG(set_dry_run, struct add_disk_options, request.dry_run)
static const struct cli_option add_disk_options[] = {
    {"ephemeral", 0, "SIZE[,fs=TYPE][,name=NAME]", disks_help_ephemeral, set_ephemeral},
    {"seed-image", 0, "FILE", "a seed disk with these contents, for a domain that others define",
     set_seed_image},
    {"dry-run", 0, NULL, "print what would be done", set_dry_run},
    {0},
};

static int print_added(struct globals *g, const struct context *c, const char *name, const struct volume *v,
                       struct error *e)
{
    char path[DEVICE_PATH_MAX];
    volume_device_path(v, path);
    if (g->json) {
        struct json_object *document = json_changed(g, true);
        return json_give(g, document, outcome_put_instance(document, c, v->instance, v->role), e);
    }
    if (!log_is_quiet())
        printf("%s: %s added, %s\n", name, v->role, path);
    return 0;
}

int verb_add_disk(const struct verb *self, struct globals *g, int argc, char **argv, struct error *e)
{
    _cleanup_(add_disk_options_end) struct add_disk_options o = {.seed_image = NULL};
    struct add_disk_request *q = &o.request;
    _cleanup_session_ struct session *s = NULL;
    _cleanup_steps_ struct steps *plan = NULL;
    struct volume made;
    int n = 0;
    int r = verb_parse(self, g, add_disk_options, &o, argc, argv, 1, 1, &n, e);
    if (r == 0)
        r = session_open(g, SESSION_VIRT_NEEDED, &s, e);
    if (r != 0)
        return r;
    q->name = argv[1];
    r = instance_add_disk(&s->context, q, &made, q->dry_run ? &plan : NULL, e);
    if (r < 0)
        return r;
    return q->dry_run ? print_plan(g, plan, e) : print_added(g, &s->context, q->name, &made, e);
}
