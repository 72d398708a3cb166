/* SPDX-License-Identifier: Apache-2.0 */
/* Makes a list of keys: see key-list.h.
 *
 *     managers: keys they list ----+
 *                                  +--> entries, each with its volumes
 *     volumes: keys their tags name+
 */
#include "instance/key-list.h"

#include "instance/doubt.h"

#include <search.h>
#include <stdio.h>

/* ------------------------------------------------------------------ managers */

static struct key_source *find_source(const struct key_list *l, const char *name)
{
    for (size_t i = 0; i < l->n_managers; i++)
        if (streq(l->managers[i].name, name))
            return &l->managers[i];
    return NULL;
}

static int add_source(struct key_list *l, const struct context *c, const char *name, struct error *e)
{
    if (find_source(l, name))
        return 0;
    struct key_source *bigger = reallocarray(l->managers, l->n_managers + 1, sizeof *bigger);
    if (!bigger)
        return error_memory(e);
    l->managers = bigger;
    struct key_source *s = &l->managers[l->n_managers++];
    *s = (struct key_source){.km = NULL};
    snprintf(s->name, sizeof s->name, "%s", name);
    return context_keymgr(c, name, &s->km, &s->error) == -ENOMEM ? error_memory(e) : 0;
}

/* Adds the manager of new keys, and each manager that a volume names: the configuration may have changed. */
static int add_sources(struct key_list *l, const struct context *c, const struct inventory *inventory,
                       struct error *e)
{
    int r = add_source(l, c, c->config->key_backend, e);
    for (size_t i = 0; r == 0 && i < inventory->n_volumes; i++) {
        char manager[KEY_ID_MAX], id[KEY_ID_MAX];
        const struct volume *v = &inventory->volumes[i];
        if (volume_encrypted(v) && key_ref_parse(v->key, manager, id, NULL) == 0)
            r = add_source(l, c, manager, e);
    }
    return r;
}

/* ---------------------------------------------------------------------- keys */

/* Finds an entry as key_list_find() does, in a list that is still being made. */
static struct key_entry *find_entry(struct key_list *l, const char *ref)
{
    return (struct key_entry *)key_list_find(l, ref);
}

/* Makes room for `n` more keys. This must be enough: after make_index() the keys must not move. */
static int make_room(struct key_list *l, size_t n, struct error *e)
{
    struct key_entry *bigger = reallocarray(l->keys, l->n_keys + n + 1, sizeof *bigger);
    if (!bigger)
        return error_memory(e);
    l->keys = bigger;
    return 0;
}

/* Adds one entry, all zero. */
static struct key_entry *add_entry(struct key_list *l)
{
    l->keys[l->n_keys] = (struct key_entry){.n_volumes = 0};
    return &l->keys[l->n_keys++];
}

static int index_entry(struct key_list *l, struct key_entry *k, struct error *e)
{
    return tsearch(k, &l->by_ref, key_entry_order) ? 0 : error_memory(e);
}

static int make_index(struct key_list *l, size_t n_more, struct error *e)
{
    int r = make_room(l, n_more, e);
    for (size_t i = 0; r == 0 && i < l->n_keys; i++)
        r = index_entry(l, &l->keys[i], e);
    return r;
}

static int by_age(const void *a, const void *b)
{
    const struct key_info *x = a, *y = b;
    if (x->created_sec != y->created_sec)
        return x->created_sec < y->created_sec ? -1 : 1;
    return strcmp(x->id, y->id);
}

static int add_listed(struct key_list *l, const char *manager, struct key_info *keys, size_t n,
                      struct error *e)
{
    int r = make_room(l, n, e);
    if (r == 0 && n)
        qsort(keys, n, sizeof *keys, by_age);
    for (size_t i = 0; r == 0 && i < n; i++) {
        struct key_entry *k = add_entry(l);
        k->info = keys[i];
        k->listed = true;
        k->state = keys[i].damaged ? KEY_DAMAGED : keys[i].scope == KEY_SCOPE_IMAGE ? KEY_IMAGE : KEY_UNUSED;
        snprintf(k->ref, sizeof k->ref, "%.24s:%.159s", manager, keys[i].id);
    }
    return r;
}

/* Lists the keys of one manager; `s` notes why that failed. */
static int list_keys(struct key_list *l, struct key_source *s, struct error *e)
{
    _cleanup_key_listing_ struct key_listing listing = {.n = 0};
    if (!s->km || !s->km->durable || (l->near && s->km->ops->network))
        return 0;
    int r = keymgr_list(s->km, &listing, &s->error);
    if (r == 0)
        r = keymgr_place(s->km, false, s->place, &s->error);
    if (r == -ENOMEM)
        return error_memory(e);
    if (r < 0) {
        error_set(&s->error, r, "key manager %s: its keys cannot be listed",
                  s->name); /* if the manager gave no reason */
        return 0;
    }
    s->incomplete = listing.incomplete;
    return add_listed(l, s->name, listing.keys, listing.n, e);
}

