/* SPDX-License-Identifier: Apache-2.0 */
/* A key that existed before the disks: request->key of a launch. Only add-disks takes one. */
#pragma once

#include "instance/launch.h"

/* Opens the key's manager: l->km. */
int given_key_manager(struct launch *l, struct error *e) _must_check_;

/* Checks that the disks may have the key. -EUNSAFE: it belongs to another instance, or to none, and will be
 * destroyed. */
int given_key_check(const struct launch *l, struct error *e) _must_check_;

step_fn given_key_fetch; /* object: the launch; runs instead of the step that makes a key */
