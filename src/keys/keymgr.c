/* SPDX-License-Identifier: Apache-2.0 */
/* The list of key managers, and what is the same for all of them. It never looks into a secret. */
#include "keys/keymgr.h"

#include "base/audit.h"

#include <stdio.h>

static const struct keymgr_ops *const managers[] = {
    &keymgr_local,
    &keymgr_ephemeral,
    &keymgr_barbican,
};

const struct keymgr_ops *keymgr_find(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(managers); i++)
        if (streq(managers[i]->name, name))
            return managers[i];
    return NULL;
}

int keymgr_open(const struct config *c, const struct key_context *who, const char *name, struct keymgr **ret,
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

static int check_want(const struct keymgr *km, const struct key_info *want, struct error *e)
{
    if (!uuid_valid(want->owner))
        return error_set(e, -EINVAL, "key manager %s: cannot make a key: \"%s\" is no uuid", km->ops->name,
                         want->owner);
    if (!config_vg_name_valid(want->vg))
        return error_set(e, -EINVAL, "key manager %s: cannot make a key: \"%s\" is no volume group",
                         km->ops->name, want->vg);
    if (want->bits < KEY_BITS_MIN || want->bits > KEY_BITS_MAX || want->bits % 8)
        return error_set(e, -EINVAL,
                         "key manager %s: cannot make a key of %u bits: they are 128 to 512, in whole bytes",
                         km->ops->name, want->bits);
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

/* What was done with a key, or tried. `id` NULL: it was to be made. `info` may be NULL. */
static void audit(const struct keymgr *km, const char *action, const char *id, const struct key_info *info,
                  const char *grantee, int result, const struct error *e)
{
    char ref[KEY_REF_MAX] = "";
    if (id)
        snprintf(ref, sizeof ref, "%s:%s", km->ops->name, id);
    audit_write(&(struct audit_event){
        .kind = AUDIT_KEY,
        .action = action,
        .instance = info && info->scope == KEY_SCOPE_INSTANCE ? info->owner : NULL,
        .key = ref,
        .grantee = grantee,
        .result = result,
        .reason = e ? e->text : NULL,
    });
}

/* One by one; after an error those before it are destroyed again. One that cannot be is left to recover. */
static int create_each(struct keymgr *km, const struct key_info want[], size_t n, struct key_made ret[],
                       struct error *e)
{
    for (size_t i = 0; i < n; i++) {
        int r = km->ops->create(km, &want[i], ret[i].id, &ret[i].secret, e);
        if (r == 0)
            continue;
        while (i-- > 0) {
            ret[i].secret = secret_free(ret[i].secret);
            (void)!km->ops->destroy(km, ret[i].id, NULL);
        }
        return r;
    }
    return 0;
}

int keymgr_create_many(struct keymgr *km, const struct key_info want[], size_t n, struct key_made ret[],
                       struct error *e)
{
    for (size_t i = 0; i < n; i++) {
        ret[i] = (struct key_made){.secret = NULL};
        int r = check_want(km, &want[i], e);
        if (r < 0)
            return r;
    }
    int r =
        km->ops->create_many ? km->ops->create_many(km, want, n, ret, e) : create_each(km, want, n, ret, e);
    for (size_t i = 0; i < n; i++)
        audit(km, "create", r == 0 ? ret[i].id : NULL, &want[i], NULL, r, e);
    return r;
}

int keymgr_import(struct keymgr *km, const struct key_info *info, const struct secret *secret,
                  struct error *e)
{
    if (!km->ops->import)
        return error_set(e, -EOPNOTSUPP, "key manager %s: takes no key that was made elsewhere",
                         km->ops->name);
    int r = check_want(km, info, e);
    if (r == 0 && secret_size(secret) != info->bits / 8)
        r = error_set(e, -EINVAL, "key manager %s: a key of %zu bytes has not %u bits", km->ops->name,
                      secret_size(secret), info->bits);
    if (r < 0)
        return r;
    r = km->ops->import(km, info, secret, e);
    audit(km, "import", info->id, info, NULL, r, e);
    return r;
}

int keymgr_fetch(struct keymgr *km, const char *id, struct secret **ret, struct error *e)
{
    int r = km->ops->fetch(km, id, ret, e);
    audit(km, "fetch", id, NULL, NULL, r, e);
    return r;
}

int keymgr_may_destroy(struct keymgr *km, const char *id, struct error *e)
{
    return km->ops->may_destroy ? km->ops->may_destroy(km, id, e) : 0;
}

int keymgr_destroy(struct keymgr *km, const char *id, struct error *e)
{
    int r = km->ops->destroy(km, id, e);
    audit(km, "destroy", id, NULL, NULL, r, e);
    return r;
}

int keymgr_list(struct keymgr *km, struct key_info **ret, size_t *ret_n, struct error *e)
{
    return km->ops->list(km, ret, ret_n, e);
}

int keymgr_grant(struct keymgr *km, const char *id, const char *user, bool allowed, bool *ret_changed,
                 struct error *e)
{
    if (!km->ops->grant)
        return error_set(e, -EOPNOTSUPP, "key manager %s: cannot grant a key: it knows no users",
                         km->ops->name);
    int r = km->ops->grant(km, id, user, allowed, ret_changed, e);
    audit(km, allowed ? "grant" : "revoke", id, NULL, user ? user : "host", r, e);
    return r;
}

int keymgr_diagnose(struct keymgr *km, struct key_finding ret[KEY_FINDINGS_MAX], size_t *ret_n,
                    struct error *e)
{
    *ret_n = 0;
    return km->ops->diagnose ? km->ops->diagnose(km, ret, ret_n, e) : 0;
}

int key_ref_parse(const char *ref, char manager[KEY_ID_MAX], char id[KEY_ID_MAX], struct error *e)
{
    const char *colon = strchr(ref, ':');
    size_t n = colon ? (size_t)(colon - ref) : 0;
    if (n == 0 || n >= KEY_ID_MAX || !colon[1] || strlen(colon + 1) >= KEY_ID_MAX ||
        !str_made_of(ref, "_+.-/=!:#&"))
        return error_set(e, -EINVAL, "key reference \"%.64s\": is not of the form MANAGER:ID", ref);
    memcpy(manager, ref, n);
    manager[n] = '\0';
    return str_copy(id, KEY_ID_MAX, colon + 1);
}
