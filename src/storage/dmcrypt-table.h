/* SPDX-License-Identifier: Apache-2.0 */
/* Reads what device-mapper tells of a map's table; private to dmcrypt*.c. */
#pragma once

#include "storage/dm.h"
#include "storage/dmcrypt.h"

uint64_t dmcrypt_end_of_table(struct dm_task *t);

/* Reads length and flags of the table in use; both are 0 if there is none yet. The key is not in the
 * table. */
int dmcrypt_read_table(const char *name, uint64_t *ret_sectors, uint32_t *ret_flags,
                       struct error *e) _must_check_;

bool dmcrypt_above(const char *name, dev_t below);
