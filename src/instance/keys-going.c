/* SPDX-License-Identifier: Apache-2.0 */
/* See keys-going.h. */
#include "instance/keys-going.h"

#include "instance/doubt.h"

static bool is_among(const struct volume *v, const struct volume *const going[], size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (streq(v->disk, going[i]->disk))
            return true;
    return false;
}

/* True if the volume needs the key. A doomed volume is never opened again: if two instances of a batch are
 * deleted at the same time, the later delete sees this and destroys the key. A snapshot is removed before its
 * disk. */
static bool is_user(const struct volume *v, const char *key, const struct volume *const going[], size_t n)
{
    return key_ref_same(v->key, key) && v->state != VOLUME_DOOMED && !volume_is_snapshot(v) &&
           !is_among(v, going, n);
}

/* Counts the instances that need the key. The inventory has the volumes of an instance side by side. */
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

/* Finds out whether a volume that is not seen may need the key. While that is in doubt the last volumes of
 * the key stay: without them nothing would lead to it. A key of one instance alone is in no doubt if all of
 * that instance is seen. */
static int find_doubt(const struct context *c, const struct inventory *inventory, struct doubts *once,
                      const struct volume *v, struct error *e)
{
    bool own = v->scope == KEY_SCOPE_INSTANCE;
    int r = own ? doubt_of_instance(inventory, v->vg, v->instance, e) : doubt_of_group(inventory, v->vg, e);
    if (r == 0)
        r = doubt_of_elsewhere(c, once, own ? v->instance : NULL, e);
    return r < 0 || own ? r : doubt_of_any_domain(c, once, e);
}

static int check_doubt(const struct context *c, const struct inventory *inventory, struct doubts *once,
                       const struct volume *v, struct error *e)
{
    struct error why = ERROR_NONE;
    int r = find_doubt(c, inventory, once, v, &why);
    return r < 0 ? error_set(e, r, "key %s: cannot be destroyed: %s%s", v->key,
                             v->scope == KEY_SCOPE_INSTANCE ? "" : "instances share it, and ", why.text)
                 : 0;
}

int keys_of_going(const struct inventory *inventory, const struct volume *const volumes[], size_t n_volumes,
                  struct keys_going *ret, struct error *e)
{
    struct key_going *keys = calloc(n_volumes + 1, sizeof *keys);
    if (!keys)
        return error_memory(e);
    *ret = (struct keys_going){inventory, volumes, n_volumes, keys, 0};
    for (size_t i = 0; i < n_volumes; i++)
        if (volume_encrypted(volumes[i]) && first_of_key(volumes, i))
            keys[ret->n++].v = volumes[i];
    return 0;
}

void keys_going_end(struct keys_going *g)
{
    free(g->keys);
}

static bool is_to_go(const struct context *c, const struct keys_going *g, struct doubts *once,
                     struct key_going *k)
{
    k->end = (struct key_end){.fate = KEY_FATE_STAYS,
                              .n_others = count_users(g->inventory, k->v->key, g->volumes, g->n_volumes)};
    memcpy(k->end.ref, k->v->key, sizeof k->end.ref);
    if (k->v->scope == KEY_SCOPE_CALLER) {
        k->end.fate = KEY_FATE_CALLERS;
        return false;
    }
    if (k->end.n_others)
        return false;
    k->end.fate = KEY_FATE_GONE;
    k->in_doubt = check_doubt(c, g->inventory, once, k->v, &k->error) < 0;
    return !k->in_doubt;
}

/* Notes that memory ran out: no manager is asked, and no key counts as gone. */
static void refuse_all(struct keys_going *g)
{
    for (size_t i = 0; i < g->n; i++) {
        (void)!error_memory(&g->keys[i].error);
        g->keys[i].in_doubt = true;
    }
}

/* Asks for all keys that can go. Each key has its error. */
static void ask_unused(const struct context *c, struct keys_going *g, keys_many_fn *many)
{
    _cleanup_doubts_ struct doubts once = {.knows_domains = false};
    _cleanup_free_ struct key_asked *asked = calloc(g->n + 1, sizeof *asked);
    _cleanup_free_ struct key_going **of = calloc(g->n + 1, sizeof(struct key_going *));
    size_t n = 0;
    if (!asked || !of) {
        refuse_all(g);
        return;
    }
    for (size_t i = 0; i < g->n; i++)
        if (is_to_go(c, g, &once, &g->keys[i])) {
            of[n] = &g->keys[i];
            asked[n++].id = g->keys[i].v->key;
        }
    (void)!keys_ask(c, asked, n, many, NULL);
    for (size_t i = 0; i < n; i++)
        of[i]->error = asked[i].error;
}

static bool forbids(const struct key_going *k, bool sure)
{
    int r = k->error.errnum;
    if (k->in_doubt)
        return true;
    if (sure)
        return r < 0 && r != -ENOKEY;
    return r == -EACCES || r == -EINVAL || r == -EUNSAFE || r == -EHOSTUNREACH || r == -EKEYREJECTED;
}

int keys_may_destroy(const struct context *c, struct keys_going *g, bool sure, struct error *e)
{
    ask_unused(c, g, keymgr_may_destroy_many);
    for (size_t i = 0; i < g->n; i++) {
        struct error *why = &g->keys[i].error;
        if (!forbids(&g->keys[i], sure))
            *why = ERROR_NONE;
        else if (!g->keys[i].in_doubt && why->errnum == -EAGAIN)
            why->errnum = -EHOSTUNREACH; /* "try again": the status of a manager that cannot be reached */
    }
    return error_first(e, g->keys, g->n);
}

int keys_destroy_unused(const struct context *c, struct keys_going *g, struct error *e)
{
    ask_unused(c, g, keymgr_destroy_many);
    return error_first(e, g->keys, g->n);
}

struct key_end keys_end(const struct keys_going *g)
{
    struct key_end end = {.fate = KEY_FATE_NONE};
    for (size_t i = 0; end.fate != KEY_FATE_STAYS && end.fate != KEY_FATE_CALLERS && i < g->n; i++)
        end = g->keys[i].end;
    return end;
}
