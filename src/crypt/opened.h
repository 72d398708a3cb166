/* SPDX-License-Identifier: Apache-2.0 */
/* A disk that is open: what is read and written here is what its guest sees, whoever encrypts.
 *
 *     of a map, or of a disk without encryption    the descriptor is all there is to it
 *     of a file that is a disk                     the bytes go through a cipher of this process
 *
 * Plaintext is in the caller's memory alone. What is larger, and many transfers at once, is for
 * image/import.c and image/export.c, which work with `fd` and `cipher` themselves.
 */
#pragma once

#include "crypt/cipher.h"

struct opened {
    int fd;                /* -1: nothing is open */
    struct cipher *cipher; /* NULL: none between the descriptor and the plaintext */
};
#define OPENED_NONE ((struct opened){.fd = -1})

/* Closes what is open, and wipes the key. */
void opened_close(struct opened *o);
#define _cleanup_opened_ _cleanup_(opened_close)

/* The size of what `fd` leads to, whole sectors of the cipher, or a negative errno. */
int opened_size(const struct opened *o, uint64_t *ret_bytes) _must_check_;

/* All `bytes`, or a negative errno. Through a cipher both must be whole sectors: else -EINVAL. */
int opened_pread(const struct opened *o, void *buffer, size_t bytes, uint64_t offset_bytes) _must_check_;
int opened_pwrite(const struct opened *o, const void *buffer, size_t bytes,
                  uint64_t offset_bytes) _must_check_;

/* Makes durable what was written. */
int opened_sync(const struct opened *o) _must_check_;
