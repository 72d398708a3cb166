/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes that must not outlive their use: keys, tokens, passwords.
 *
 *     _cleanup_secret_ struct secret *key = NULL;
 *     r = keymgr_fetch(km, id, &key, e);          // moved to us: we own it now
 *     ...                                         // wiped and freed on every way out
 *
 * A secret lives in pages of its own: locked into RAM (no swap), left out of core dumps, empty in a forked
 * child, wiped before they are freed. It is moved and never copied, has no printable form, and nothing else
 * in Mayfly may hold its contents. Where pages cannot be locked, no secret is made (-EPERM or -ENOMEM; the
 * sentence names RLIMIT_MEMLOCK).
 */
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

struct secret;

/* Makes a secret of `size` zero bytes, which the caller fills. */
int secret_new(size_t size, struct secret **ret, struct error *e) _must_check_;

/* Returns how many pages of secrets this process may have at a time, by its RLIMIT_MEMLOCK. A secret of a
 * key's size takes one page, and its handover another. */
size_t secret_pages_max(void);

/* Makes a secret of `size` bytes of getrandom(2). */
int secret_random(size_t size, struct secret **ret, struct error *e) _must_check_;

uint8_t *secret_bytes(struct secret *s);
const uint8_t *secret_peek(const struct secret *s);
size_t secret_size(const struct secret *s);

/* Compares in a time that does not depend on the contents. */
bool secret_equal(const struct secret *a, const struct secret *b);

/* Wipes and frees. Takes NULL, returns NULL. */
struct secret *secret_free(struct secret *s);
DEFINE_CLEANUP(struct secret *, secret_free)
#define _cleanup_secret_ _cleanup_(secret_freep)

/* Hands a secret to another process as a descriptor: memfd_secret(2) where the kernel has it, else a memfd
 * that is sealed against resizing, with its pages locked. secret_handover_end() wipes the pages, so call it
 * only when the other side has answered. */
struct secret_handover;
int secret_handover(const struct secret *s, struct secret_handover **ret, struct error *e) _must_check_;
int secret_handover_fd(const struct secret_handover *h);
struct secret_handover *secret_handover_end(struct secret_handover *h);
DEFINE_CLEANUP(struct secret_handover *, secret_handover_end)
#define _cleanup_handover_ _cleanup_(secret_handover_endp)

/* Takes a secret of exactly `size` bytes out of such a descriptor, and wipes it there. The sender is not
 * trusted: a descriptor of another kind or size, or one that could be cut while it is read, is -EPROTO. */
int secret_receive(int fd, size_t size, struct secret **ret, struct error *e) _must_check_;
