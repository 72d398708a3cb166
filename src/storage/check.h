/* SPDX-License-Identifier: Apache-2.0 */
/* HKDF, and the check value of a disk, which tells whether a key is right.
 *
 *     check = "2:" and the first 16 bytes of HKDF-SHA-512(volume key, salt = disk uuid, info), in hex
 *     info  = CHECK_INFO_2 with every tag but the state, the engine and the check value itself
 *
 * It reveals a wrong key or a changed tag before a map exists. It is computed from the volume key, not from
 * the secret in the key manager, so that the broker, which verifies it, never sees more than one key.
 *
 * The alias of a disk, if there is one, comes last in the info, so that disks without an alias keep the value
 * that they had before there were aliases.
 *
 * Scheme 1 (CHECK_INFO_1, no "2:") left out the scope and the reference of the secret, the file system and
 * the name. Such a value is verified where it is found, and never written. Without the volume key nobody can
 * turn a value of one scheme into one of the other.
 */
#pragma once

#include "secret/secret.h"
#include "storage/volume.h"

#define CHECK_INFO_1 "mayfly 1 check instance=%s role=%s cipher=%s bits=%u sector=%u kdf=%s"
#define CHECK_INFO_2                                                                                         \
    "mayfly 2 check instance=%s role=%s cipher=%s bits=%u sector=%u kdf=%s key=%s scope=%s fs=%s name=%s"
#define CHECK_INFO_ALIAS " alias=%s"

/* Derives `size` bytes, 1 to 16320, by HKDF-SHA-512 (RFC 5869). -EINVAL: more or less, or `ikm` is empty. */
int hkdf_sha512(const struct secret *ikm, const char *salt, const char *info, size_t size,
                struct secret **ret, struct error *e) _must_check_;

/* Computes the check value of `v` under `volume_key`, by the newest scheme. All other tags except the state
 * must be set. */
int volume_check_value(const struct volume *v, const struct secret *volume_key, char value[CHECK_MAX],
                       struct error *e) _must_check_;

/* Checks that `volume_key` has the right size and, where the cipher is XTS, halves that differ (FIPS 140-3 IG
 * C.I); else -EKEYREJECTED. */
int volume_check_key_form(const struct volume *v, const struct secret *volume_key,
                          struct error *e) _must_check_;

/* As volume_check_key_form(), and checks that `volume_key` has the check value that `v` has; else
 * -EKEYREJECTED. */
int volume_verify_key(const struct volume *v, const struct secret *volume_key, struct error *e) _must_check_;
