/* SPDX-License-Identifier: Apache-2.0 */
/* The secrets of instances, by what a volume's tag says of them (MANAGER:PLACE/ID). */
#pragma once

#include "instance/context.h"

/* Fetches the secret that `v` names from the manager that it names. */
int key_fetch(const struct context *c, const struct volume *v, struct secret **ret,
              struct error *e) _must_check_;

/* keys-ahead.c. Fetches the keys of the disks that are missing of these at once, for key_fetch() to give out
 * when each is opened. Whatever fails is said there. What was not used is wiped by keys_ahead_end(). */
struct disks;
void keys_fetch_ahead(const struct context *c, const struct disks *const disks[], size_t n);
void keys_ahead_end(struct key_managers *all);

/* Was it? Then this is what became of it, once: a secret, or an error in `e`. */
bool key_take_ahead(const struct context *c, const char *ref, struct secret **ret,
                    struct error *e) _must_check_;

/* Can the key of `v` be fetched again once its map is closed? False for an ephemeral one. */
int key_durable(const struct context *c, const struct volume *v, bool *ret, struct error *e) _must_check_;

/* What became of a key with a volume of its own. */
enum key_fate {
    KEY_FATE_NONE,     /* there was none: the disks are not encrypted */
    KEY_FATE_GONE,     /* it is destroyed */
    KEY_FATE_STAYS,    /* others have it */
    KEY_FATE_CALLERS,  /* it is the caller's, and not Mayfly's to destroy */
    KEY_FATE_LEFT,     /* the caller may not destroy it: it is left to its owner, who may by recover */
    KEY_FATE_FORGOTTEN /* it could not be destroyed, and was to be left then */
};
struct key_end {
    enum key_fate fate;
    size_t n_others;       /* instances that it stays for */
    char ref[KEY_REF_MAX]; /* "": there was none */
};

/* One of the keys of volumes that go. */
struct key_going {
    const struct volume *v; /* one that has it */
    struct key_end end;
    bool in_doubt;      /* `error` says that a volume may need it, or that nobody can say */
    struct error error; /* errnum 0: none */
};

/* The `n_volumes` that go, and their keys, each once. Plain disks have none. */
struct keys_going {
    const struct inventory *inventory;
    const struct volume *const *volumes;
    size_t n_volumes;
    struct key_going *keys;
    size_t n;
};
int keys_of_going(const struct inventory *inventory, const struct volume *const volumes[], size_t n_volumes,
                  struct keys_going *ret, struct error *e) _must_check_;
void keys_going_end(struct keys_going *g);
#define _cleanup_keys_going_ _cleanup_(keys_going_end)

/* Is all that is wrong that the caller has no right to it? */
static inline bool key_is_denied(const struct key_going *k)
{
    return k->error.errnum == -EACCES && !k->in_doubt;
}

/* Would the managers let this caller destroy those that nobody else uses? To be asked before anything is
 * changed. Notes the error of each key, and returns the first one: -EACCES, -EINVAL, -EUNSAFE, -EKEYREJECTED;
 * -EHOSTUNREACH: the key is kept elsewhere, so this caller will never do it; any error of LVM's or libvirt's,
 * while which nobody can say who needs the key. A manager that does not answer is no reason to refuse a
 * removal, which recover finishes. With `sure` it is one: for what needs the
 * managers anyway, and would leave a new key of this caller's beside the old one of somebody else's. */
int keys_may_destroy(const struct context *c, struct keys_going *g, bool sure, struct error *e) _must_check_;

/* Destroys those that no other volume uses. The volumes are doomed, or were never finished, and the inventory
 * is a look from after they were marked: what people have done since the first look counts, and instances
 * that share a key come and go under locks of their own. No lock of the batch is needed: a launch that uses
 * its key holds those of all its instances, and what it builds counts as a user. Each is done whatever
 * becomes of the others; notes what became of each, and returns the first error. Without an error the key is
 * gone, or has another volume: those that name it may go. -EUNSAFE: a volume that cannot be seen may need it.
 */
int keys_destroy_unused(const struct context *c, struct keys_going *g, struct error *e) _must_check_;

/* What became of them all: of one that did not go, else of the last. */
struct key_end keys_end(const struct keys_going *g);

/* Does `many` with several keys whose ids are whole references (MANAGER:PLACE/ID): each manager is asked
 * once. As keymgr_fetch_many(). */
typedef int keys_many_fn(struct keymgr *km, struct key_asked k[], size_t n, struct error *e);
int keys_ask(const struct context *c, struct key_asked k[], size_t n, keys_many_fn *many,
             struct error *e) _must_check_;

/* Destroys the key of the image that was to be made of the snapshot `v`, if there is one: its owner is `v`.
 */
int key_destroy_of_image(const struct context *c, const struct volume *v, struct error *e) _must_check_;

/* Does a volume name the key `ref`? */
bool key_named(const struct inventory *inventory, const char *ref);

/* Has none of the volumes before volumes[i] the same key? */
bool first_of_key(const struct volume *const volumes[], size_t i);
