/* SPDX-License-Identifier: Apache-2.0 */
/* mayfly rescue and unrescue. */
#include "base/log.h"
#include "cli/each.h"
#include "cli/image-options.h"
#include "cli/outcomes.h"
#include "cli/plan.h"
#include "instance/operations.h"

#include <stdio.h>

#define TIMEOUT_SEC 60

static int set_timeout(void *target, const char *value, struct error *e)
{
    return cli_parse_timeout(value, &((struct rescue_request *)target)->timeout_sec, e);
}

static int set_root(void *target, const char *value, struct error *e)
{
    return cli_parse_size(value, &((struct rescue_request *)target)->root_bytes, e);
}

CLI_FLAG(set_dry_run, struct rescue_request, dry_run)
CLI_FLAG(set_disk_only, struct rescue_request, disk_only)
#define TIMEOUT_HELP "wait this long for the guest to power off (60), then force it off"
static const struct cli_option rescue_options[] = {
    {"root", 0, "SIZE", "size of the rescue disk; default: the image's", set_root},
    {"timeout", 0, "SECONDS", TIMEOUT_HELP, set_timeout},
    {"disk-only", 0, NULL, "make only the disk, for a domain that others define", set_disk_only},
    {"dry-run", 0, NULL, "print what would be done", set_dry_run},
    {0},
};
static const struct cli_option unrescue_options[] = {
    {"timeout", 0, "SECONDS", TIMEOUT_HELP, set_timeout},
    {"disk-only", 0, NULL, "remove only the disk; leave domain and guest alone", set_disk_only},
    {0},
};

int verb_rescue(const struct verb *self, struct globals *g, int argc, char **argv, struct error *e)
{
    struct rescue_request request = {.timeout_sec = TIMEOUT_SEC};
    int n = 0;
    const struct cli_group own[] = {{rescue_options, &request}, {image_options, &request.image}, {0}};
    int r = verb_parse_groups(self, g, own, argc, argv, 1, 1, &n, e);
    if (r != 0)
        return r;
    if (!request.image.path)
        return error_set(e, -EINVAL, "rescue: needs --image FILE");

    _cleanup_session_ struct session *s = NULL;
    _cleanup_steps_ struct steps *plan = NULL;
    bool changed = false;
    r = session_open(g, SESSION_VIRT_NEEDED, &s, e);
    if (r < 0)
        return r;
    r = instance_rescue(&s->context, argv[1], &request, &changed, &plan, e);
    progress_end(&s->progress);
    if (r < 0)
        return r;
    if (request.dry_run)
        return print_plan(g, plan, e);
    if (g->json) {
        struct json_object *document = json_changed(g, changed);
        return json_give(g, document, outcome_put_instance(document, &s->context, argv[1], NULL), e);
    }
    if (!log_is_quiet())
        printf("%s: %s\n", argv[1],
               !changed            ? "was in rescue; nothing was changed"
               : request.disk_only ? "has a rescue disk"
                                   : "started from the rescue image");
    return 0;
}

static int operate_unrescue(const struct context *c, const void *options, const char *name, bool *ret_changed,
                            struct error *e)
{
    const struct rescue_request *q = options;
    return instance_unrescue(c, name, q->timeout_sec, q->disk_only, ret_changed, e);
}

int verb_unrescue(const struct verb *self, struct globals *g, int argc, char **argv, struct error *e)
{
    static const struct each each = {.done = "left rescue; the rescue disk was removed",
                                     .unchanged = "was not in rescue; nothing was changed",
                                     .operate = operate_unrescue};
    struct rescue_request request = {.timeout_sec = TIMEOUT_SEC};
    int n = 0;
    int r = verb_parse(self, g, unrescue_options, &request, argc, argv, 1, argc, &n, e);
    return r != 0 ? r : each_run(&each, self, g, &request, true, argv + 1, n, e);
}
