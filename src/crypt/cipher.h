/* SPDX-License-Identifier: Apache-2.0 */
/* Encrypts the bytes of a disk as dm-crypt does: AES-XTS, whose tweak is the number of the sector (plain64),
 * in sectors of the disk's own size (iv_large_sectors). A cipher belongs to one thread.
 */
#pragma once

#include "secret/secret.h"

/* Readies the library. To be called before the first cipher, and before a process gives up opening files,
 * since the library reads files of the system. More calls do no harm. */
int cipher_begin(struct error *e) _must_check_;

struct cipher;

/* Makes a cipher. Copies `key` (256 or 512 bits) into its locked pages. NULL: a disk without encryption,
 * whose bytes are copied as they are. -EINVAL: another size of key, or sectors not of 512 to 4096 bytes. */
int cipher_new(const struct secret *key, uint32_t sector_bytes, struct cipher **ret,
               struct error *e) _must_check_;
uint32_t cipher_sector_bytes(const struct cipher *c);

/* Encrypts or decrypts whole sectors, from number `first` on. `from` and `to` are the same or do not overlap.
 * -EIO: the library has failed, and `to` is worthless. */
int cipher_encrypt(struct cipher *c, uint64_t first, const uint8_t *from, uint8_t *to,
                   size_t bytes) _must_check_;
int cipher_decrypt(struct cipher *c, uint64_t first, const uint8_t *from, uint8_t *to,
                   size_t bytes) _must_check_;

/* Wipes the key and frees the cipher. Takes NULL, returns NULL. */
struct cipher *cipher_free(struct cipher *c);
DEFINE_CLEANUP(struct cipher *, cipher_free)
#define _cleanup_cipher_ _cleanup_(cipher_freep)
