/* SPDX-License-Identifier: Apache-2.0 */
/* Request bodies, built as JSON straight in secret memory, since some hold a key or a password.
 *
 *     struct body b = {0};
 *     body_put(&b, "{\"name\":");
 *     body_string(&b, name);
 *     body_put(&b, "}");
 *     r = body_take(&b, &secret, e);
 *     body_end(&b);
 */
#pragma once

#include "secret/secret.h"

#include <stddef.h>

#define BODY_MAX 32768 /* bytes; a token that is used to log in may have 16384 */

struct body {
    struct secret *room;
    size_t used;
    struct error error; /* the first one; body_take() reports it */
};

/* Adds JSON as it stands. */
void body_put(struct body *b, const char *json);

/* Adds a JSON string with its quotes: `size` bytes of UTF-8, escaped (RFC 8259, section 7). Other bytes are
 * an error. */
void body_string_n(struct body *b, const void *text, size_t size);
void body_string(struct body *b, const char *text);

void body_number(struct body *b, unsigned long number);

/* Adds a JSON string of base64 (RFC 4648, section 4). */
void body_base64(struct body *b, const uint8_t *bytes, size_t size);

/* Hands over the body, in a secret of exactly its size. */
int body_take(struct body *b, struct secret **ret, struct error *e) _must_check_;
void body_end(struct body *b);
