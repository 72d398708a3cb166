/* SPDX-License-Identifier: Apache-2.0 */
/* What the tags of a volume allow: the same for logical volumes and for files. Locks, holders and open maps
 * are checked by the pool. All return 0, -EINVAL (the request makes no sense) or -EUNSAFE. */
#pragma once

#include "secret/secret.h"
#include "storage/map.h"

/* Checks that this disk may be made. */
int rules_create(const struct volume *v, struct error *e) _must_check_;

/* Checks that a snapshot may be made of this disk. */
int rules_origin(const struct volume *v, struct error *e) _must_check_;

/* Describes that snapshot: it has the tags of its origin, except for disk uuid, role, state and size. Its
 * check value is made from the origin's key, so it can be opened with that key alone. */
int rules_design_snapshot(const struct volume *origin, const char *disk, uint64_t size_bytes,
                          const struct secret *volume_key, struct volume *ret, struct error *e) _must_check_;

int rules_open(const struct volume *v, struct error *e) _must_check_;

/* Checks that the volume itself is opened for this use, without a map, since a process serves the disk. */
int rules_open_volume(const struct volume *v, enum map_use use, struct error *e) _must_check_;

/* Check that the caller is the connection that is making the volume: no other may open it without a key, or
 * format it. */
int rules_open_plain(const struct volume *v, bool made_here, struct error *e) _must_check_;
int rules_format(const struct volume *v, bool made_and_opened_here, struct error *e) _must_check_;

int rules_tune(const struct volume *v, struct error *e) _must_check_;
int rules_mark(const struct volume *v, enum volume_state to, struct error *e) _must_check_;
int rules_remove(const struct volume *v, struct error *e) _must_check_;

/* Checks that `new` may take the place of `old`, under the same name. */
int rules_remake(const struct volume *old, const struct volume *new, struct error *e) _must_check_;

/* Describes the volume with another engine. */
int rules_engine(const struct volume *v, enum volume_engine engine, struct volume *ret,
                 struct error *e) _must_check_;
int rules_resize(const struct volume *v, uint64_t size_bytes, struct error *e) _must_check_;
