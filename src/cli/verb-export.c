/* SPDX-License-Identifier: Apache-2.0 */
/* mayfly export: a disk as an image file, and which key that has. */
#include "base/log.h"
#include "cli/globals.h"
#include "cli/json.h"
#include "cli/plan.h"
#include "cli/session.h"
#include "cli/verb.h"

#include <stdio.h>
#include <unistd.h>

CLI_TEXT(set_disk, struct export_request, role)
static int set_room(void *target, const char *value, struct error *e)
{
    return cli_parse_size(value, &((struct export_request *)target)->room_bytes, e);
}

static int set_output_fd(void *target, const char *value, struct error *e)
{
    int *fd = &((struct export_request *)target)->output_fd;
    int r = cli_parse_fd(value, fd, e);
    return r == 0 && *fd == STDIN_FILENO ? error_set(e, -EINVAL, "descriptor 0 is standard input") : r;
}

CLI_FLAG(set_plaintext, struct export_request, plaintext)
CLI_FLAG(set_dry_run, struct export_request, dry_run)
static const struct cli_option export_options[] = {
    {"disk", 0, "ROLE", "the disk: root, eph0, ...; else the first", set_disk},
    {"room", 0, "SIZE", "for what the guest writes meanwhile; else a fifth of the disk", set_room},
    {"plaintext", 0, NULL, "do not encrypt the file", set_plaintext},
    {"output-fd", 0, "N", "write a raw image to descriptor N, and no file", set_output_fd},
    {"dry-run", 0, NULL, "print what would be done", set_dry_run},
    {0},
};

static int print_json(struct globals *g, const struct exported *done, const char *path, struct error *e)
{
    struct json_object *document = json_changed(g, true), *exported = json_object_new_object();
    bool whole = json_put_text(exported, "instance", done->instance) &&
                 json_put_text(exported, "instance_uuid", done->uuid) &&
                 json_put_text(exported, "role", done->role) &&
                 (!path || json_put_text(exported, "file", path)) &&
                 json_put_u64(exported, "size_bytes", done->size_bytes) &&
                 json_put_bool(exported, "encrypted", *done->key) &&
                 (!*done->key || json_put_text(exported, "key", done->key));
    whole = json_put(document, "export", exported) && whole;
    return json_give(g, document, whole, e);
}

static int print(struct globals *g, const struct exported *done, const char *path, struct error *e)
{
    if (g->json)
        return print_json(g, done, path, e);
    if (path && !log_is_quiet())
        printf("%s  %s\n", path, *done->key ? done->key : "plaintext");
    return 0;
}

/* Checks where it goes: to a file, or to a descriptor, which takes only plaintext. */
static int take_target(struct export_request *q, const char *file, struct error *e)
{
    if (!file == !q->output_fd)
        return error_set(e, -EINVAL, "export: needs either a file or --output-fd");
    if (q->output_fd && !q->plaintext)
        return error_set(e, -EINVAL, "export: output to a descriptor is not encrypted; add --plaintext");
    q->path = file ? file : "of --output-fd";
    return 0;
}

int verb_export(const struct verb *self, struct globals *g, int argc, char **argv, struct error *e)
{
    struct export_request request = {.name = NULL};
    struct exported done;
    _cleanup_image_keeper_ struct image_keeper *keeper = NULL;
    _cleanup_session_ struct session *s = NULL;
    _cleanup_steps_ struct steps *plan = NULL;
    int n = 0;
    int r = verb_parse(self, g, export_options, &request, argc, argv, 1, 2, &n, e);
    if (r == 0)
        r = take_target(&request, n > 1 ? argv[2] : NULL, e);
    if (r != 0)
        return r;
    request.name = argv[1];
    r = request.output_fd ? 0 : session_start_keeper(&keeper, e);
    request.keeper = keeper;
    if (r == 0)
        r = session_open(g, SESSION_VIRT_WANTED, &s, e);
    if (r < 0)
        return r;
    r = instance_export(&s->context, &request, &done, request.dry_run ? &plan : NULL, e);
    progress_end(&s->progress);
    if (r < 0)
        return r;
    return request.dry_run ? print_plan(g, plan, e)
                           : print(g, &done, request.output_fd ? NULL : request.path, e);
}
