/* SPDX-License-Identifier: Apache-2.0 */
/* The secrets of instances, by what a volume's tag says of them (MANAGER:PLACE/ID). */
#pragma once

#include "instance/context.h"

/* Fetches the secret that `v` names from the manager that it names. */
int key_fetch(const struct context *c, const struct volume *v, struct secret **ret,
              struct error *e) _must_check_;

/* Can the key of `v` be fetched again once its map is closed? False for an ephemeral one. */
int key_durable(const struct context *c, const struct volume *v, bool *ret, struct error *e) _must_check_;

/* What became of a key with a volume of its own. */
enum key_fate {
    KEY_FATE_NONE,     /* there was none: the disks are not encrypted */
    KEY_FATE_GONE,     /* it is destroyed */
    KEY_FATE_STAYS,    /* others have it */
    KEY_FATE_FORGOTTEN /* it could not be destroyed, and was to be left then */
};
struct key_end {
    enum key_fate fate;
    size_t n_others; /* instances that it stays for */
};

/* Destroys the key of `v`, one of the `n` volumes `going`, which are doomed or were never finished, unless
 * another volume uses it: then it stays. `now` is a look from after they were marked: what people have done
 * since the first look counts, and instances that share a key come and go under locks of their own. No lock
 * of the batch is needed: a launch that uses its key holds those of all its instances, and what it builds
 * counts as a user. 0: the key is gone, has another volume, or there was none; then those that name it may
 * go. -EUNSAFE: a volume that cannot be seen may need it. */
int key_destroy_unused(const struct context *c, const struct inventory *now, const struct volume *v,
                       const struct volume *const going[], size_t n, struct key_end *ret,
                       struct error *e) _must_check_;

/* Takes that look, and does the same for each of their keys, up to the first error; *ret is of the last one
 * that did not go, else of the last. */
int keys_destroy_unused(const struct context *c, const struct volume *const going[], size_t n,
                        struct key_end *ret, struct error *e) _must_check_;

/* Destroys the key of the image that was to be made of the snapshot `v`, if there is one: its owner is `v`.
 */
int key_destroy_of_image(const struct context *c, const struct volume *v, struct error *e) _must_check_;

/* Would the manager let this caller do that? To be asked before anything is changed. A manager that cannot be
 * reached is no reason to refuse: recover finishes what is begun. -EACCES, -EINVAL, -EUNSAFE, -EKEYREJECTED;
 * -EHOSTUNREACH: the key is kept elsewhere, so this caller will never do it. */
int key_may_destroy(const struct context *c, const struct inventory *inventory, const struct volume *v,
                    const struct volume *const going[], size_t n, struct error *e) _must_check_;
int keys_may_destroy(const struct context *c, const struct inventory *inventory,
                     const struct volume *const going[], size_t n, struct error *e) _must_check_;

/* Does a volume name the key `ref`? */
bool key_named(const struct inventory *inventory, const char *ref);

/* Has none of the volumes before volumes[i] the same key? */
bool first_of_key(const struct volume *const volumes[], size_t i);
