/* SPDX-License-Identifier: Apache-2.0 */
/* Three key managers on the world.
 *
 *     local      keys outlive everything, and whoever asks sees them all
 *     ephemeral  keeps none
 *     barbican   as one behind a network: keys of a project, which that one alone lists and destroys; the
 *                host's own user may read those that were opened to it. N keys are made in phases over all of
 *                them (store, grant, consumer), and fetched and destroyed together, each request a call of
 * its own for the injector.
 */
#include "world.h"

#include <stdio.h>

#define MADE_SEC 1800000000 /* all keys at once, since two worlds are compared byte by byte */

struct fake_keymgr {
    struct keymgr base;
    char project[WORLD_PROJECT_MAX]; /* of who asks; "": nobody */
    bool host_access;
};

static const struct keymgr_ops local_ops, ephemeral_ops, barbican_ops;

static const char *asker(const struct keymgr *km)
{
    return ((const struct fake_keymgr *)km)->project;
}

static int enter(const char *call, struct error *e)
{
    struct world *w = fake_world();
    int r = world_enter(w, call, e);
    if (r >= 0 && w->keys_unreachable)
        return error_set(e, -EHOSTUNREACH, "key manager: cannot be reached");
    return r;
}

static struct world_key *find(const struct keymgr *km, const char *id)
{
    struct world_key *k = fake_world()->place == PLACE_OWN ? world_key(fake_world(), id) : NULL;
    return k && streq(k->manager, km->ops->name) ? k : NULL;
}

static int check_id(const struct keymgr *km, const char *id, struct error *e)
{
    if (uuid_valid(id))
        return 0;
    return error_set(e, -EINVAL, "key %s:%s: is not an id of this key manager", km->ops->name, id);
}

/* Is it the asker's own? In `local` all are. `k` NULL: there is none, which whoever is known may be told. */
static int check_own(const struct keymgr *km, const struct world_key *k, struct error *e)
{
    if (km->ops != &barbican_ops)
        return 0;
    if (!asker(km)[0])
        return error_set(e, -EACCES, "key manager barbican: no credentials");
    if (k && !streq(k->project, asker(km)))
        return error_set(e, -EACCES, "key barbican:%s: is not that of project %s", k->info.id, asker(km));
    return 0;
}

/* ------------------------------------------------------------------- making */

static void add_key(const struct keymgr *km, const struct key_info *want, const struct secret *s)
{
    struct world *w = fake_world();
    if (w->host.n_keys == WORLD_KEYS || secret_size(s) > sizeof w->host.keys[0].bytes)
        abort();
    struct world_key *k = &w->host.keys[w->host.n_keys++];
    k->info = *want;
    k->info.created_sec = MADE_SEC;
    uuid_make(k->info.id);
    snprintf(k->manager, sizeof k->manager, "%s", km->ops->name);
    snprintf(k->project, sizeof k->project, "%s", asker(km));
    memcpy(k->bytes, secret_peek(s), secret_size(s));
}

/* One request that makes a key: by `call` for the injector. */
static int make(struct keymgr *km, const char *call, const struct key_info *want, char ret_id[KEY_ID_MAX],
                struct secret **ret, struct error *e)
{
    struct world *w = fake_world();
    _cleanup_secret_ struct secret *s = NULL;
    int r = enter(call, e);
    bool kept = r == 0 && km->durable;
    if (r >= 0)
        r = secret_random(want->bits / 8, &s, e);
    if (r == 0 && kept)
        add_key(km, want, s);
    r = world_leave(w, r, e);
    if (r < 0)
        return r;
    snprintf(ret_id, KEY_ID_MAX, "%s", kept ? w->host.keys[w->host.n_keys - 1].info.id : want->owner);
    *ret = TAKE_PTR(s);
    return 0;
}

static int fake_create(struct keymgr *km, const struct key_info *want, char ret_id[KEY_ID_MAX],
                       struct secret **ret, struct error *e)
{
    return make(km, "key create", want, ret_id, ret, e);
}

static int fake_import_key(struct keymgr *km, const struct key_info *info, const struct secret *s,
                           struct error *e)
{
    struct world *w = fake_world();
    int r = enter("key import", e);
    if (r == 0) {
        add_key(km, info, s);
        memcpy(w->host.keys[w->host.n_keys - 1].info.id, info->id, sizeof info->id);
    }
    return world_leave(w, r, e);
}

