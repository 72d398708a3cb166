/* SPDX-License-Identifier: Apache-2.0 */
/* The secrets of instances, by their references in the tags of volumes (MANAGER:PLACE/ID). */
#pragma once

#include "instance/context.h"

/* Fetches the secret that `v` names from the manager that it names. */
int key_fetch(const struct context *c, const struct volume *v, struct secret **ret,
              struct error *e) _must_check_;

/* keys-ahead.c. Fetches the keys of the missing disks at once. key_fetch() hands them, or their errors, out
 * when each disk is opened. keys_ahead_end() wipes unused keys. */
struct disks;
void keys_fetch_ahead(const struct context *c, const struct disks *const disks[], size_t n);

/* Finds out whether the key of `v` can be fetched again once its map is closed. False for an ephemeral
 * key. */
int key_durable(const struct context *c, const struct volume *v, bool *ret, struct error *e) _must_check_;

/* Calls `many` with keys whose ids are whole references (MANAGER:PLACE/ID), once for each manager. As
 * keymgr_fetch_many(). */
typedef int keys_many_fn(struct keymgr *km, struct key_asked k[], size_t n, struct error *e);
int keys_ask(const struct context *c, struct key_asked k[], size_t n, keys_many_fn *many,
             struct error *e) _must_check_;

/* Destroys the key of the image that the snapshot `v` was for, if there is one: `v` is the owner. */
int key_destroy_of_image(const struct context *c, const struct volume *v, struct error *e) _must_check_;

/* True if a volume names the key `ref`. */
bool key_named(const struct inventory *inventory, const char *ref);

/* True if volumes[i] is the first volume that names its key. */
bool first_of_key(const struct volume *const volumes[], size_t i);
