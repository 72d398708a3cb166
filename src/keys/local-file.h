/* SPDX-License-Identifier: Apache-2.0 */
/* One key of the local manager as the bytes of its file:
 *
 *     mayfly-key 2                                  text, authenticated but not secret
 *     id=5c0e...                                    (the name of the file, so that two cannot be swapped)
 *     owner=6f1e...
 *     vg=vg0
 *     scope=instance
 *     bits=512
 *     created=1767225600
 *     folder=998.0123456789abcdef                   the identity of the folder that it was made in
 *                                                   an empty line, then
 *     nonce (12) | AES-256-GCM of the key | tag (16)
 *
 * "mayfly-key 1": the form of before folders had an identity, without that line.
 */
#pragma once

#include "keys/keymgr.h"

#define LOCAL_FILE_MAX      1024 /* bytes of the largest such file, and some room */
#define LOCAL_SEALING_BYTES 32

/* Makes the file's bytes; `folder` is the identity of its folder. */
int local_file_seal(const struct key_info *info, const char *folder, const struct secret *key,
                    const struct secret *sealing_key, uint8_t file[LOCAL_FILE_MAX], size_t *ret_size,
                    struct error *e) _must_check_;

/* Reads the text part alone, without a proof. ret_folder: "" in the old form. *ret_header_bytes: where the
 * nonce begins. -EKEYREJECTED: not such a file. */
int local_file_parse(const uint8_t *file, size_t size, struct key_info *ret, char ret_folder[KEY_PLACE_MAX],
                     size_t *ret_header_bytes, struct error *e) _must_check_;

/* Reads both parts, proved by the tag. Either output may be NULL. -EKEYREJECTED: damaged, or sealed by
 * another key. */
int local_file_unseal(const uint8_t *file, size_t size, const struct secret *sealing_key,
                      struct key_info *ret_info, struct secret **ret_key, struct error *e) _must_check_;
