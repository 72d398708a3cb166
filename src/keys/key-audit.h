/* SPDX-License-Identifier: Apache-2.0 */
/* Entries of the audit trail about keys. */
#pragma once

#include "keys/keymgr.h"

/* Writes an entry for an action on a key, done or failed. `id` is NULL if no key could be made. `info`,
 * `grantee` and `why` may be NULL. */
void key_audit(const struct keymgr *km, const char *action, const char *id, const struct key_info *info,
               const char *grantee, int result, const struct error *why);
