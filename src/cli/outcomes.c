/* SPDX-License-Identifier: Apache-2.0 */
/* See outcomes.h. */
#include "cli/outcomes.h"

#include "cli/exit-status.h"

void outcomes_begin(struct outcomes *o)
{
    o->array = json_object_new_array();
    o->changed = false;
    o->whole = o->array != NULL;
}

void outcomes_end(struct outcomes *o)
{
    json_object_put(o->array);
}

static const char *fate_name(enum key_fate fate)
{
    switch (fate) {
    case KEY_FATE_GONE:
        return "destroyed";
    case KEY_FATE_STAYS:
        return "shared";
    case KEY_FATE_CALLERS:
        return "kept";
    case KEY_FATE_LEFT:
        return "left";
    case KEY_FATE_FORGOTTEN:
        return "forgotten";
    case KEY_FATE_NONE:
        break;
    }
    return "none";
}

static struct json_object *json_key_end(const struct key_end *key)
{
    struct json_object *object = json_object_new_object();
    return json_whole(object,
                      json_put_text(object, "key", key->ref) &&
                          json_put_text(object, "fate", fate_name(key->fate)) &&
                          (key->fate != KEY_FATE_STAYS || json_put_u64(object, "users", key->n_others)));
}

/* Adds no keys for an instance that had none. */
static bool put_keys(struct json_object *object, const struct key_end *key)
{
    struct json_object *keys = json_object_new_array();
    bool whole = keys && (key->fate == KEY_FATE_NONE || json_append(keys, json_key_end(key)));
    return json_put(object, "keys", keys) && whole;
}

void outcomes_add(struct outcomes *o, const char *name, bool changed, const struct key_end *key,
                  const struct error *error)
{
    struct json_object *one = json_object_new_object();
    bool failed = error->errnum != 0;
    bool whole = json_put_text(one, "name", name) && json_put_bool(one, "changed", changed && !failed) &&
                 (!key || failed || put_keys(one, key)) &&
                 (!failed || json_put(one, "error", exit_status_json(error)));
    o->whole = json_append(o->array, one) && whole && o->whole;
    o->changed = o->changed || (changed && !failed);
}

struct model *outcome_look(const struct context *c)
{
    struct model *m = NULL;
    struct error why = ERROR_NONE;
    if (model_load(c, &m, &why) < 0)
        report_warning(c, "the change was made, but the instances could not be examined afterwards: %s",
                       why.text);
    return m;
}

const struct instance *outcome_find(const struct model *m, const char *name)
{
    const struct instance *i = NULL;
    return m && model_find(m, name, &i, NULL) == 0 ? i : NULL;
}

int outcomes_give(struct outcomes *o, struct globals *g, const struct context *c, struct error *e)
{
    _cleanup_model_ struct model *m = c ? outcome_look(c) : NULL;
    for (size_t n = 0; o->whole && n < json_object_array_length(o->array); n++) {
        struct json_object *one = json_object_array_get_idx(o->array, n), *name = NULL;
        const struct instance *i = json_object_object_get_ex(one, "name", &name)
                                       ? outcome_find(m, json_object_get_string(name))
                                       : NULL;
        o->whole = !i || json_put(one, "instance", json_instance(m, i));
    }
    struct json_object *document = json_changed(g, o->changed);
    bool whole = json_put(document, "outcomes", o->array) && o->whole;
    o->array = NULL;
    return json_give(g, document, whole, e);
}

bool outcome_put_instance(struct json_object *document, const struct context *c, const char *name,
                          const char *role_or_alias)
{
    _cleanup_model_ struct model *m = outcome_look(c);
    const struct instance *i = outcome_find(m, name);
    if (!i)
        return true;
    bool whole = json_put(document, "instance", json_instance(m, i));
    const struct volume *disk = role_or_alias ? instance_disk(i, role_or_alias) : NULL;
    return whole && (!disk || json_put(document, "disk", json_disk(m, disk)));
}
