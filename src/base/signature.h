/* SPDX-License-Identifier: Apache-2.0 */
/* Tells whether the beginning of a disk makes sense. Under a wrong key it is noise: so a wrong key is noticed
 * even on a disk without a check value. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SIGNATURE_HEAD_BYTES (68 << 10) /* every signature lies within these */

/* Whether `head` shows a partition table, a file system, swap, a physical volume or LUKS. Random bytes do so
 * less than once in 2^32 times. */
bool signature_shows(const uint8_t *head, size_t size);
