/* SPDX-License-Identifier: Apache-2.0 */
/* Look-ups in a list of keys: see key-list.h. */
#include "instance/key-list.h"

#include <search.h>

const char *key_state_name(enum key_state state)
{
    static const char *const names[] = {
        [KEY_USED] = "used",       [KEY_UNUSED] = "unused",   [KEY_IMAGE] = "image",
        [KEY_DAMAGED] = "damaged", [KEY_MISSING] = "missing", [KEY_UNSEEN] = "unseen"};
    return names[state];
}

int key_entry_order(const void *a, const void *b)
{
    return key_ref_order(a, b);
}

const struct key_entry *key_list_find(const struct key_list *l, const char *ref)
{
    struct key_entry *const *found = tfind(ref, &l->by_ref, key_entry_order);
    return found ? *found : NULL;
}

/* Frees nothing: the array owns the keys, not the tree. */
static void keep(void *entry)
{
    (void)entry;
}

struct key_list *key_list_free(struct key_list *l)
{
    if (l) {
        tdestroy(l->by_ref, keep);
        for (size_t i = 0; i < l->n_keys; i++)
            free(l->keys[i].volumes);
        free(l->keys);
        free(l->managers);
        free(l);
    }
    return NULL;
}

bool key_entry_used_by(const struct key_entry *k, const char *uuid)
{
    for (size_t i = 0; i < k->n_volumes; i++)
        if (streq(k->volumes[i]->instance, uuid))
            return true;
    return false;
}
