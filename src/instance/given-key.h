/* SPDX-License-Identifier: Apache-2.0 */
/* A key that existed before the disks: request->key of add-disks. */
#pragma once

#include "instance/addition.h"

/* Opens the key's manager: a->new.km. */
int given_key_manager(struct addition *a, struct error *e) _must_check_;

/* Checks that the disks may have the key. -EUNSAFE: it belongs to another instance, or to none, and will be
 * destroyed. */
int given_key_check(const struct addition *a, struct error *e) _must_check_;

step_fn given_key_fetch; /* object: the addition; runs instead of the step that makes a key */
