/* SPDX-License-Identifier: Apache-2.0 */
/* Two key managers on the world: `local`, whose keys outlive everything, and `ephemeral`, which keeps none.
 */
#include "world.h"

#include <stdio.h>

static const struct keymgr_ops local_ops, ephemeral_ops;

static int enter(const char *call, struct error *e)
{
    struct world *w = fake_world();
    int r = world_enter(w, call, e);
    if (r >= 0 && w->keys_unreachable)
        return error_set(e, -EHOSTUNREACH, "key manager: cannot be reached");
    return r;
}

static int add_key(struct world *w, const struct key_info *want, const struct secret *s)
{
    if (w->host.n_keys == WORLD_KEYS || secret_size(s) > sizeof w->host.keys[0].bytes)
        abort();
    struct world_key *k = &w->host.keys[w->host.n_keys++];
    k->info = *want;
    uuid_make(k->info.id);
    memcpy(k->bytes, secret_peek(s), secret_size(s));
    return 0;
}

static int fake_create(struct keymgr *km, const struct key_info *want, char ret_id[KEY_ID_MAX],
                       struct secret **ret, struct error *e)
{
    struct world *w = fake_world();
    _cleanup_secret_ struct secret *s = NULL;
    int r = enter("key create", e);
    bool kept = r == 0 && km->ops->durable;
    if (r >= 0)
        r = secret_random(want->bits / 8, &s, e);
    if (r == 0 && kept)
        r = add_key(w, want, s);
    r = world_leave(w, r, e);
    if (r < 0)
        return r;
    snprintf(ret_id, KEY_ID_MAX, "%s", kept ? w->host.keys[w->host.n_keys - 1].info.id : want->owner);
    *ret = TAKE_PTR(s);
    return 0;
}

static int fake_fetch(struct keymgr *km, const char *id, struct secret **ret, struct error *e)
{
    struct world *w = fake_world();
    _cleanup_secret_ struct secret *s = NULL;
    int r = enter("key fetch", e);
    if (r < 0)
        return r;
    const struct world_key *k = world_key(w, id);
    if (!km->ops->durable || !k)
        return error_set(e, -ENOKEY, "key %s:%s: is gone for good", km->ops->name, id);
    r = secret_new(k->info.bits / 8, &s, e);
    if (r == 0)
        memcpy(secret_bytes(s), k->bytes, secret_size(s));
    r = world_leave(w, r, e);
    if (r < 0)
        return r;
    *ret = TAKE_PTR(s);
    return 0;
}

static int fake_destroy(struct keymgr *km, const char *id, struct error *e)
{
    struct world *w = fake_world();
    int r = enter("key destroy", e);
    struct world_key *k = world_key(w, id);
    if (r == 0 && km->ops->durable && k)
        world_drop(w->host.keys, &w->host.n_keys, sizeof *k, (size_t)(k - w->host.keys));
    return r < 0 ? r : world_leave(w, 0, e);
}

static int fake_list(struct keymgr *km, struct key_info **ret, size_t *ret_n, struct error *e)
{
    struct world *w = fake_world();
    int r = enter("key list", e);
    if (r >= 0)
        r = world_leave(w, 0, e);
    if (r < 0)
        return r;
    size_t n = km->ops->durable ? w->host.n_keys : 0;
    struct key_info *keys = calloc(n + 1, sizeof *keys);
    if (!keys)
        abort();
    for (size_t i = 0; i < n; i++)
        keys[i] = w->host.keys[i].info;
    *ret = keys;
    *ret_n = n;
    return 0;
}

static void fake_close(struct keymgr *km)
{
    free(km);
}

static const struct keymgr_ops local_ops = {.name = "local",
                                            .durable = true,
                                            .lists_all = true,
                                            .create = fake_create,
                                            .fetch = fake_fetch,
                                            .destroy = fake_destroy,
                                            .list = fake_list,
                                            .close = fake_close};
static const struct keymgr_ops ephemeral_ops = {.name = "ephemeral",
                                                .durable = false,
                                                .create = fake_create,
                                                .fetch = fake_fetch,
                                                .destroy = fake_destroy,
                                                .list = fake_list,
                                                .close = fake_close};

const struct keymgr_ops *fake_keymgr_find(const char *name)
{
    static const struct keymgr_ops *const all[] = {&local_ops, &ephemeral_ops};
    for (size_t i = 0; i < ARRAY_SIZE(all); i++)
        if (streq(all[i]->name, name))
            return all[i];
    return NULL;
}

int fake_keymgr_open(const struct config *c, const struct key_context *who, const char *name,
                     struct keymgr **ret, struct error *e)
{
    (void)c, (void)who;
    const struct keymgr_ops *ops = fake_keymgr_find(name);
    if (!ops)
        return error_set(e, -EINVAL, "key manager %s: there is none", name);
    struct keymgr *km = calloc(1, sizeof *km);
    if (!km)
        abort();
    km->ops = ops;
    *ret = km;
    return 0;
}
