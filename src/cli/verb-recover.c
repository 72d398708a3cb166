/* SPDX-License-Identifier: Apache-2.0 */
/* mayfly recover: prints what was done and what remains, for people and for programs. */
#include "base/log.h"
#include "cli/exit-status.h"
#include "cli/json.h"
#include "cli/recover-note.h"
#include "cli/session.h"
#include "cli/table.h"
#include "cli/verb.h"

#include <stdio.h>
#include <time.h>

/* The answer after an installation. It is not an error, or the units of recover would fail on each host that
 * is not configured yet. */
#define NOT_CONFIGURED                                                                                       \
    "No volume group is configured (images_volume_group in [libvirt]), so there is nothing to look at."

struct recover_options {
    bool dry_run;
    bool quick;
};

CLI_FLAG(set_dry_run, struct recover_options, dry_run)
CLI_FLAG(set_quick, struct recover_options, quick)
static const struct cli_option recover_options[] = {
    {"dry-run", 0, NULL, "print what would be done", set_dry_run},
    {"quick", 0, NULL, "list keys behind a network only if a disk is unfinished", set_quick},
    {0},
};

static const char *kind_name(enum recover_kind kind)
{
    switch (kind) {
    case RECOVER_REMOVED:
        return "removed";
    case RECOVER_DELETED:
        return "deleted";
    case RECOVER_RELEASED:
        return "released";
    case RECOVER_ADOPTED:
        return "adopted";
    case RECOVER_RESUMED:
        return "resumed";
    case RECOVER_CLOSED:
        return "closed";
    case RECOVER_KEY:
        return "destroyed";
    case RECOVER_KEPT:
        return "kept";
    case RECOVER_BUSY:
        return "busy";
    case RECOVER_REMAINS:
        return "remains";
    }
    return "unknown";
}

/* Returns the name of a fault; NULL: it has no name of its own. */
static const char *fault_name(enum recover_fault fault)
{
    switch (fault) {
    case FAULT_KEY_WITHOUT_VOLUME:
        return "key without volume";
    case FAULT_VOLUME_WITHOUT_KEY:
        return "volume without key";
    case FAULT_OTHER:
        break;
    }
    return NULL;
}

static struct json_object *json_recovered(const struct recovered *one)
{
    struct json_object *result = json_object_new_object();
    const char *fault = fault_name(one->fault);
    return json_whole(result, json_put_text(result, "result", kind_name(one->kind)) &&
                                  json_put_text(result, "object", one->object) &&
                                  json_put_text(result, "text", one->text) &&
                                  (!fault || json_put_text(result, "fault", fault)));
}

static int print_table(const struct recovered *done, size_t n, struct error *e)
{
    if (n == 0) {
        printf("All is in order.\n");
        return 0;
    }
    _cleanup_table_ struct table t = TABLE("Result", "Object", "What");
    for (size_t i = 0; i < n; i++) {
        int r = table_row(&t, e, kind_name(done[i].kind), done[i].object, done[i].text);
        if (r < 0)
            return r;
    }
    table_print(&t);
    return 0;
}

static bool is_change(enum recover_kind kind)
{
    return kind != RECOVER_KEPT && kind != RECOVER_BUSY && kind != RECOVER_REMAINS;
}

static int print_json(struct globals *g, const struct recovered *done, size_t n, bool dry_run,
                      struct error *e)
{
    bool changed = false;
    for (size_t i = 0; i < n; i++)
        changed = changed || (!dry_run && is_change(done[i].kind));
    struct json_object *document = json_changed(g, changed), *results = json_object_new_array();
    bool whole = results != NULL;
    for (size_t i = 0; whole && i < n; i++)
        whole = json_append(results, json_recovered(&done[i]));
    whole = json_put(document, "results", results) && whole;
    return json_give(g, document, whole, e);
}

static void note(int fd, const struct recovered *done, size_t n, int r)
{
    struct recover_note note = {.at_sec = (uint64_t)time(NULL), .status = (unsigned)exit_status(r)};
    for (size_t i = 0; i < n; i++)
        note.n_remaining += done[i].kind == RECOVER_REMAINS;
    recover_note_write(fd, &note);
}

int verb_recover(const struct verb *self, struct globals *g, int argc, char **argv, struct error *e)
{
    struct recover_options o = {.dry_run = false};
    int n = 0;
    int r = verb_parse(self, g, recover_options, &o, argc, argv, 0, 0, &n, e);
    if (r != 0)
        return r;
    _cleanup_session_ struct session *s = NULL;
    _cleanup_free_ struct recovered *done = NULL;
    size_t n_done = 0;
    int note_fd = o.dry_run ? -1 : recover_note_open();
    r = session_open(g, SESSION_VIRT_WANTED, &s, e);
    if (r < 0) {
        note(note_fd, NULL, 0, r);
        return r;
    }
    bool configured = s->config.volume_groups.n > 0;
    unsigned how = (o.dry_run ? RECOVER_DRY_RUN : 0) | (o.quick ? RECOVER_QUICK : 0);
    r = instance_recover(&s->context, how, &done, &n_done, e);
    note(note_fd, done, n_done, r);
    if (r < 0 && !done)
        return r;
    int printed = 0;
    if (g->json)
        printed = print_json(g, done, n_done, o.dry_run, e);
    else if (!configured && !log_is_quiet())
        puts(NOT_CONFIGURED);
    else if (!log_is_quiet() || r < 0)
        printed = print_table(done, n_done, e);
    return r < 0 ? r : printed;
}
