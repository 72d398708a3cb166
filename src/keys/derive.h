/* SPDX-License-Identifier: Apache-2.0 */
/* From the instance's secret to the key of one disk:
 *
 *     volume key = HKDF-SHA-512(secret, salt = disk uuid, info = "mayfly 1 volume cipher=C bits=N sector=S")
 *
 * So two disks of one instance, and two instances of one batch, never share a key.
 *
 * The secret has 256 random bits (KEY_SECRET_BITS), whatever the size of the volume key. The largest one, 512
 * bits for XTS, is two AES keys of 256 bits: an attacker has to try keys of 256 bits, or secrets of 256 bits.
 * HKDF-SHA-512 (RFC 5869) makes both halves in one round of its output, as different from each other as
 * random ones. Secrets of other sizes, as earlier versions made them, are used as they are.
 *
 * For disks that Nova made, as its dm-crypt got it from `cryptsetup create --key-file=-`, with the secret in
 * lower-case hex on standard input, and H cryptsetup's default hash: RIPEMD-160 before 2.7.0, SHA-256 since:
 *
 *     volume key = H(hex) H("A" hex) H("AA" hex) ..., cut to its size
 *
 * So all disks of an instance have the same key.
 */
#pragma once

#include "secret/secret.h"
#include "storage/volume.h"

#define VOLUME_INFO_FORMAT "mayfly 1 volume cipher=%s bits=%u sector=%u"

/* Derives the volume key of `v`: v->key_bits / 8 bytes, by v->kdf (-EINVAL if unknown). -EKEYREJECTED: XTS
 * halves are equal. -ENOTSUP: OpenSSL lacks the hash. */
int derive_volume_key(const struct volume *v, const struct secret *secret, struct secret **ret,
                      struct error *e) _must_check_;
