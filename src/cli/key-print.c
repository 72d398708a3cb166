/* SPDX-License-Identifier: Apache-2.0 */
/* See key-print.h. */
#include "cli/key-print.h"

#include "cli/json.h"
#include "cli/table.h"

#include <stdio.h>
#include <time.h>

#define STATE_MAX 64

static const char *or_dash(const char *text)
{
    return *text ? text : "-";
}

/* Lists the names of the instances whose volumes name the key, separated by ", "; "-": none. The caller frees
 * it; NULL: out of memory. */
static char *users_of(const struct model *m, const struct key_entry *k)
{
    char *all = NULL;
    for (size_t i = 0; i < m->n_instances; i++) {
        if (!key_entry_used_by(k, m->instances[i].uuid))
            continue;
        char *longer = str_format("%s%s%s", all ? all : "", all ? ", " : "", m->instances[i].name);
        free(all);
        if (!longer)
            return NULL;
        all = longer;
    }
    return all ? all : strdup("-");
}

static const char *bits_of(const struct key_entry *k, char field[16])
{
    snprintf(field, 16, "%u", k->info.bits);
    return k->info.bits ? field : "-";
}

static const char *created_of(const struct key_entry *k, char field[32])
{
    time_t at = (time_t)k->info.created_sec;
    struct tm local;
    if (!at || !localtime_r(&at, &local))
        return "-";
    strftime(field, 32, "%Y-%m-%d %H:%M", &local);
    return field;
}

static const char *scope_of(const struct key_entry *k)
{
    return k->info.damaged ? "-" : key_scope_name(k->info.scope);
}

static const char *state_of(const struct key_entry *k, char field[STATE_MAX])
{
    const char *volumes = k->n_volumes == 1 ? "volume" : "volumes";
    if (k->state == KEY_UNUSED)
        return k->doubt.errnum ? "possibly unused" : "unused";
    if (k->state == KEY_IMAGE)
        return "of an image file";
    if (k->state == KEY_DAMAGED && !k->n_volumes)
        return "damaged";
    if (k->state == KEY_USED)
        snprintf(field, STATE_MAX, "used by %zu %s", k->n_volumes, volumes);
    else
        snprintf(field, STATE_MAX, "%s, %zu %s", key_state_name(k->state), k->n_volumes, volumes);
    return field;
}

static int add_row(struct table *t, const struct model *m, const struct key_entry *k, struct error *e)
{
    char bits[16], created[32], state[STATE_MAX];
    _cleanup_free_ char *users = users_of(m, k);
    if (!users)
        return error_memory(e);
    return table_row(t, e, k->ref, or_dash(k->info.owner), users, scope_of(k), bits_of(k, bits),
                     created_of(k, created), state_of(k, state));
}

int key_print_table(const struct model *m, const struct key_entry *const shown[], size_t n, struct error *e)
{
    _cleanup_table_ struct table t = TABLE("Key", "Owner", "Instances", "Scope", "Bits", "Created", "State");
    int r = 0;
    for (size_t i = 0; r == 0 && i < n; i++)
        r = add_row(&t, m, shown[i], e);
    if (r == 0)
        table_print(&t);
    return r;
}

static int print_volumes(const struct model *m, const struct key_entry *k, struct error *e)
{
    _cleanup_table_ struct table t = TABLE("Instance", "Disk", "State", "Map", "Volume");
    for (size_t i = 0; i < k->n_volumes; i++) {
        const struct volume *v = k->volumes[i];
        const struct instance *instance = NULL;
        _cleanup_free_ char *path = str_format("%s/%s", v->vg, v->lv);
        if (!path)
            return error_memory(e);
        int r = model_find(m, v->instance, &instance, e);
        if (r == 0)
            r = table_row(&t, e, instance->name, v->role, volume_state_name(v->state),
                          model_map_of(m, v) ? "open" : "closed", path);
        if (r < 0)
            return r;
    }
    table_print(&t);
    return 0;
}

