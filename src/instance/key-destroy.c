/* SPDX-License-Identifier: Apache-2.0 */
/* mayfly key destroy: destroys one key that nobody needs, before recover does. The data that it encrypted is
 * lost. So the rules of recover apply: all volumes that could name the key were seen under the lock of its
 * owner. */
#include "instance/doubt.h"
#include "instance/keys.h"
#include "instance/lock.h"
#include "instance/operations.h"

/* True if the key is `id`, which may be without its place. */
static bool is_meant(const char *listed, const char *id)
{
    const char *slash = strchr(listed, '/');
    return streq(listed, id) || (slash && streq(slash + 1, id));
}

/* Finds the key. *ret NULL: the manager does not list it. */
static int find_key(const struct context *c, const struct model *m, const char *ref,
                    struct key_list **ret_list, const struct key_entry **ret, struct error *e)
{
    char manager[KEY_ID_MAX], id[KEY_ID_MAX];
    int r = key_ref_parse(ref, manager, id, e);
    if (r == 0)
        r = key_list_load_one(c, m->inventory, manager, ret_list, e);
    if (r < 0)
        return r;
    const struct key_source *s = &(*ret_list)->managers[0];
    if (s->error.errnum)
        return error_pass(e, s->error.errnum, &s->error);
    const struct key_entry *k = key_list_find(*ret_list, ref);
    *ret = k && k->listed && is_meant(k->info.id, id) ? k : NULL;
    return 0;
}

/* Explains that the key is not listed: it may be another user's, in a folder that is not mounted, destroyed
 * already, or a typing error. */
static int not_there(struct keymgr *km, const char *ref, const char *id, struct error *e)
{
    struct error why = ERROR_NONE;
    int r = keymgr_check_gone(km, id, &why);
    bool names_place = strchr(id, '/');
    if (r == 0 || (r == -EHOSTUNREACH && !names_place))
        return error_set(e, -ENOENT, "key %s: key manager %s has no such key; see mayfly key list", ref,
                         km->ops->name);
    if (r != -EEXIST)
        return error_pass(e, r, &why);
    return error_set(e, -EUNSAFE,
                     "key %s: is not destroyed: it is not among the keys of this host that you may see; ask "
                     "the user who made it",
                     ref);
}

static int named(const struct model *m, const struct volume *v, struct error *e)
{
    const struct instance *i = NULL;
    int r = model_find(m, v->instance, &i, e);
    if (r < 0)
        return r; /* unreached: a model has an instance for each of its volumes */
    if (i->state == INSTANCE_BUILDING || i->state == INSTANCE_ADOPTING || i->state == INSTANCE_DOOMED)
        return error_set(e, -EUNSAFE,
                         "key %s: is not destroyed: volume %s/%s of instance %s, which is %s, names it; run "
                         "mayfly recover",
                         v->key, v->vg, v->lv, i->name, instance_state_name(i));
    return error_set(e, -EUNSAFE,
                     "key %s: is not destroyed: volume %s/%s of instance %s needs it; mayfly delete %s "
                     "destroys both",
                     v->key, v->vg, v->lv, i->name, i->name);
}

/* Checks that no volume names the key now. */
static int check_unnamed(const struct context *c, const char *ref, struct model **ret, struct error *e)
{
    _cleanup_model_ struct model *m = NULL;
    int r = model_load(c, &m, e);
    for (size_t i = 0; r == 0 && i < m->inventory->n_volumes; i++)
        if (key_ref_same(m->inventory->volumes[i].key, ref))
            r = named(m, &m->inventory->volumes[i], e);
    if (r == 0)
        *ret = TAKE_PTR(m);
    return r;
}

static int destroy_locked(const struct context *c, struct keymgr *km, const char *ref,
                          const struct key_list *l, const struct key_entry *k, struct error *e)
{
    _cleanup_model_ struct model *m = NULL;
    struct error doubt = ERROR_NONE;
    _cleanup_doubts_ struct doubts now = {.knows_domains = false};
    int r = check_unnamed(c, ref, &m, e);
    if (r < 0)
        return r;
    r = doubt_of_unnamed(c, l, m->inventory, &now, k, &doubt);
    if (r < 0)
        return error_set(e, r, "key %s: is not destroyed: no volume is seen to name it, but %s", ref,
                         doubt.text);
    return keymgr_destroy(km, k->info.id, e);
}

/* Destroys the key, under the lock of its owner. The owner of a damaged key is not known, but no launch at
 * work has a damaged key. */
static int destroy_key(const struct context *c, struct keymgr *km, const char *ref, const struct key_list *l,
                       const struct key_entry *k, struct error *e)
{
    int r = k->info.damaged ? 0 : model_lock_uuid(c, k->info.owner, e);
    if (r < 0) {
        error_prefix(e, "key %s: is not destroyed: ", ref);
        return r;
    }
    r = destroy_locked(c, km, ref, l, k, e);
    if (!k->info.damaged)
        broker_unlock(c->broker, k->info.owner);
    return r;
}

int key_destroy(const struct context *c, const char *ref, struct error *e)
{
    _cleanup_model_ struct model *m = NULL;
    _cleanup_key_list_ struct key_list *l = NULL;
    const struct key_entry *k = NULL;
    char manager[KEY_ID_MAX], id[KEY_ID_MAX];
    struct keymgr *km = NULL;

    int r = key_ref_parse(ref, manager, id, e);
    if (r == 0)
        r = context_keymgr(c, manager, &km, e);
    if (r == 0 && !km->durable)
        return error_set(e, -EINVAL,
                         "key %s: cannot be destroyed: key manager %s keeps no keys; they end when their "
                         "disks are closed, by mayfly delete",
                         ref, manager);
    if (r == 0)
        r = check_unnamed(c, ref, &m, e);
    if (r == 0)
        r = find_key(c, m, ref, &l, &k, e);
    if (r == 0)
        r = k ? destroy_key(c, km, ref, l, k, e) : not_there(km, ref, id, e);
    return r;
}
