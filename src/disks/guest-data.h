/* SPDX-License-Identifier: Apache-2.0 */
/* The guest's side of a transfer: memory in parts, which may end anywhere. Plaintext is in the guest's memory
 * and, for a sector in which a part ends, in one locked page.
 */
#pragma once

#include "crypt/cipher.h"

#include <sys/uio.h>

/* A place in the data of a request. */
struct place {
    const struct iovec *part;
    size_t offset;
};

/* Copies from the guest, copies to the guest, or skips. `place` moves on by `bytes`, which the parts must
 * have. */
void guest_read(struct place *place, uint8_t *to, size_t bytes);
void guest_write(struct place *place, const uint8_t *from, size_t bytes);
void guest_skip(struct place *place, size_t bytes);

/* Encrypts from the guest's memory, or decrypts into it: whole sectors from number `first` on. `page` has
 * room for one. */
int guest_encrypt(struct cipher *c, struct secret *page, uint64_t first, struct place *place, uint8_t *to,
                  size_t bytes) _must_check_;
int guest_decrypt(struct cipher *c, struct secret *page, uint64_t first, const uint8_t *from,
                  struct place *place, size_t bytes) _must_check_;
