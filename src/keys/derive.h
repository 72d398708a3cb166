/* SPDX-License-Identifier: Apache-2.0 */
/* From the instance's secret to the key of one disk:
 *
 *     volume key = HKDF-SHA-512(secret, salt = disk uuid, info = "mayfly 1 volume cipher=C bits=N sector=S")
 *
 * Two disks of one instance, and two instances of one batch, so never share a key.
 */
#pragma once

#include "secret/secret.h"
#include "storage/volume.h"

#define KDF_HKDF_SHA512    "hkdf-sha512"
#define VOLUME_INFO_FORMAT "mayfly 1 volume cipher=%s bits=%u sector=%u"

/* The volume key of `v`: v->key_bits / 8 bytes, by v->kdf (-EINVAL if unknown). -EKEYREJECTED: XTS halves are
 * equal. */
int derive_volume_key(const struct volume *v, const struct secret *secret, struct secret **ret,
                      struct error *e) _must_check_;
