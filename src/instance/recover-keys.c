/* SPDX-License-Identifier: Apache-2.0 */
/* Keys without volumes, and volumes without keys. The first are destroyed, if it is certain that no volume
 * can name them; the second are only told of: what they hold may not be lost, but in another key manager.
 */
#include "instance/keys.h"
#include "instance/recover.h"

#include <stdio.h>

static bool manager_listed(const struct recovery *r, const char *name)
{
    for (size_t i = 0; i < r->n_managers; i++)
        if (streq(r->managers[i], name))
            return true;
    return false;
}

static int note_keys(struct recovery *r, const char *manager, const struct key_info *keys, size_t n,
                     struct error *e)
{
    struct listed_key *bigger = reallocarray(r->keys, r->n_keys + n + 1, sizeof *bigger);
    if (!bigger)
        return error_memory(e);
    r->keys = bigger;
    for (size_t i = 0; i < n; i++) {
        struct listed_key *k = &r->keys[r->n_keys++];
        k->info = keys[i];
        snprintf(k->ref, sizeof k->ref, "%.24s:%.159s", manager, keys[i].id);
    }
    char(*managers)[KEY_ID_MAX] = reallocarray(r->managers, r->n_managers + 1, sizeof *managers);
    if (!managers)
        return error_memory(e);
    r->managers = managers;
    snprintf(r->managers[r->n_managers++], KEY_ID_MAX, "%s", manager);
    return 0;
}

/* Without any it is nobody, or the host's own user, at boot say: that one may fetch keys which others made,
 * but perhaps not list those of a project, and need not. */
static bool brought_credentials(const struct key_context *who)
{
    return who->environment || who->token || who->cloud[0];
}

static int list_manager(struct recovery *r, const char *name, struct error *e)
{
    struct keymgr *km = NULL;
    _cleanup_free_ struct key_info *keys = NULL;
    struct error why = ERROR_NONE;
    size_t n = 0;

    int result = context_keymgr(&r->context, name, &km, &why);
    if (result == 0 && !km->ops->durable)
        return 0;
    if (result == 0)
        result = keymgr_list(km, &keys, &n, &why);
    if (result == -ENOMEM)
        return error_memory(e);
    if (result == 0)
        return note_keys(r, name, keys, n, e);
    const struct keymgr_ops *ops = r->context.find_keymgr(name);
    if (result == -EACCES && ops && !ops->lists_all && !brought_credentials(r->context.who)) {
        report_warning(&r->context, "the keys of %s were not looked at: %s", name, why.text);
        return 0;
    }
    char object[sizeof r->done->object];
    snprintf(object, sizeof object, "key manager %.100s", name);
    return recovery_remains(r, object, result, e, "its keys were not looked at: %s", why.text);
}

/* Is no volume before this one under the same manager? */
static bool first_of_manager(const struct inventory *inventory, size_t i, const char *manager)
{
    size_t n = strlen(manager);
    for (size_t before = 0; before < i; before++)
        if (str_starts(inventory->volumes[before].key, manager) && inventory->volumes[before].key[n] == ':')
            return false;
    return true;
}

/* The manager of new keys, and each that a volume names: the configuration may have changed since. */
int recovery_list_keys(struct recovery *r, const struct inventory *inventory, struct error *e)
{
    const char *backend = r->context.config->key_backend;
    int result = list_manager(r, backend, e);
    for (size_t i = 0; result == 0 && i < inventory->n_volumes; i++) {
        char manager[KEY_ID_MAX], id[KEY_ID_MAX];
        const struct volume *v = &inventory->volumes[i];
        if (volume_encrypted(v) && key_ref_parse(v->key, manager, id, NULL) == 0 &&
            !streq(manager, backend) && first_of_manager(inventory, i, manager))
            result = list_manager(r, manager, e);
    }
    return result;
}

/* Also by what this run has removed meanwhile: that one's key is destroyed already. */
static bool is_named(const struct recovery *r, const char *ref)
{
    for (size_t i = 0; i < r->model->inventory->n_volumes; i++)
        if (streq(r->model->inventory->volumes[i].key, ref))
            return true;
    return false;
}

static int destroy(const struct recovery *r, const struct listed_key *k, struct error *e)
{
    struct keymgr *km = NULL;
    char manager[KEY_ID_MAX], id[KEY_ID_MAX];
    if (r->dry_run)
        return 0;
    int result = key_ref_parse(k->ref, manager, id, e);
    if (result == 0)
        result = context_keymgr(&r->context, manager, &km, e);
    return result < 0 ? result : keymgr_destroy(km, k->info.id, e);
}

int recovery_destroy_keys(struct recovery *r, struct error *e)
{
    int result = 0;
    for (size_t i = 0; result == 0 && i < r->n_keys; i++) {
        const struct listed_key *k = &r->keys[i];
        struct error why = ERROR_NONE;
        char object[sizeof r->done->object];
        if (!recovery_holds(r, k->info.owner) || is_named(r, k->ref))
            continue;
        snprintf(object, sizeof object, "key %.120s", k->ref);
        const char *doubt = keys_doubt(r->model->inventory, k->info.vg);
        if (doubt) {
            result = recovery_remains(r, object, -ENEEDSRECOVER, e,
                                      "no volume names it, but it is left: %s (%s)", doubt, k->info.vg);
            continue;
        }
        int destroyed = destroy(r, k, &why);
        result = recovery_settle(r, RECOVER_KEY, object, "no volume names it: destroyed", destroyed, &why, e);
    }
    return result;
}

static bool key_listed(const struct recovery *r, const char *ref)
{
    for (size_t i = 0; i < r->n_keys; i++)
        if (streq(r->keys[i].ref, ref))
            return true;
    return false;
}

/* Why the disk cannot be opened any more, or NULL. A key of a manager that was not asked is not missed. */
static const char *lost_key(const struct recovery *r, const struct volume *v)
{
    char manager[KEY_ID_MAX], id[KEY_ID_MAX];
    bool durable = true;
    if (!volume_encrypted(v) || v->state != VOLUME_READY)
        return NULL;
    if (key_ref_parse(v->key, manager, id, NULL) < 0 || key_durable(&r->context, v, &durable, NULL) < 0)
        return NULL;
    if (!durable && !model_map_of(r->model, v))
        return "its ephemeral key went with its map, and what it held is gone; run mayfly delete";
    const struct keymgr_ops *ops = r->context.find_keymgr(manager);
    if (durable && ops && ops->lists_all && manager_listed(r, manager) && !key_listed(r, v->key))
        return "its key is not among those that the key manager lists; if it is in no other, run mayfly "
               "delete";
    return NULL;
}

int recovery_check_key(struct recovery *r, const struct instance *i, struct error *e)
{
    int result = 0;
    for (size_t n = 0; result == 0 && n < i->n_volumes; n++) {
        const char *lost = lost_key(r, i->volumes[n]);
        char object[sizeof r->done->object];
        snprintf(object, sizeof object, "volume %s/%s", i->volumes[n]->vg, i->volumes[n]->lv);
        if (lost)
            result = recovery_remains(r, object, -ENEEDSRECOVER, e, "%s", lost);
    }
    return result;
}
