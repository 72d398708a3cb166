/* SPDX-License-Identifier: Apache-2.0 */
/* A disk that is open. What is read and written here is plaintext. What encrypts it:
 *
 *     a disk with a map              dm-crypt; `cipher` is NULL
 *     a disk without encryption      nothing
 *     a disk that is a file          this process, by `cipher`
 *
 * Plaintext is in the caller's memory alone. The import of an image works with `fd` and `cipher` itself, with
 * many transfers at once.
 */
#pragma once

#include "crypt/cipher.h"

struct opened {
    int fd;                /* -1: nothing is open */
    struct cipher *cipher; /* NULL: nothing is encrypted here */
};
#define OPENED_NONE ((struct opened){.fd = -1})

/* Closes the disk, and wipes the key. */
void opened_close(struct opened *o);
#define _cleanup_opened_ _cleanup_(opened_close)

/* Finds the size in whole sectors of the cipher. Returns 0 or a negative errno. */
int opened_size(const struct opened *o, uint64_t *ret_bytes) _must_check_;

/* Transfers all `bytes`, or returns a negative errno. With a cipher, bytes and offset must be whole sectors,
 * else -EINVAL. */
int opened_pread(const struct opened *o, void *buffer, size_t bytes, uint64_t offset_bytes) _must_check_;
int opened_pwrite(const struct opened *o, const void *buffer, size_t bytes,
                  uint64_t offset_bytes) _must_check_;

/* Makes durable all that was written. */
int opened_sync(const struct opened *o) _must_check_;
