/* SPDX-License-Identifier: Apache-2.0 */
/* See keys.h. */
#include "instance/keys.h"

static int manager_of(const struct context *c, const struct volume *v, struct keymgr **ret,
                      char id[KEY_ID_MAX], struct error *e)
{
    char manager[KEY_ID_MAX];
    int r = key_ref_parse(v->key, manager, id, e);
    return r < 0 ? r : context_keymgr(c, manager, ret, e);
}

static int fetch(const struct context *c, const struct volume *v, struct secret **ret, struct error *e)
{
    struct keymgr *km = NULL;
    struct error why = ERROR_NONE;
    char id[KEY_ID_MAX];
    if (key_take_ahead(c, v->key, ret, &why))
        return why.errnum ? error_pass(e, why.errnum, &why) : 0;
    int r = manager_of(c, v, &km, id, e);
    return r < 0 ? r : keymgr_fetch(km, id, ret, e);
}

int key_fetch(const struct context *c, const struct volume *v, struct secret **ret, struct error *e)
{
    char name[DOMAIN_NAME_MAX];
    int r = fetch(c, v, ret, e);
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

/* ------------------------------------------------------------- several keys */

/* Asks the next manager in `of` (NULL: none is asked) for all of its keys. */
static void ask_next(struct keymgr *of[], struct key_asked k[], size_t n, keys_many_fn *many,
                     struct key_asked part[], size_t which[])
{
    struct keymgr *km = of[0];
    size_t m = 0;
    for (size_t i = 0; km && i < n; i++) {
        if (of[i] != km)
            continue;
        part[m] = (struct key_asked){.id = strchr(k[i].id, ':') + 1};
        which[m++] = i;
        of[i] = NULL;
    }
    if (m)
        (void)!many(km, part, m, NULL);
    for (size_t i = 0; i < m; i++) {
        k[which[i]].secret = part[i].secret;
        k[which[i]].error = part[i].error;
    }
}

int keys_ask(const struct context *c, struct key_asked k[], size_t n, keys_many_fn *many, struct error *e)
{
    _cleanup_free_ struct keymgr **of = calloc(n + 1, sizeof(struct keymgr *));
    _cleanup_free_ struct key_asked *part = calloc(n + 1, sizeof *part);
    _cleanup_free_ size_t *which = calloc(n + 1, sizeof *which);
    bool room = of && part && which;
    for (size_t i = 0; i < n; i++) {
        char manager[KEY_ID_MAX], id[KEY_ID_MAX];
        k[i].secret = NULL;
        k[i].error = ERROR_NONE;
        int r = room ? key_ref_parse(k[i].id, manager, id, &k[i].error) : error_memory(&k[i].error);
        if (r == 0)
            (void)!context_keymgr(c, manager, &of[i], &k[i].error);
    }
    for (size_t i = 0; room && i < n; i++)
        ask_next(of + i, k + i, n - i, many, part, which);
    return error_first(e, k, n);
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
