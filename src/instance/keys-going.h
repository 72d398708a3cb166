/* SPDX-License-Identifier: Apache-2.0 */
/* The keys of volumes that are removed. A key is destroyed with its last user, for good: so all volumes that
 * could name it must have been seen. */
#pragma once

#include "instance/keys.h"

/* What became of the key of a removed volume. */
enum key_fate {
    KEY_FATE_NONE,     /* there was none: the disks are not encrypted */
    KEY_FATE_GONE,     /* it is destroyed */
    KEY_FATE_STAYS,    /* other volumes name it */
    KEY_FATE_CALLERS,  /* it belongs to the caller, and Mayfly never destroys it */
    KEY_FATE_LEFT,     /* the caller may not destroy it: its owner's next recover does */
    KEY_FATE_FORGOTTEN /* it could not be destroyed, and the caller accepts that */
};
struct key_end {
    enum key_fate fate;
    size_t n_others;       /* other instances that have it */
    char ref[KEY_REF_MAX]; /* "": there was none */
};

/* A key of the removed volumes. */
struct key_going {
    const struct volume *v; /* a volume that has it */
    struct key_end end;
    bool in_doubt;      /* `error` says that a volume may need it, or that nobody can tell */
    struct error error; /* errnum 0: none */
};

/* The removed volumes and their keys, each key once. Plain disks have none. */
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

/* True if the caller's lack of rights is the only obstacle. */
static inline bool key_is_denied(const struct key_going *k)
{
    return k->error.errnum == -EACCES && !k->in_doubt;
}

/* Asks the managers, before anything is changed, whether this caller may destroy the keys that no other
 * volume uses. Notes the error of each key, and returns the first one: -EACCES, -EINVAL, -EUNSAFE,
 * -EKEYREJECTED; -EHOSTUNREACH: the key is kept elsewhere, so this caller can never destroy it; any error of
 * LVM or libvirt, since then nobody can tell who needs the key. A manager that does not answer is no reason
 * to refuse a removal, which recover finishes. With `sure` it is a reason: for operations that need the
 * managers anyway, and would leave a new key of this caller's beside an old key of another user's. */
int keys_may_destroy(const struct context *c, struct keys_going *g, bool sure, struct error *e) _must_check_;

/* Destroys the keys that no other volume uses. The volumes are doomed, or were never finished. The inventory
 * is a look from after they were marked: so changes by people since the first look count, and so do instances
 * that share a key, which come and go under their own locks. No lock of the batch is needed: a launch that
 * uses its key holds the locks of all its instances, and its new volumes count as users. Each key is tried,
 * whatever becomes of the others; notes the result of each, and returns the first error. Without an error the
 * key is gone, or has another user: the volumes may be removed. -EUNSAFE: a volume that cannot be seen may
 * need it. */
int keys_destroy_unused(const struct context *c, struct keys_going *g, struct error *e) _must_check_;

/* Returns what became of the keys, as one result: that of a key that was not destroyed, else that of the last
 * key. */
struct key_end keys_end(const struct keys_going *g);
