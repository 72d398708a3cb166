/* SPDX-License-Identifier: Apache-2.0 */
/* The keys of this host: those that key managers list, and those that tags of volumes name.
 *
 *     r = key_list_load(c, inventory, &list, e);
 *     for (size_t i = 0; i < list->n_keys; i++) ... list->keys[i].state ...
 *
 * A manager that cannot be asked is not an error: list->managers notes it, and its keys that volumes name are
 * KEY_UNSEEN.
 */
#pragma once

#include "instance/context.h"

enum key_state {
    KEY_USED,   /* listed, and a volume names it */
    KEY_UNUSED, /* listed, and no volume names it */
    KEY_IMAGE, /* listed, and of an image file, which Mayfly does not look for; mayfly key destroy destroys it
                */
    KEY_DAMAGED, /* only its name is listed: it cannot be read, and may be restored */
    KEY_MISSING, /* a volume names it, and its place, which lists all keys, does not */
    KEY_UNSEEN /* a volume names it, and its place was not asked, or does not show all keys to this caller */
};

const char *key_state_name(enum key_state state); /* "used", ... */

struct key_entry {
    char ref[KEY_REF_MAX]; /* MANAGER:PLACE/ID; if not listed, as in the volume's tag */
    struct key_info info;  /* owner "", bits and created_sec 0: not known */
    bool listed;           /* its manager lists it */
    enum key_state state;
    struct error doubt; /* of an unused or damaged key: why a volume may still need it; errnum 0: none does */
    const struct volume **volumes; /* the volumes that name it; into the inventory */
    size_t n_volumes;
};

/* A manager in use: that of new keys, or one that a volume names. */
struct key_source {
    char name[KEY_ID_MAX];
    struct keymgr *km;         /* the context's; NULL: it cannot be opened */
    char place[KEY_PLACE_MAX]; /* the place that was asked; "": it has no identity */
    struct error error;        /* why its keys were not listed; errnum 0: they were */
    struct error incomplete;   /* why not all keys were listed; errnum 0: all were */
};

struct key_list {
    struct key_entry *keys; /* manager by manager, the oldest first */
    size_t n_keys;
    struct key_source *managers;
    size_t n_managers;
    bool near;    /* managers behind a network are not asked: they list nothing, without an error */
    void *by_ref; /* the keys, as a tree of tsearch() */
};

/* Lists the keys. *ret points into `inventory`, which must outlive it. These functions fail only if memory
 * ran out. */
int key_list_load(const struct context *c, const struct inventory *inventory, struct key_list **ret,
                  struct error *e) _must_check_;

/* Lists the keys, with `near`. */
int key_list_load_near(const struct context *c, const struct inventory *inventory, struct key_list **ret,
                       struct error *e) _must_check_;

/* Lists the keys of one manager: no other is asked. */
int key_list_load_one(const struct context *c, const struct inventory *inventory, const char *manager,
                      struct key_list **ret, struct error *e) _must_check_;

/* Lists only the managers, which are not asked. */
int key_list_managers(const struct context *c, const struct inventory *inventory, struct key_list **ret,
                      struct error *e) _must_check_;
struct key_list *key_list_free(struct key_list *l);
DEFINE_CLEANUP(struct key_list *, key_list_free)
#define _cleanup_key_list_ _cleanup_(key_list_freep)

/* Orders list->by_ref: entries, or an entry and a reference, since `ref` is an entry's first member. */
int key_entry_order(const void *a, const void *b);

/* Finds a key by its reference. NULL: it is neither listed, nor named by a volume. */
const struct key_entry *key_list_find(const struct key_list *l, const char *ref);

/* True if a volume of this instance names the key. */
bool key_entry_used_by(const struct key_entry *k, const char *uuid);
