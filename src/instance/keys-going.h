/* SPDX-License-Identifier: Apache-2.0 */
/* The keys of volumes that are removed. A key is destroyed with its last user, for good: so only if every
 * volume that could name it was seen. */
#pragma once

#include "instance/keys.h"

/* What became of the key of a removed volume. */
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

/* Is the only fault that the caller has no right to the key? */
static inline bool key_is_denied(const struct key_going *k)
{
    return k->error.errnum == -EACCES && !k->in_doubt;
}

/* Asks the managers, before anything is changed, whether this caller may destroy the keys that nobody else
 * uses. Notes the error of each key, and returns the first one: -EACCES, -EINVAL, -EUNSAFE, -EKEYREJECTED;
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

/* What became of the keys, in one: of a key that was not destroyed, else of the last. */
struct key_end keys_end(const struct keys_going *g);
