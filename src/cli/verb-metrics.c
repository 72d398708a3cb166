/* SPDX-License-Identifier: Apache-2.0 */
/* mayfly metrics: figures of this host for monitoring. A part that does not answer is a figure too, and not
 * an error, so that the rest is printed. */
#include "cli/metrics.h"
#include "cli/output-file.h"
#include "cli/recover-note.h"
#include "cli/session.h"
#include "cli/verb.h"
#include "instance/group.h"
#include "instance/key-list.h"

struct metrics_options {
    const char *output_path; /* NULL: standard output */
    bool quick;
};

CLI_TEXT(set_output, struct metrics_options, output_path)
CLI_FLAG(set_quick, struct metrics_options, quick)
static const struct cli_option metrics_options[] = {
    {"output", 0, "FILE", "write them to this file, which is replaced atomically", set_output},
    {"quick", 0, NULL, "ask no key manager behind a network", set_quick},
    {0},
};

/* Counts the instances by state. The usual states are always printed, also with the value 0. */
static int count_instances(struct metrics *m, const struct context *c, const struct model *model,
                           struct error *e)
{
    static const char *const usual[] = {"running",    "shut off", "open",      "building", "adopting",
                                        "rebuilding", "doomed",   "no domain", "unknown"};
    int r = 0;
    for (size_t i = 0; r == 0 && i < ARRAY_SIZE(usual); i++)
        r = metrics_add(m, e, 0, "mayfly_instances", "state", usual[i], NULL);
    for (size_t i = 0; r == 0 && i < model->n_instances; i++)
        r = metrics_count(m, e, "mayfly_instances", "state", instance_state_name(&model->instances[i]));
    if (r == 0)
        r = metrics_add(m, e, model->inventory->n_damaged, "mayfly_damaged_volumes", NULL);
    return r < 0 ? r : metrics_add(m, e, c->virt != NULL, "mayfly_libvirt_up", NULL);
}

static int count_keys(struct metrics *m, const struct key_list *l, struct error *e)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < l->n_managers; i++)
        for (enum key_state s = KEY_USED; r == 0 && s <= KEY_UNSEEN; s++)
            r = metrics_add(m, e, 0, "mayfly_keys", "manager", l->managers[i].name, "state",
                            key_state_name(s));
    for (size_t i = 0; r == 0 && i < l->n_keys; i++) {
        const struct key_entry *k = &l->keys[i];
        char manager[METRIC_VALUE_MAX];
        snprintf(manager, sizeof manager, "%.*s", (int)strcspn(k->ref, ":"), k->ref);
        r = metrics_add(m, e, 1, "mayfly_keys", "manager", manager, "state", key_state_name(k->state));
    }
    for (size_t i = 0; r == 0 && i < l->n_managers; i++) {
        const struct key_source *s = &l->managers[i];
        bool asked = s->km && !(l->near && s->km->ops->network);
        if (asked || !s->km)
            r = metrics_add(m, e, asked && s->error.errnum == 0, "mayfly_key_manager_listed", "manager",
                            s->name, NULL);
    }
    return r;
}

/* Adds one figure of each configured group that is here. */
static int add_of_groups(struct metrics *m, const struct inventory *i, const char *name,
                         uint64_t (*figure)(const struct group *), struct error *e)
{
    int r = 0;
    for (size_t n = 0; r == 0 && n < i->n_groups; n++)
        r = metrics_add(m, e, figure(&i->groups[n]), name, "volume_group", i->groups[n].name, NULL);
    return r;
}

#define FIGURE(member)                                                                                       \
    static uint64_t figure_##member(const struct group *g)                                                   \
    {                                                                                                        \
        return g->member;                                                                                    \
    }
FIGURE(size_bytes)
FIGURE(free_bytes)
FIGURE(metadata_size_bytes)
FIGURE(metadata_free_bytes)
#undef FIGURE

static int add_groups(struct metrics *m, const struct config *config, const struct inventory *i,
                      struct error *e)
{
    int r = 0;
    for (size_t n = 0; r == 0 && n < config->volume_groups.n; n++) {
        const char *name = config->volume_groups.item[n];
        const struct group *g = inventory_group(i, name);
        r = metrics_add(m, e, g && g->complete, "mayfly_volume_group_complete", "volume_group", name, NULL);
    }
    if (r == 0)
        r = add_of_groups(m, i, "mayfly_volume_group_size_bytes", figure_size_bytes, e);
    if (r == 0)
        r = add_of_groups(m, i, "mayfly_volume_group_free_bytes", figure_free_bytes, e);
    if (r == 0)
        r = add_of_groups(m, i, "mayfly_volume_group_metadata_size_bytes", figure_metadata_size_bytes, e);
    if (r == 0)
        r = add_of_groups(m, i, "mayfly_volume_group_metadata_free_bytes", figure_metadata_free_bytes, e);
    return r < 0 ? r : add_of_groups(m, i, "mayfly_volume_group_room_disks", group_room_disks, e);
}

/* Adds the figures of the last recover. There are none if none has run since the boot. */
static int add_recover(struct metrics *m, struct error *e)
{
    struct recover_note note;
    if (recover_note_read(&note) < 0)
        return 0;
    int r = metrics_add(m, e, note.at_sec, "mayfly_recover_last_timestamp_seconds", NULL);
    if (r == 0)
        r = metrics_add(m, e, note.status, "mayfly_recover_last_status", NULL);
    return r < 0 ? r : metrics_add(m, e, note.n_remaining, "mayfly_recover_last_remaining", NULL);
}

static int collect(const struct context *c, bool quick, struct metrics *m, struct error *e)
{
    _cleanup_model_ struct model *model = NULL;
    _cleanup_key_list_ struct key_list *keys = NULL;
    int r = model_load(c, &model, e);
    if (r == 0)
        r = (quick ? key_list_load_near : key_list_load)(c, model->inventory, &keys, e);
    if (r == 0)
        r = count_instances(m, c, model, e);
    if (r == 0)
        r = count_keys(m, keys, e);
    if (r == 0)
        r = add_groups(m, c->config, model->inventory, e);
    return r < 0 ? r : add_recover(m, e);
}

static int print(struct globals *g, const struct metrics *m, struct output_file *file, struct error *e)
{
    if (file->text)
        metrics_print(m, file->text);
    else if (!g->json)
        metrics_print(m, stdout);
    if (!g->json)
        return 0;
    struct json_object *document = json_document(g);
    return json_give(g, document, json_put(document, "metrics", metrics_json(m)), e);
}

int verb_metrics(const struct verb *self, struct globals *g, int argc, char **argv, struct error *e)
{
    struct metrics_options o = {.quick = false};
    struct output_file file = {.text = NULL};
    _cleanup_session_ struct session *s = NULL;
    _cleanup_metrics_ struct metrics m = {.n = 0};
    int n = 0;
    int r = verb_parse(self, g, metrics_options, &o, argc, argv, 0, 0, &n, e);
    if (r == 0 && o.output_path)
        r = output_file_begin(o.output_path, &file, e);
    if (r == 0)
        r = session_open(g, SESSION_VIRT_WANTED, &s, e);
    if (r == 0)
        r = collect(&s->context, o.quick, &m, e);
    if (r == 0)
        r = print(g, &m, &file, e);
    int written = output_file_end(&file, r == 0, e);
    return r != 0 ? r : written;
}
