/* SPDX-License-Identifier: Apache-2.0 */
/* See given-key.h. The scope of the key, a tag, says who owns it:
 *
 *     KEY_SCOPE_CALLER     the caller's: nothing here ever destroys it
 *     KEY_SCOPE_INSTANCE   handed over, as by an adoption: delete destroys it with the instance
 *
 * A key that Mayfly made for others is refused for both: recover destroys it once no volume names it, and
 * delete with its own instance.
 */
#include "instance/given-key.h"

#include "instance/key-list.h"

int given_key_manager(struct addition *a, struct error *e)
{
    char manager[KEY_ID_MAX], id[KEY_ID_MAX];
    int r = key_ref_parse(a->request->key, manager, id, e);
    return r < 0 ? r : context_keymgr(a->new.context, manager, &a->new.km, e);
}

/* Refuses a key that an instance has. Only a caller's own key may belong to several, since Mayfly never
 * destroys it. */
static int check_users(const struct addition *a, struct error *e)
{
    const struct add_disks_request *q = a->request;
    const struct inventory *now = a->new.before;
    for (size_t i = 0; i < now->n_volumes; i++) {
        const struct volume *v = &now->volumes[i];
        if (!key_ref_same(v->key, q->key) || (q->keep_key && v->scope == KEY_SCOPE_CALLER))
            continue;
        return error_set(
            e, -EUNSAFE,
            "key %s: belongs to instance %s; each instance needs its own, unless all use --key-owner caller",
            q->key, v->name);
    }
    return 0;
}

/* Refuses a key that its manager lists: Mayfly has made it. */
static int check_not_made_here(const struct addition *a, struct error *e)
{
    _cleanup_key_list_ struct key_list *list = NULL;
    int r = key_list_load_one(a->new.context, a->new.before, a->new.km->ops->name, &list, e);
    if (r < 0)
        return r;
    const struct key_source *s = &list->managers[0];
    if (s->error.errnum)
        return error_pass(e, s->error.errnum, &s->error);
    const struct key_entry *k = key_list_find(list, a->request->key);
    if (!k || !k->listed)
        return 0;
    return error_set(e, -EUNSAFE,
                     "key %s: cannot be given: Mayfly has made it, for %s, and mayfly recover destroys it "
                     "when no volume names it; give a key that others have made, or leave out --key",
                     a->request->key, k->info.owner[0] ? k->info.owner : "another");
}

int given_key_check(const struct addition *a, struct error *e)
{
    int r = check_users(a, e);
    return r < 0 ? r : check_not_made_here(a, e);
}

/* Adds to the reference the place where the key was found. */
static int name_place(struct addition *a, const char *id, struct error *e)
{
    char place[KEY_PLACE_MAX];
    const char *own = NULL;
    struct new_key *k = &a->new.keys[0];
    int r = key_id_split(id, place, &own, e);
    if (r == 0 && place[0])
        return str_copy(k->id, sizeof k->id, id);
    return r < 0 ? r : keymgr_new_id(a->new.km, false, own, k->id, e);
}

int given_key_fetch(const struct context *c, void *object, struct error *e)
{
    struct addition *a = object;
    char manager[KEY_ID_MAX], id[KEY_ID_MAX];
    (void)c;
    int r = key_ref_parse(a->request->key, manager, id, e);
    if (r == 0)
        r = keymgr_fetch(a->new.km, id, &a->new.keys[0].secret, e);
    return r < 0 ? r : name_place(a, id, e);
}
