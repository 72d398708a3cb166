/* SPDX-License-Identifier: Apache-2.0 */
/* Entries of the audit trail about keys. */
#pragma once

#include "keys/keymgr.h"

/* Writes what was done with a key, or tried. `id` NULL: the making of a key failed. `info`, `grantee` and
 * `why` may be NULL. */
void key_audit(const struct keymgr *km, const char *action, const char *id, const struct key_info *info,
               const char *grantee, int result, const struct error *why);
