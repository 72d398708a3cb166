/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of recover; private to recover*.c. */
#pragma once

#include "instance/recovery.h"

/* recover-suspended.c */
int recovery_lock_suspended(struct recovery *r, struct error *e) _must_check_;
int recovery_resume(struct recovery *r, struct error *e) _must_check_;

/* recover-keys.c */
int recovery_list_keys(struct recovery *r, const struct inventory *inventory, struct error *e) _must_check_;
int recovery_destroy_keys(struct recovery *r, struct error *e) _must_check_;

/* True if the owner has a key that no volume names. */
bool recovery_has_unnamed_key(const struct recovery *r, const char *owner);
int recovery_check_key(struct recovery *r, const struct instance *i, struct error *e) _must_check_;

/* Destroys the copy of the key that a cut-off adoption has made, and no other key. */
int recovery_destroy_copy(struct recovery *r, const struct volume *lead, struct error *e) _must_check_;

/* recover-disks.c */

/* Finds the uuid of the instance in the name of a map; false: the name is not one of ours. */
bool map_instance(const struct map *map, char uuid[UUID_TEXT]);
int recovery_instance(struct recovery *r, const struct instance *i, struct error *e) _must_check_;
int recovery_orphan_maps(struct recovery *r, struct error *e) _must_check_;

/* Gives all disks of the instance back. The second function marks adopting disks ready. Both are in
 * recover-adopt.c. */
int recovery_release(struct recovery *r, const struct instance *i, struct error *e) _must_check_;
int recovery_adopt(struct recovery *r, const struct instance *i, struct error *e) _must_check_;

/* recover-engine.c: has the definition of an instance follow the engines in its tags. */
int recovery_engine(struct recovery *r, const struct instance *i, struct error *e) _must_check_;
