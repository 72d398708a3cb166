/* SPDX-License-Identifier: Apache-2.0 */
/* The list of key managers, and the code that all of them share: above all, "there is no such key" counts
 * only if it comes from the place that the reference names. It never looks into a secret. */
#include "keys/key-audit.h"
#include "keys/place.h"

#include <stdio.h>

static const struct keymgr_ops *const managers[] = {
    &keymgr_local,
    &keymgr_ephemeral,
    &keymgr_barbican,
};

int keymgr_open(const struct config *c, struct key_context *who, const char *name, struct keymgr **ret,
                struct error *e)
{
    char names[256] = "";
    for (size_t i = 0, used = 0; i < ARRAY_SIZE(managers) && used < sizeof names; i++) {
        if (streq(managers[i]->name, name)) {
            struct keymgr *km = NULL;
            int r = managers[i]->open(managers[i], c, who, &km, e);
            if (r < 0)
                return r;
            km->ops = managers[i];
            *ret = km;
            return 0;
        }
        used += (size_t)snprintf(names + used, sizeof names - used, "%s%s", i ? ", " : "", managers[i]->name);
    }
    return error_set(e, -EINVAL, "key manager %.64s: there is no such manager; there are %s", name, names);
}

struct keymgr *keymgr_close(struct keymgr *km)
{
    if (km)
        km->ops->close(km);
    return NULL;
}

int key_want_check(const char *manager, const struct key_info *want, struct error *e)
{
    if (!uuid_valid(want->owner))
        return error_set(e, -EINVAL, "key manager %s: cannot make a key: \"%s\" is not a uuid", manager,
                         want->owner);
    if (!volume_group_valid(want->vg))
        return error_set(e, -EINVAL,
                         "key manager %s: cannot make a key: \"%s\" is not the name of a volume group",
                         manager, want->vg);
    if (want->bits < KEY_BITS_MIN || want->bits > KEY_BITS_MAX || want->bits % 8)
        return error_set(e, -EINVAL,
                         "key manager %s: cannot make a key of %u bits: they are 128 to 512, in whole bytes",
                         manager, want->bits);
    return 0;
}

int keymgr_create(struct keymgr *km, const struct key_info *want, char ret_id[KEY_ID_MAX],
                  struct secret **ret, struct error *e)
{
    struct key_made made = {.secret = NULL};
    int r = keymgr_create_many(km, want, 1, &made, e);
    if (r < 0)
        return r;
    memcpy(ret_id, made.id, KEY_ID_MAX);
    *ret = made.secret;
    return 0;
}

/* Destroys a key that was just made. If that fails, recover does it. */
static void destroy_again(struct keymgr *km, const char *own_id)
{
    struct key_asked k = {.id = own_id};
    key_ask_destroy(km, &k, 1);
}

/* Makes keys one by one. After an error the earlier ones are destroyed again. */
static int create_each(struct keymgr *km, const struct key_info want[], size_t n, struct key_made ret[],
                       struct error *e)
{
    for (size_t i = 0; i < n; i++) {
        int r = km->ops->create(km, &want[i], ret[i].id, &ret[i].secret, e);
        if (r == 0)
            continue;
        while (i-- > 0) {
            ret[i].secret = secret_free(ret[i].secret);
            destroy_again(km, ret[i].id);
        }
        return r;
    }
    return 0;
}

/* Puts the place before the ids of new keys. After an error all of them are destroyed again, as far as that
 * can be done. */
static int name_made(struct keymgr *km, const char *place, struct key_made made[], size_t n, struct error *e)
{
    size_t named = 0;
    int r = 0;
    while (r == 0 && named < n) {
        r = key_add_place(km, place, made[named].id, e);
        named += r == 0;
    }
    for (size_t i = 0; r < 0 && i < n; i++) {
        struct key_at at = {.id = made[i].id}; /* the manager's own id, which has no place yet */
        made[i].secret = secret_free(made[i].secret);
        if (i >= named || key_locate(km, made[i].id, &at, NULL) == 0)
            destroy_again(km, at.id);
    }
    return r;
}

