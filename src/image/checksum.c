/* SPDX-License-Identifier: Apache-2.0 */
/* The SHA-256 of an image's contents, computed while they are written, and only if one is expected: it costs
 * more than the rest of the import of a raw image. */
#include "base/str.h"
#include "image/import-internal.h"

#include <string.h>

int checksum_begin(struct import *m, struct error *e)
{
    if (!m->image->sha256)
        return 0;
    m->hash = EVP_MD_CTX_new();
    return m->hash && EVP_DigestInit_ex(m->hash, EVP_sha256(), NULL) == 1 ? 0 : error_memory(e);
}

/* Returns how many bytes of a block are in the file. A raw file that ends within a sector is filled up with
 * zeros, which sha256sum(1) does not count. */
static size_t bytes_in_file(const struct import *m, const struct block *b)
{
    uint64_t end = m->image->fd >= 0 ? m->image->file_bytes : m->image->size_bytes;
    return end - b->offset_bytes < b->bytes ? (size_t)(end - b->offset_bytes) : b->bytes;
}

static int hash_block(struct import *m, const struct block *b)
{
    static const uint8_t zeros[4096];
    size_t bytes = bytes_in_file(m, b);
    int done = 1;
    if (b->data)
        done = EVP_DigestUpdate(m->hash, b->data, bytes);
    for (size_t at = 0, n; !b->data && done == 1 && at < bytes; at += n) {
        n = bytes - at < sizeof zeros ? bytes - at : sizeof zeros;
        done = EVP_DigestUpdate(m->hash, zeros, n);
    }
    m->hashed_bytes += b->bytes;
    return done == 1 ? 0 : -EIO;
}

int checksum_go_on(struct import *m, struct error *e)
{
    for (size_t n = 0; m->hash && n < m->n_blocks;) {
        struct block *b = &m->blocks[n++];
        if (b->state != BLOCK_WRITING || b->hashed || b->offset_bytes != m->hashed_bytes)
            continue;
        if (hash_block(m, b) < 0)
            return error_set(e, -EIO, "image %s: its checksum cannot be computed", m->image->name);
        b->hashed = true;
        n = 0;
    }
    return 0;
}

int checksum_check(struct import *m, struct error *e)
{
    uint8_t sum[IMAGE_SHA256_BYTES];
    char hex[2 * sizeof sum + 1];
    if (!m->hash)
        return 0;
    if (EVP_DigestFinal_ex(m->hash, sum, NULL) != 1)
        return error_set(e, -EIO, "image %s: its checksum cannot be computed", m->image->name);
    if (memcmp(sum, m->image->sha256, sizeof sum) == 0)
        return 0;
    str_hex(sum, sizeof sum, hex);
    return error_set(e, -EINVAL, "image %.200s: is not the expected one: the SHA-256 of its contents is %s",
                     m->image->name, hex);
}