int key_print_one(const struct model *m, const struct key_entry *k, struct error *e)
{
    char bits[16], created[32], state[STATE_MAX];
    printf(
        "Key:      %s\nOwner:    %s\nScope:    %s\nGroup:    %s\nBits:     %s\nCreated:  %s\nState:    %s\n",
        k->ref, or_dash(k->info.owner), scope_of(k), or_dash(k->info.vg), bits_of(k, bits),
        created_of(k, created), state_of(k, state));
    if (k->doubt.errnum)
        printf("Doubt:    %s\n", k->doubt.text);
    printf("\n");
    return k->n_volumes ? print_volumes(m, k, e) : 0;
}

/* ---------------------------------------------------------------------- JSON */

static struct json_object *json_volume(const struct model *m, const struct volume *v)
{
    const struct instance *instance = NULL;
    struct json_object *volume = json_object_new_object();
    return json_whole(volume, model_find(m, v->instance, &instance, NULL) == 0 &&
                                  json_put_text(volume, "instance", instance->name) &&
                                  json_put_text(volume, "instance_uuid", v->instance) &&
                                  json_put_text(volume, "role", v->role) &&
                                  json_put_text(volume, "volume_group", v->vg) &&
                                  json_put_text(volume, "volume", v->lv) &&
                                  json_put_text(volume, "state", volume_state_name(v->state)) &&
                                  json_put_bool(volume, "open", model_map_of(m, v) != NULL));
}

static struct json_object *json_volumes(const struct model *m, const struct key_entry *k)
{
    struct json_object *volumes = json_object_new_array();
    bool whole = volumes != NULL;
    for (size_t i = 0; whole && i < k->n_volumes; i++)
        whole = json_append(volumes, json_volume(m, k->volumes[i]));
    return json_whole(volumes, whole);
}

/* Makes the object of a key, without unknown fields. */
static struct json_object *json_key(const struct model *m, const struct key_entry *k)
{
    struct json_object *key = json_object_new_object();
    return json_whole(key,
                      json_put_text(key, "key", k->ref) &&
                          (k->info.damaged || json_put_text(key, "scope", key_scope_name(k->info.scope))) &&
                          (!*k->info.vg || json_put_text(key, "volume_group", k->info.vg)) &&
                          (!*k->info.owner || json_put_text(key, "owner", k->info.owner)) &&
                          (!k->info.bits || json_put_u64(key, "bits", k->info.bits)) &&
                          (!k->info.created_sec || json_put_u64(key, "created_sec", k->info.created_sec)) &&
                          json_put_text(key, "state", key_state_name(k->state)) &&
                          (!k->doubt.errnum || json_put_text(key, "doubt", k->doubt.text)) &&
                          json_put(key, "volumes", json_volumes(m, k)));
}

static struct json_object *json_manager(const struct key_source *s)
{
    struct json_object *manager = json_object_new_object();
    return json_whole(
        manager, json_put_text(manager, "name", s->name) &&
                     json_put_bool(manager, "listed", s->error.errnum == 0) &&
                     json_put_bool(manager, "complete", s->error.errnum == 0 && s->incomplete.errnum == 0) &&
                     (!s->place[0] || json_put_text(manager, "place", s->place)) &&
                     (!s->incomplete.errnum || json_put_text(manager, "incomplete", s->incomplete.text)) &&
                     (!s->error.errnum || json_put_text(manager, "error", s->error.text)));
}

int key_print_json(struct globals *g, const struct model *m, const struct key_list *l,
                   const struct key_entry *const shown[], size_t n, struct error *e)
{
    struct json_object *document = json_document(g), *keys = json_object_new_array(),
                       *managers = json_object_new_array();
    bool whole = keys && managers;
    for (size_t i = 0; whole && i < n; i++)
        whole = json_append(keys, json_key(m, shown[i]));
    for (size_t i = 0; whole && i < l->n_managers; i++)
        whole = json_append(managers, json_manager(&l->managers[i]));
    whole = json_put(document, "keys", keys) && whole;
    whole = json_put(document, "managers", managers) && whole;
    return json_give(g, document, whole, e);
}
