/* SPDX-License-Identifier: Apache-2.0 */
/* The definition of an instance follows the engines in the tags of its volumes. */
#pragma once

#include "instance/model.h"

/* Writes the definition in which these encrypted disks are as `engine` opens them; NULL: as the engine in the
 * tags of each. The caller frees both. *ret_is NULL: they are so. -ENOENT: the definition does not name one
 * of them. */
int engine_definition(const struct context *c, const char *uuid, const struct volume *const disks[], size_t n,
                      const enum volume_engine *engine, char **ret_was, char **ret_is,
                      struct error *e) _must_check_;
