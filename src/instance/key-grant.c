/* SPDX-License-Identifier: Apache-2.0 */
/* mayfly key grant: lets other users fetch a key. Only the manager judges that; no tag records it. */
#include "instance/keys.h"
#include "instance/operations.h"

static int grant(const struct context *c, const char *ref, const char *user, bool allowed, bool *ret_changed,
                 struct error *e)
{
    struct error why = ERROR_NONE;
    struct keymgr *km = NULL;
    char manager[KEY_ID_MAX], id[KEY_ID_MAX];
    int r = key_ref_parse(ref, manager, id, e);
    if (r == 0)
        r = context_keymgr(c, manager, &km, e);
    if (r < 0)
        return r;
    r = keymgr_grant(km, id, user, allowed, ret_changed, &why);
    if (r == -EOPNOTSUPP) /* an error of usage, not of the system */
        r = -EINVAL;
    return r < 0 ? error_pass(e, r, &why) : 0;
}

int key_grant(const struct context *c, const char *name_or_ref, const char *user, bool allowed,
              bool *ret_changed, struct error *e)
{
    _cleanup_model_ struct model *m = NULL;
    const struct instance *i = NULL;
    size_t n = 0;
    bool changed = false;
    if (key_ref_looks(name_or_ref))
        return grant(c, name_or_ref, user, allowed, ret_changed, e);

    int r = model_load(c, &m, e);
    if (r == 0)
        r = model_find(m, name_or_ref, &i, e);
    for (size_t v = 0; r == 0 && v < i->n_volumes; v++) {
        bool one = false;
        if (!volume_encrypted(i->volumes[v]) || !first_of_key(i->volumes, v))
            continue;
        r = grant(c, i->volumes[v]->key, user, allowed, &one, e);
        changed = changed || one;
        n++;
    }
    if (r == 0 && n == 0)
        r = error_set(e, -EINVAL, "instance %s: has no key: its disks are not encrypted", i->name);
    if (r == 0)
        *ret_changed = changed;
    return r;
}