static int grant(struct keymgr *km, const char *id, struct error *e)
{
    int r = enter("key grant", e);
    struct world_key *k = find(km, id);
    if (r == 0 && k)
        k->host_reads = true;
    return r < 0 ? r : world_leave(fake_world(), 0, e);
}

static int add_consumer(struct keymgr *km, const char *id, struct error *e)
{
    int r = enter("key consumer", e);
    struct world_key *k = find(km, id);
    if (r == 0 && k)
        k->has_consumer = true;
    return r < 0 ? r : world_leave(fake_world(), 0, e);
}

static int fake_destroy(struct keymgr *km, const char *id, struct error *e);

/* Requests of a phase run beside each other, so one that fails does not keep the others from being sent. What
 * was made is destroyed again, but for a key whose id is not known since the answer was lost. */
static int fake_create_many(struct keymgr *km, const struct key_info want[], size_t n, struct key_made ret[],
                            struct error *e)
{
    struct fake_keymgr *f = (struct fake_keymgr *)km;
    int first = check_own(km, NULL, e);
    for (int phase = 0; first == 0 && phase < 3; phase++)
        for (size_t i = 0; i < n; i++) {
            int r = phase == 0       ? make(km, "key store", &want[i], ret[i].id, &ret[i].secret, e)
                    : phase == 2     ? add_consumer(km, ret[i].id, e)
                    : f->host_access ? grant(km, ret[i].id, e)
                                     : 0;
            first = first < 0 ? first : r;
        }
    for (size_t i = 0; first < 0 && i < n; i++) {
        ret[i].secret = secret_free(ret[i].secret);
        if (ret[i].id[0])
            (void)!fake_destroy(km, ret[i].id, NULL);
    }
    return first;
}

/* -------------------------------------------------------------------- using */

static int fake_fetch(struct keymgr *km, const char *id, struct secret **ret, struct error *e)
{
    _cleanup_secret_ struct secret *s = NULL;
    int r = check_id(km, id, e);
    if (r == 0)
        r = enter("key fetch", e);
    if (r < 0)
        return r;
    const struct world_key *k = find(km, id);
    bool opened = k && k->host_reads && streq(asker(km), PROJECT_HOST);
    r = opened ? 0 : check_own(km, k, e);
    if (r < 0)
        return r;
    if (!k)
        return error_set(e, -ENOKEY, "key %s:%s: is gone for good", km->ops->name, id);
    r = secret_new(k->info.bits / 8, &s, e);
    if (r == 0)
        memcpy(secret_bytes(s), k->bytes, secret_size(s));
    r = world_leave(fake_world(), r, e);
    if (r < 0)
        return r;
    *ret = TAKE_PTR(s);
    return 0;
}

static int fake_may_destroy(struct keymgr *km, const char *id, struct error *e)
{
    int r = check_id(km, id, e);
    if (r == 0)
        r = enter("key may destroy", e);
    if (r == 0)
        r = check_own(km, find(km, id), e);
    r = r < 0 ? r : world_leave(fake_world(), 0, e);
    return r == 0 && !find(km, id) ? error_set(e, -ENOKEY, "key %s: there is none", id) : r;
}

/* What Nova encrypted goes by a delete alone. */
static void check_needed(struct world *w, const struct world_key *k)
{
    for (size_t i = 0; k->nova && i < w->host.n_volumes; i++)
        if (w->host.volumes[i].nova && w->host.volumes[i].v.state != VOLUME_DOOMED)
            world_violated(w, "Nova's key of %s was to be destroyed", w->host.volumes[i].v.lv);
}

static int fake_destroy(struct keymgr *km, const char *id, struct error *e)
{
    struct world *w = fake_world();
    int r = km->ops == &ephemeral_ops ? 0 : check_id(km, id, e);
    if (r == 0)
        r = enter("key destroy", e);
    struct world_key *k = find(km, id);
    if (r == 0)
        r = check_own(km, k, e);
    if (r == 0 && k)
        check_needed(w, k);
    if (r == 0 && k)
        world_drop(w->host.keys, &w->host.n_keys, sizeof *k, (size_t)(k - w->host.keys));
    r = r < 0 ? r : world_leave(w, 0, e);
    return r == 0 && !k && km->ops != &ephemeral_ops ? error_set(e, -ENOKEY, "key %s: there is none", id) : r;
}

/* Several requests beside each other: each is sent, whatever becomes of the others. */
static void fake_fetch_many(struct keymgr *km, struct key_asked k[], size_t n)
{
    for (size_t i = 0; i < n; i++)
        (void)!fake_fetch(km, k[i].id, &k[i].secret, &k[i].error);
}

