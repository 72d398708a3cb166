/* SPDX-License-Identifier: Apache-2.0 */
/* Getting a key, and destroying it with its last user. What is destroyed here is gone for good, so a key goes
 * only if every volume that could name it was seen.
 */
#include "instance/keys.h"

#include "instance/doubt.h"

static int manager_of(const struct context *c, const struct volume *v, struct keymgr **ret,
                      char id[KEY_ID_MAX], struct error *e)
{
    char manager[KEY_ID_MAX];
    int r = key_ref_parse(v->key, manager, id, e);
    return r < 0 ? r : context_keymgr(c, manager, ret, e);
}

int key_fetch(const struct context *c, const struct volume *v, struct secret **ret, struct error *e)
{
    struct keymgr *km = NULL;
    char id[KEY_ID_MAX], name[DOMAIN_NAME_MAX];
    int r = manager_of(c, v, &km, id, e);
    if (r == 0)
        r = keymgr_fetch(km, id, ret, e);
    if (r < 0)
        error_prefix(e, "instance %s: ", context_name(c, v, name));
    return r;
}

int key_durable(const struct context *c, const struct volume *v, bool *ret, struct error *e)
{
    struct keymgr *km = NULL;
    char id[KEY_ID_MAX];
    int r = manager_of(c, v, &km, id, e);
    if (r < 0)
        error_prefix(e, "volume %s/%s: ", v->vg, v->lv);
    else
        *ret = km->durable;
    return r;
}

static bool is_among(const struct volume *v, const struct volume *const going[], size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (streq(v->disk, going[i]->disk))
            return true;
    return false;
}

/* A snapshot needs the key of its disk for no longer than that. A doomed volume is never opened again, so it
 * needs its key no more: of two deletes at work at the same time on two instances of a batch, the later one
 * sees this and destroys the key. */
static bool is_user(const struct volume *v, const char *key, const struct volume *const going[], size_t n)
{
    return key_ref_same(v->key, key) && v->state != VOLUME_DOOMED && !volume_is_snapshot(v) &&
           !is_among(v, going, n);
}

/* How many instances need the key: their volumes are side by side. */
static size_t count_users(const struct inventory *inventory, const char *key,
                          const struct volume *const going[], size_t n)
{
    const char *last = "";
    size_t users = 0;
    for (size_t i = 0; i < inventory->n_volumes; i++) {
        const struct volume *v = &inventory->volumes[i];
        if (!is_user(v, key, going, n) || streq(v->instance, last))
            continue;
        last = v->instance;
        users++;
    }
    return users;
}

static bool is_used(const struct inventory *inventory, const char *key, const struct volume *const going[],
                    size_t n)
{
    return count_users(inventory, key, going, n) > 0;
}

static int destroy(const struct context *c, const struct volume *v, struct error *e)
{
    struct keymgr *km = NULL;
    char id[KEY_ID_MAX];
    int r = manager_of(c, v, &km, id, e);
    return r < 0 ? r : keymgr_destroy(km, id, e);
}

/* May a volume that is not seen need it? While that is in doubt the last volumes of the key stay: without
 * them nothing would lead to it. A key that is one instance's alone is certain where all of that one is seen.
 */
static int find_doubt(const struct context *c, const struct inventory *inventory, const struct volume *v,
                      struct error *e)
{
    if (v->scope == KEY_SCOPE_INSTANCE)
        return doubt_of_instance(inventory, v->vg, v->instance, e);
    int r = doubt_of_group(inventory, v->vg, e);
    return r < 0 ? r : doubt_of_any_domain(c, e);
}

static int check_doubt(const struct context *c, const struct inventory *inventory, const struct volume *v,
                       struct error *e)
{
    struct error why = ERROR_NONE;
    int r = find_doubt(c, inventory, v, &why);
    return r < 0 ? error_set(e, r, "key %s: cannot be destroyed: %s%s", v->key,
                             v->scope == KEY_SCOPE_INSTANCE ? "" : "instances share it, and ", why.text)
                 : 0;
}

bool key_named(const struct inventory *inventory, const char *ref)
{
    for (size_t i = 0; i < inventory->n_volumes; i++)
        if (key_ref_same(inventory->volumes[i].key, ref))
            return true;
    return false;
}

bool first_of_key(const struct volume *const volumes[], size_t i)
{
    for (size_t before = 0; before < i; before++)
        if (key_ref_same(volumes[before]->key, volumes[i]->key))
            return false;
    return true;
}

int key_may_destroy(const struct context *c, const struct inventory *inventory, const struct volume *v,
                    const struct volume *const going[], size_t n, struct error *e)
{
    struct keymgr *km = NULL;
    struct error why = ERROR_NONE;
    char id[KEY_ID_MAX];
    if (!volume_encrypted(v) || is_used(inventory, v->key, going, n))
        return 0;
    int r = check_doubt(c, inventory, v, &why);
    if (r == 0)
        r = manager_of(c, v, &km, id, &why);
    if (r == 0)
        r = keymgr_may_destroy(km, id, &why);
    return r == -EACCES || r == -EINVAL || r == -EUNSAFE || r == -EHOSTUNREACH || r == -EKEYREJECTED
               ? error_set(e, r, "%s", why.text)
               : 0;
}

int keys_may_destroy(const struct context *c, const struct inventory *inventory,
                     const struct volume *const going[], size_t n, struct error *e)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < n; i++)
        if (first_of_key(going, i))
            r = key_may_destroy(c, inventory, going[i], going, n, e);
    return r;
}

int key_destroy_unused(const struct context *c, const struct inventory *now, const struct volume *v,
                       const struct volume *const going[], size_t n, struct key_end *ret, struct error *e)
{
    *ret = (struct key_end){KEY_FATE_NONE, 0};
    if (!volume_encrypted(v))
        return 0;
    *ret = (struct key_end){KEY_FATE_STAYS, count_users(now, v->key, going, n)};
    if (ret->n_others)
        return 0;
    ret->fate = KEY_FATE_GONE;
    int r = check_doubt(c, now, v, e);
    return r < 0 ? r : destroy(c, v, e);
}

int keys_destroy_unused(const struct context *c, const struct volume *const going[], size_t n,
                        struct key_end *ret, struct error *e)
{
    _cleanup_inventory_ struct inventory *now = NULL;
    int r = broker_list(c->broker, &now, e);
    *ret = (struct key_end){KEY_FATE_NONE, 0};
    for (size_t i = 0; r == 0 && i < n; i++) {
        struct key_end one;
        if (!first_of_key(going, i))
            continue;
        r = key_destroy_unused(c, now, going[i], going, n, &one, e);
        if (one.fate != KEY_FATE_NONE && ret->fate != KEY_FATE_STAYS)
            *ret = one;
    }
    return r;
}

int key_destroy_of_image(const struct context *c, const struct volume *v, struct error *e)
{
    _cleanup_key_listing_ struct key_listing l = {.n = 0};
    struct keymgr *km = NULL;
    char id[KEY_ID_MAX];
    int r = manager_of(c, v, &km, id, e);
    if (r == 0)
        r = keymgr_list(km, &l, e);
    for (size_t i = 0; r == 0 && i < l.n; i++)
        if (l.keys[i].scope == KEY_SCOPE_IMAGE && streq(l.keys[i].owner, v->disk))
            r = keymgr_destroy(km, l.keys[i].id, e);
    return r;
}
