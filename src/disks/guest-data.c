/* SPDX-License-Identifier: Apache-2.0 */
/* See guest-data.h. */
#include "disks/guest-data.h"

#include <string.h>

/* Returns the memory at `place`, as far as it is contiguous and at most `bytes`; moves `place` behind it. */
static uint8_t *next_memory(struct place *place, size_t bytes, size_t *ret_bytes)
{
    while (place->offset == place->part->iov_len) {
        place->part++;
        place->offset = 0;
    }
    size_t there = place->part->iov_len - place->offset;
    uint8_t *at = (uint8_t *)place->part->iov_base + place->offset;
    *ret_bytes = there < bytes ? there : bytes;
    place->offset += *ret_bytes;
    return at;
}

void guest_read(struct place *place, uint8_t *to, size_t bytes)
{
    for (size_t n; bytes > 0; bytes -= n, to += n) {
        const uint8_t *from = next_memory(place, bytes, &n);
        memcpy(to, from, n);
    }
}

void guest_write(struct place *place, const uint8_t *from, size_t bytes)
{
    for (size_t n; bytes > 0; bytes -= n, from += n) {
        uint8_t *to = next_memory(place, bytes, &n);
        memcpy(to, from, n);
    }
}

void guest_skip(struct place *place, size_t bytes)
{
    for (size_t n; bytes > 0; bytes -= n)
        next_memory(place, bytes, &n);
}

/* Returns how many bytes of whole sectors are contiguous at `place`. */
static size_t whole_sectors(const struct place *place, size_t bytes, uint32_t sector_bytes)
{
    struct place ahead = *place;
    size_t n;
    next_memory(&ahead, bytes, &n);
    return n / sector_bytes * sector_bytes;
}

int guest_encrypt(struct cipher *c, struct secret *page, uint64_t first, struct place *place, uint8_t *to,
                  size_t bytes)
{
    uint32_t sector_bytes = cipher_sector_bytes(c);
    int r = 0;
    while (r == 0 && bytes > 0) {
        size_t n = whole_sectors(place, bytes, sector_bytes);
        if (n > 0) {
            r = cipher_encrypt(c, first, next_memory(place, n, &n), to, n);
        } else {
            n = sector_bytes;
            guest_read(place, secret_bytes(page), n);
            r = cipher_encrypt(c, first, secret_peek(page), to, n);
        }
        first += n / sector_bytes;
        to += n;
        bytes -= n;
    }
    return r;
}

int guest_decrypt(struct cipher *c, struct secret *page, uint64_t first, const uint8_t *from,
                  struct place *place, size_t bytes)
{
    uint32_t sector_bytes = cipher_sector_bytes(c);
    int r = 0;
    while (r == 0 && bytes > 0) {
        size_t n = whole_sectors(place, bytes, sector_bytes);
        if (n > 0) {
            r = cipher_decrypt(c, first, from, next_memory(place, n, &n), n);
        } else {
            n = sector_bytes;
            r = cipher_decrypt(c, first, from, secret_bytes(page), n);
            guest_write(place, secret_peek(page), n);
        }
        first += n / sector_bytes;
        from += n;
        bytes -= n;
    }
    return r;
}