/* True if the place that the reference names lists all of its keys, and not this one. */
static bool is_missing(const struct key_source *s, const char *id)
{
    char place[KEY_PLACE_MAX];
    const char *own = NULL;
    return s->km->lists_all && !s->error.errnum && key_id_split(id, place, &own, NULL) == 0 && place[0] &&
           streq(place, s->place);
}

/* Adds a key that a volume names and no manager has listed. */
static int add_unlisted(struct key_list *l, const struct inventory *inventory, const struct volume *v,
                        struct key_entry **ret, struct error *e)
{
    char manager[KEY_ID_MAX] = "";
    struct key_entry *k = add_entry(l);
    int r = key_ref_parse(v->key, manager, k->info.id, NULL);
    const struct key_source *s = r < 0 ? NULL : find_source(l, manager);
    memcpy(k->ref, v->key, sizeof k->ref);
    memcpy(k->info.vg, v->vg, sizeof k->info.vg);
    k->info.scope = v->scope;
    if (v->scope == KEY_SCOPE_INSTANCE)
        memcpy(k->info.owner, v->instance, sizeof k->info.owner);
    k->state = KEY_UNSEEN;
    if (s && s->km && !s->km->durable) /* it exists in the kernel, or nowhere */
        k->state = inventory_map_of(inventory, v) ? KEY_USED : KEY_MISSING;
    else if (s && s->km && is_missing(s, k->info.id))
        k->state = KEY_MISSING;
    *ret = k;
    return index_entry(l, k, e);
}

static int add_user(struct key_list *l, const struct inventory *inventory, const struct volume *v,
                    struct error *e)
{
    struct key_entry *k = find_entry(l, v->key);
    int r = k ? 0 : add_unlisted(l, inventory, v, &k, e);
    if (r < 0)
        return r;
    const struct volume **bigger = reallocarray(k->volumes, k->n_volumes + 1, sizeof *bigger);
    if (!bigger)
        return error_memory(e);
    k->volumes = bigger;
    k->volumes[k->n_volumes++] = v;
    if (k->state == KEY_UNUSED)
        k->state = KEY_USED;
    return 0;
}

static int load(const struct context *c, struct key_list *l, const struct inventory *inventory,
                struct error *e)
{
    _cleanup_doubts_ struct doubts once = {.knows_domains = false};
    int r = 0;
    for (size_t i = 0; r == 0 && i < l->n_managers; i++)
        r = list_keys(l, &l->managers[i], e);
    if (r == 0)
        r = make_index(l, inventory->n_volumes, e);
    for (size_t i = 0; r == 0 && i < inventory->n_volumes; i++)
        if (volume_encrypted(&inventory->volumes[i]))
            r = add_user(l, inventory, &inventory->volumes[i], e);
    for (size_t i = 0; r == 0 && i < l->n_keys; i++)
        if (l->keys[i].n_volumes == 0 && (l->keys[i].state == KEY_UNUSED || l->keys[i].state == KEY_DAMAGED))
            (void)!doubt_of_unnamed(c, l, inventory, &once, &l->keys[i], &l->keys[i].doubt);
    return r;
}

int key_list_managers(const struct context *c, const struct inventory *inventory, struct key_list **ret,
                      struct error *e)
{
    _cleanup_key_list_ struct key_list *l = calloc(1, sizeof *l);
    if (!l)
        return error_memory(e);
    int r = add_sources(l, c, inventory, e);
    if (r == 0)
        *ret = TAKE_PTR(l);
    return r;
}

static int load_all(const struct context *c, const struct inventory *inventory, bool near,
                    struct key_list **ret, struct error *e)
{
    _cleanup_key_list_ struct key_list *l = NULL;
    int r = key_list_managers(c, inventory, &l, e);
    if (r < 0)
        return r;
    l->near = near;
    r = load(c, l, inventory, e);
    if (r == 0)
        *ret = TAKE_PTR(l);
    return r;
}

int key_list_load(const struct context *c, const struct inventory *inventory, struct key_list **ret,
                  struct error *e)
{
    return load_all(c, inventory, false, ret, e);
}

int key_list_load_near(const struct context *c, const struct inventory *inventory, struct key_list **ret,
                       struct error *e)
{
    return load_all(c, inventory, true, ret, e);
}

int key_list_load_one(const struct context *c, const struct inventory *inventory, const char *manager,
                      struct key_list **ret, struct error *e)
{
    _cleanup_key_list_ struct key_list *l = calloc(1, sizeof *l);
    int r = l ? add_source(l, c, manager, e) : error_memory(e);
    if (r == 0)
        r = load(c, l, inventory, e);
    if (r == 0)
        *ret = TAKE_PTR(l);
    return r;
}
