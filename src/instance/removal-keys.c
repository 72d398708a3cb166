/* SPDX-License-Identifier: Apache-2.0 */
/* The step of a removal that destroys keys. See removal-steps.h. */
#include "instance/keys-going.h"
#include "instance/removal-steps.h"

bool removal_has_key(const struct removal *r, const char *key)
{
    bool found = false;
    for (size_t i = 0; !found && i < r->n_volumes; i++)
        found = key_ref_same(r->volumes[i]->key, key);
    return found;
}

/* Stops the removals that have this key: their volumes stay, since only they lead to it. */
static void fail_all_with(struct removal *first, const char *key, const struct error *why)
{
    for (struct removal *r = first; r; r = r->next)
        if (!r->error.errnum && removal_has_key(r, key))
            removal_fail(r, why->errnum, why);
}

/* True if the removal tells of a key that was not destroyed, as one with several keys does. */
static bool tells_of_kept_key(const struct removal *r)
{
    return r->key.fate != KEY_FATE_NONE && r->key.fate != KEY_FATE_GONE;
}

/* Notes in all removals that have the key what became of it. */
static void note_fate(struct removal *first, const char *key, const struct key_end *end)
{
    for (struct removal *r = first; end->fate != KEY_FATE_NONE && r; r = r->next)
        if (removal_has_key(r, key) && !tells_of_kept_key(r))
            r->key = *end;
}

/* Notes that the key could not be destroyed: its volumes stay, unless the key is to be left or forgotten. */
static void note_failure(const struct context *c, struct removal *first, const struct key_going *k)
{
    const char *key = k->v->key;
    bool left = first->demand == KEY_LEFT_IF_DENIED && key_is_denied(k);
    if (!left && first->demand != KEY_FORGOTTEN) {
        fail_all_with(first, key, &k->error);
        return;
    }
    struct key_end end = {.fate = left ? KEY_FATE_LEFT : KEY_FATE_FORGOTTEN};
    (void)!str_copy(end.ref, sizeof end.ref, key);
    note_fate(first, key, &end);
    if (!left)
        report_warning(c, "key %s was NOT destroyed: %s", key, k->error.text);
}

/* Looks once more for volumes that need the keys: tags may have been changed since the first look. */
static int destroy_keys(const struct context *c, struct removal *first, const struct volume *const going[],
                        size_t n, struct error *e)
{
    _cleanup_inventory_ struct inventory *now = NULL;
    _cleanup_keys_going_ struct keys_going keys = {.n = 0};
    int result = broker_list(c->broker, &now, e);
    if (result == 0)
        result = keys_of_going(now, going, n, &keys, e);
    if (result < 0)
        return result;
    (void)!keys_destroy_unused(c, &keys, NULL); /* each key has its error */
    for (size_t i = 0; i < keys.n; i++) {
        const struct key_going *k = &keys.keys[i];
        if (k->error.errnum)
            note_failure(c, first, k);
        else
            note_fate(first, k->v->key, &k->end);
    }
    return 0;
}

static bool any_encrypted(const struct volume *const volumes[], size_t n)
{
    bool found = false;
    for (size_t i = 0; i < n; i++)
        found |= volume_encrypted(volumes[i]);
    return found;
}

int removal_destroy_keys(const struct context *c, void *removal, struct error *e)
{
    struct removal *first = removal;
    _cleanup_free_ const struct volume **going = NULL;
    size_t n = 0;
    int result = removals_volumes(&(const struct removals){.first = first}, NULL, &going, &n, e);
    if (result == 0 && any_encrypted(going, n))
        result = destroy_keys(c, first, going, n, e);
    return result < 0 ? result : removals_result(first, e);
}
