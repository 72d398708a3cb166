/* SPDX-License-Identifier: Apache-2.0 */
/* Keys of several instances that are opened one after the other: fetched at once, before the first of them.
 *
 * It looks at them without locks. That may be wrong by the time that an instance is locked; but a key is
 * given out only by the reference that its volume then has, and what was not fetched ahead is fetched as
 * ever.
 */
#include "instance/keys.h"
#include "instance/model.h"

void keys_ahead_end(struct key_managers *all)
{
    for (size_t i = 0; i < all->n_ahead; i++)
        secret_free(all->ahead[i].secret);
    free(all->ahead);
    all->ahead = NULL;
    all->n_ahead = 0;
}

static bool is_wanted(const struct key_managers *all, const char *ref)
{
    for (size_t i = 0; i < all->n_ahead; i++)
        if (streq(all->ahead[i].ref, ref))
            return true;
    return false;
}

/* Notes the keys of its closed disks; an ephemeral one cannot be fetched. */
static void want_keys_of(const struct context *c, const struct model *m, const struct instance *i)
{
    struct key_managers *all = c->managers;
    for (size_t n = 0; i->state != INSTANCE_RUNNING && n < i->n_volumes; n++) {
        const struct volume *v = i->volumes[n];
        bool durable = false;
        if (!volume_encrypted(v) || model_map_of(m, v) || is_wanted(all, v->key) ||
            key_durable(c, v, &durable, NULL) < 0 || !durable)
            continue;
        struct key_ahead *bigger = reallocarray(all->ahead, all->n_ahead + 1, sizeof *bigger);
        if (!bigger)
            return;
        all->ahead = bigger;
        all->ahead[all->n_ahead] = (struct key_ahead){.secret = NULL};
        memcpy(all->ahead[all->n_ahead++].ref, v->key, sizeof v->key);
    }
}

static void fetch(const struct context *c)
{
    struct key_managers *all = c->managers;
    _cleanup_free_ struct key_asked *k = calloc(all->n_ahead + 1, sizeof *k);
    if (!k) {
        keys_ahead_end(all);
        return;
    }
    for (size_t i = 0; i < all->n_ahead; i++)
        k[i].id = all->ahead[i].ref;
    (void)!keys_ask(c, k, all->n_ahead, keymgr_fetch_many, NULL);
    for (size_t i = 0; i < all->n_ahead; i++) {
        all->ahead[i].secret = k[i].secret;
        all->ahead[i].error = k[i].error;
    }
}

void keys_fetch_ahead(const struct context *c, const char *const names[], size_t n)
{
    _cleanup_model_ struct model *m = NULL;
    keys_ahead_end(c->managers);
    if (n < 2 || model_load(c, &m, NULL) < 0)
        return;
    for (size_t i = 0; i < n; i++) {
        const struct instance *instance = NULL;
        if (model_find(m, names[i], &instance, NULL) == 0)
            want_keys_of(c, m, instance);
    }
    fetch(c);
}

bool key_take_ahead(const struct context *c, const char *ref, struct secret **ret, struct error *e)
{
    struct key_managers *all = c->managers;
    for (size_t i = 0; i < all->n_ahead; i++) {
        if (!streq(all->ahead[i].ref, ref))
            continue;
        *ret = all->ahead[i].secret;
        if (all->ahead[i].error.errnum)
            error_pass(e, all->ahead[i].error.errnum, &all->ahead[i].error);
        all->ahead[i] = all->ahead[--all->n_ahead];
        return true;
    }
    return false;
}