int keymgr_create_many(struct keymgr *km, const struct key_info want[], size_t n, struct key_made ret[],
                       struct error *e)
{
    char place[KEY_PLACE_MAX];
    for (size_t i = 0; i < n; i++) {
        ret[i] = (struct key_made){.secret = NULL};
        int r = key_want_check(km->ops->name, &want[i], e);
        if (r < 0)
            return r;
    }
    int r = keymgr_place(km, true, place, e);
    if (r == 0)
        r = km->ops->create_many ? km->ops->create_many(km, want, n, ret, e)
                                 : create_each(km, want, n, ret, e);
    if (r == 0)
        r = name_made(km, place, ret, n, e);
    for (size_t i = 0; i < n; i++)
        key_audit(km, "create", r == 0 ? ret[i].id : NULL, &want[i], NULL, r, e);
    return r;
}

int keymgr_new_id(struct keymgr *km, bool make_place, const char *own, char ret_id[KEY_ID_MAX],
                  struct error *e)
{
    char place[KEY_PLACE_MAX];
    int r = keymgr_place(km, make_place, place, e);
    if (r == 0 && str_copy(ret_id, KEY_ID_MAX, own) < 0)
        r = error_set(e, -EINVAL, "key %s:%.64s: its id is too long", km->ops->name, own);
    return r < 0 ? r : key_add_place(km, place, ret_id, e);
}

int keymgr_import(struct keymgr *km, const struct key_info *info, const struct secret *secret,
                  struct error *e)
{
    struct key_info kept = *info;
    struct key_at at;
    char place[KEY_PLACE_MAX];
    if (!km->ops->import)
        return error_set(e, -EOPNOTSUPP, "key manager %s: takes no key that was made elsewhere",
                         km->ops->name);
    int r = key_want_check(km->ops->name, info, e);
    if (r == 0 && secret_size(secret) != info->bits / 8)
        r = error_set(e, -EINVAL, "key manager %s: a key of %zu bytes does not have %u bits", km->ops->name,
                      secret_size(secret), info->bits);
    if (r == 0)
        r = key_locate(km, info->id, &at, e);
    if (r == 0)
        r = keymgr_place(km, true, place, e);
    if (r == 0)
        r = key_check_place(km, &at, e);
    if (r == 0)
        r = str_copy(kept.id, sizeof kept.id, at.id);
    if (r < 0)
        return r;
    r = km->ops->import(km, &kept, secret, e);
    key_audit(km, "import", info->id, info, NULL, r, e);
    return r;
}

void key_listing_end(struct key_listing *l)
{
    free(l->keys);
    *l = (struct key_listing){.n = 0};
}

int keymgr_list(struct keymgr *km, struct key_listing *ret, struct error *e)
{
    _cleanup_key_listing_ struct key_listing l = {.n = 0};
    char place[KEY_PLACE_MAX];
    int r = keymgr_place(km, false, place, e);
    if (r == 0)
        r = km->ops->list(km, &l, e);
    for (size_t i = 0; r == 0 && i < l.n; i++)
        r = key_add_place(km, place, l.keys[i].id, e);
    if (r < 0)
        return r;
    *ret = l;
    l = (struct key_listing){.n = 0};
    return 0;
}

static int grant(struct keymgr *km, const char *id, const char *user, bool allowed, bool *ret_changed,
                 struct error *e)
{
    struct error why = ERROR_NONE;
    struct key_at at;
    int r = key_locate(km, id, &at, e);
    if (r < 0)
        return r;
    r = km->ops->grant(km, at.id, user, allowed, ret_changed, &why);
    if (r == -ENOKEY)
        return key_judge_absence(km, &at, &why, e);
    return r < 0 ? error_pass(e, r, &why) : 0;
}

int keymgr_grant(struct keymgr *km, const char *id, const char *user, bool allowed, bool *ret_changed,
                 struct error *e)
{
    if (!km->ops->grant)
        return error_set(e, -EOPNOTSUPP, "key manager %s: cannot grant a key: it knows no users",
                         km->ops->name);
    int r = grant(km, id, user, allowed, ret_changed, e);
    key_audit(km, allowed ? "grant" : "revoke", id, NULL, user ? user : "host", r, e);
    return r;
}

int keymgr_diagnose(struct keymgr *km, struct key_finding ret[KEY_FINDINGS_MAX], size_t *ret_n,
                    struct error *e)
{
    *ret_n = 0;
    return km->ops->diagnose ? km->ops->diagnose(km, ret, ret_n, e) : 0;
}

bool key_ref_looks(const char *text)
{
    size_t n = strcspn(text, ":");
    for (size_t i = 0; text[n] && i < ARRAY_SIZE(managers); i++)
        if (strlen(managers[i]->name) == n && strncmp(managers[i]->name, text, n) == 0)
            return true;
    return false;
}
