/* SPDX-License-Identifier: Apache-2.0 */
/* Does what dm-crypt does with aes-xts-plain64 and sectors of 512 bytes, without a map. */
#pragma once

#include "secret/secret.h"

#define XTS_CIPHER       "aes-xts-plain64"
#define XTS_SECTOR_BYTES 512

/* Decrypts `data` in place: whole sectors from the first one of a disk on. -EINVAL: the key has not
 * 256 or 512 bits, or a sector is not whole. */
int xts_decrypt(const struct secret *volume_key, struct secret *data, struct error *e) _must_check_;
