/* SPDX-License-Identifier: Apache-2.0 */
/* See opened.h. */
#include "crypt/opened.h"

#include "base/fd.h"

#include <unistd.h>

#define PIECE_BYTES ((size_t)256 << 10) /* this many bytes are encrypted at a time */

void opened_close(struct opened *o)
{
    o->fd = fd_close(o->fd);
    o->cipher = cipher_free(o->cipher);
}

static uint32_t sector_bytes(const struct opened *o)
{
    return o->cipher ? cipher_sector_bytes(o->cipher) : 1;
}

int opened_size(const struct opened *o, uint64_t *ret_bytes)
{
    off_t end = lseek(o->fd, 0, SEEK_END);
    if (end < 0)
        return -errno;
    *ret_bytes = (uint64_t)end / sector_bytes(o) * sector_bytes(o);
    return 0;
}

static bool is_whole(const struct opened *o, size_t bytes, uint64_t offset_bytes)
{
    return bytes % sector_bytes(o) == 0 && offset_bytes % sector_bytes(o) == 0;
}

int opened_pread(const struct opened *o, void *buffer, size_t bytes, uint64_t offset_bytes)
{
    if (!is_whole(o, bytes, offset_bytes))
        return -EINVAL;
    int r = fd_pread_all(o->fd, buffer, bytes, offset_bytes);
    if (r == 0 && o->cipher)
        r = cipher_decrypt(o->cipher, offset_bytes / sector_bytes(o), buffer, buffer, bytes);
    return r;
}

/* Encrypts and writes. The buffer in between holds ciphertext, so ordinary memory will do. */
static int write_encrypted(const struct opened *o, const uint8_t *from, size_t bytes, uint64_t offset_bytes)
{
    _cleanup_free_ uint8_t *piece = malloc(bytes < PIECE_BYTES ? bytes : PIECE_BYTES);
    int r = piece || bytes == 0 ? 0 : -ENOMEM;
    for (size_t at = 0, n; r == 0 && at < bytes; at += n) {
        n = bytes - at < PIECE_BYTES ? bytes - at : PIECE_BYTES;
        r = cipher_encrypt(o->cipher, (offset_bytes + at) / sector_bytes(o), from + at, piece, n);
        if (r == 0)
            r = fd_pwrite_all(o->fd, piece, n, offset_bytes + at);
    }
    return r;
}

int opened_pwrite(const struct opened *o, const void *buffer, size_t bytes, uint64_t offset_bytes)
{
    if (!is_whole(o, bytes, offset_bytes))
        return -EINVAL;
    return o->cipher ? write_encrypted(o, buffer, bytes, offset_bytes)
                     : fd_pwrite_all(o->fd, buffer, bytes, offset_bytes);
}

int opened_sync(const struct opened *o)
{
    return fsync(o->fd) < 0 ? -errno : 0;
}
