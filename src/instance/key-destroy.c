/* SPDX-License-Identifier: Apache-2.0 */
/* mayfly key destroy: one key that nobody needs, before recover comes to it. What it encrypted is gone with
 * it, so it goes by the rules of recover: all that could name it was seen under the lock of its owner.
 */
#include "instance/keys.h"
#include "instance/operations.h"

/* `id` may be without the place. */
static bool is_meant(const char *listed, const char *id)
{
    const char *slash = strchr(listed, '/');
    return streq(listed, id) || (slash && streq(slash + 1, id));
}

/* *ret_listed: the manager lists it, and *ret is filled in. */
static int find_key(struct keymgr *km, const char *id, struct key_info *ret, bool *ret_listed,
                    struct error *e)
{
    _cleanup_key_listing_ struct key_listing l = {.n = 0};
    int r = keymgr_list(km, &l, e);
    if (r < 0)
        return r;
    size_t i = 0;
    while (i < l.n && !is_meant(l.keys[i].id, id))
        i++;
    if (i < l.n)
        *ret = l.keys[i];
    *ret_listed = i < l.n;
    return 0;
}

/* 0: it is gone. That it is not listed may also mean that it is another's, or that a folder is not mounted.
 */
static int check_gone(struct keymgr *km, const char *ref, const char *id, struct error *e)
{
    _cleanup_secret_ struct secret *key = NULL;
    struct error why = ERROR_NONE;
    int r = keymgr_fetch(km, id, &key, &why);
    if (r == -ENOKEY)
        return 0;
    if (r < 0)
        return error_set(e, r, "%s", why.text);
    return error_set(e, -EUNSAFE,
                     "key %s: is not destroyed: it is not among the keys of this host that you may see; ask "
                     "whoever made it",
                     ref);
}

static int named(const struct model *m, const struct volume *v, struct error *e)
{
    const struct instance *i = NULL;
    int r = model_find(m, v->instance, &i, e);
    if (r < 0)
        return r;
    if (i->state == INSTANCE_BUILDING || i->state == INSTANCE_ADOPTING || i->state == INSTANCE_DOOMED)
        return error_set(e, -EUNSAFE,
                         "key %s: is not destroyed: volume %s/%s of instance %s, which is %s, has it; run "
                         "mayfly recover",
                         v->key, v->vg, v->lv, i->name, instance_state_name(i));
    return error_set(e, -EUNSAFE,
                     "key %s: is not destroyed: volume %s/%s of instance %s needs it; mayfly delete %s "
                     "destroys both",
                     v->key, v->vg, v->lv, i->name, i->name);
}

/* As it is now: no volume names it. */
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

static int destroy(const struct context *c, struct keymgr *km, const char *ref, const struct key_info *key,
                   struct error *e)
{
    _cleanup_model_ struct model *m = NULL;
    int r = broker_lock(c->broker, key->owner, e);
    if (r < 0)
        error_prefix(e, "key %s: is not destroyed: ", ref);
    if (r == 0)
        r = check_unnamed(c, ref, &m, e);
    if (r < 0)
        return r;
    const char *doubt = keys_doubt(m->inventory, key->vg, key->owner);
    if (doubt)
        return error_set(e, -EUNSAFE,
                         "key %s: is not destroyed: no volume is seen that names it, but %s (%s); mend that "
                         "first, see mayfly doctor",
                         ref, doubt, key->vg);
    return keymgr_destroy(km, key->id, e);
}

int key_destroy(const struct context *c, const char *ref, bool *ret_changed, struct error *e)
{
    _cleanup_model_ struct model *m = NULL;
    char manager[KEY_ID_MAX], id[KEY_ID_MAX];
    struct keymgr *km = NULL;
    struct key_info key;
    bool listed = false;

    int r = key_ref_parse(ref, manager, id, e);
    if (r == 0)
        r = context_keymgr(c, manager, &km, e);
    if (r == 0 && !km->durable)
        return error_set(e, -EINVAL,
                         "key %s: cannot be destroyed: key manager %s keeps none; they go when their disks "
                         "are closed, by mayfly delete",
                         ref, manager);
    if (r == 0)
        r = check_unnamed(c, ref, &m, e);
    if (r == 0)
        r = find_key(km, id, &key, &listed, e);
    if (r == 0)
        r = listed ? destroy(c, km, ref, &key, e) : check_gone(km, ref, id, e);
    if (r == 0)
        *ret_changed = listed;
    return r;
}
