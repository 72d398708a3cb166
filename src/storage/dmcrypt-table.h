/* SPDX-License-Identifier: Apache-2.0 */
/* What is read of a map's table; private to dmcrypt*.c. */
#pragma once

#include "storage/dm.h"
#include "storage/dmcrypt.h"

uint64_t dmcrypt_end_of_table(struct dm_task *t);

/* Length and flags of the table in use: 0 also where there is none yet. The key is not in it. */
int dmcrypt_read_table(const char *name, uint64_t *ret_sectors, uint32_t *ret_flags,
                       struct error *e) _must_check_;

bool dmcrypt_above(const char *name, dev_t below);