static void fake_may_destroy_many(struct keymgr *km, struct key_asked k[], size_t n)
{
    for (size_t i = 0; i < n; i++)
        (void)!fake_may_destroy(km, k[i].id, &k[i].error);
}

static void fake_destroy_many(struct keymgr *km, struct key_asked k[], size_t n)
{
    for (size_t i = 0; i < n; i++)
        (void)!fake_destroy(km, k[i].id, &k[i].error);
}

/* No request: whoever is asked for a key says with the answer who he is. */
static int fake_place(struct keymgr *km, bool make, char ret[KEY_PLACE_MAX], struct error *e)
{
    (void)make, (void)e;
    snprintf(ret, KEY_PLACE_MAX, "%s", fake_world()->place == PLACE_OWN ? km->ops->name : "other");
    return 0;
}

static int fake_elsewhere(struct keymgr *km, const char *id, const char *place, struct error *e)
{
    if (fake_world()->place == PLACE_FOREIGN && place[0])
        return error_set(e, -EACCES, "key %s:%s: is kept by the key manager of user ann", km->ops->name, id);
    return error_set(e, -EHOSTUNREACH, "key %s:%s: nothing is known of it", km->ops->name, id);
}

static int fake_list(struct keymgr *km, struct key_listing *ret, struct error *e)
{
    struct world *w = fake_world();
    int r = enter("key list", e);
    bool skipped = r == 1;
    if (r >= 0)
        r = check_own(km, NULL, e);
    if (r == 0)
        r = world_leave(w, 0, e);
    if (r < 0)
        return r;
    ret->keys = world_alloc(w->host.n_keys + 1, sizeof *ret->keys);
    for (size_t i = 0; !skipped && i < w->host.n_keys; i++) {
        const struct world_key *k = &w->host.keys[i];
        if (k->nova || !find(km, k->info.id) || check_own(km, k, NULL) < 0)
            continue;
        ret->keys[ret->n] = k->info;
        if (w->key_damaged && i == 0) {
            ret->keys[ret->n] = (struct key_info){.damaged = true};
            memcpy(ret->keys[ret->n].id, k->info.id, sizeof k->info.id);
            error_set(&ret->incomplete, -EKEYREJECTED, "key %s: is damaged", k->info.id);
        }
        ret->n++;
    }
    return 0;
}

static void fake_close(struct keymgr *km)
{
    free(km);
}

static const struct keymgr_ops local_ops = {.name = "local",
                                            .place = fake_place,
                                            .elsewhere = fake_elsewhere,
                                            .create = fake_create,
                                            .import = fake_import_key,
                                            .fetch = fake_fetch,
                                            .may_destroy = fake_may_destroy,
                                            .destroy = fake_destroy,
                                            .list = fake_list,
                                            .close = fake_close};
static const struct keymgr_ops ephemeral_ops = {.name = "ephemeral",
                                                .create = fake_create,
                                                .fetch = fake_fetch,
                                                .destroy = fake_destroy,
                                                .list = fake_list,
                                                .close = fake_close};
static const struct keymgr_ops barbican_ops = {.name = "barbican",
                                               .network = true,
                                               .place = fake_place,
                                               .elsewhere = fake_elsewhere,
                                               .create_many = fake_create_many,
                                               .fetch_many = fake_fetch_many,
                                               .may_destroy_many = fake_may_destroy_many,
                                               .destroy_many = fake_destroy_many,
                                               .list = fake_list,
                                               .close = fake_close};

int fake_keymgr_open(const struct config *c, struct key_context *who, const char *name, struct keymgr **ret,
                     struct error *e)
{
    static const struct keymgr_ops *const all[] = {&local_ops, &ephemeral_ops, &barbican_ops};
    const struct keymgr_ops *ops = NULL;
    for (size_t i = 0; i < ARRAY_SIZE(all); i++)
        if (streq(all[i]->name, name))
            ops = all[i];
    if (!ops)
        return error_set(e, -EINVAL, "key manager %s: there is none", name);
    struct fake_keymgr *f = world_alloc(1, sizeof *f);
    f->base.ops = ops;
    f->base.durable = ops != &ephemeral_ops;
    f->base.lists_all = ops == &local_ops;
    f->host_access = streq(c->host_access, "read");
    if (ops == &barbican_ops)
        snprintf(f->project, sizeof f->project, "%.7s", who->host_secret_fd >= 0 ? PROJECT_HOST : who->cloud);
    *ret = &f->base;
    return 0;
}
