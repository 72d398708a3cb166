/* SPDX-License-Identifier: Apache-2.0 */
/* HKDF, and the value by which a disk knows its key.
 *
 *     check = the first 16 bytes of HKDF-SHA-512(volume key, salt = disk uuid, info = "mayfly 1 check" and
 * every parameter that a tag holds and that must not change: CHECK_INFO_FORMAT)
 *
 * A wrong key, or a changed tag, is so noticed before a map exists. It is made from the volume key, not from
 * the secret in the key manager, so that the broker, who must verify it, never sees more than the one key.
 */
#pragma once

#include "secret/secret.h"
#include "storage/volume.h"

#define CHECK_INFO_FORMAT "mayfly 1 check instance=%s role=%s cipher=%s bits=%u sector=%u kdf=%s"

/* HKDF-SHA-512 (RFC 5869) of `size` bytes, 1 to 16320. -EINVAL: more or less, or `ikm` is empty. */
int hkdf_sha512(const struct secret *ikm, const char *salt, const char *info, size_t size,
                struct secret **ret, struct error *e) _must_check_;

/* Puts the check value of `v` under `volume_key` into `hex`. */
int volume_check_value(const struct volume *v, const struct secret *volume_key, char hex[CHECK_HEX],
                       struct error *e) _must_check_;

/* 0 if `volume_key` has the right size and, where the cipher is XTS, halves that differ (FIPS 140-3 IG C.I);
 * else -EKEYREJECTED. */
int volume_check_key_form(const struct volume *v, const struct secret *volume_key,
                          struct error *e) _must_check_;

/* 0 if `volume_key` has the right size, halves that differ where the cipher is XTS, and the check value that
 * `v` has; else -EKEYREJECTED. */
int volume_verify_key(const struct volume *v, const struct secret *volume_key, struct error *e) _must_check_;
