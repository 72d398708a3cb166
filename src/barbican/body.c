/* SPDX-License-Identifier: Apache-2.0 */
/* See body.h. */
#include "barbican/body.h"

#include <stdio.h>
#include <string.h>

static void put(struct body *b, const void *bytes, size_t size)
{
    if (b->error.errnum < 0)
        return;
    if (!b->room && secret_new(BODY_MAX, &b->room, &b->error) < 0)
        return;
    if (size > BODY_MAX - b->used) {
        error_set(&b->error, -E2BIG, "request: a name or password in it is too long");
        return;
    }
    memcpy(secret_bytes(b->room) + b->used, bytes, size);
    b->used += size;
}

void body_put(struct body *b, const char *json)
{
    put(b, json, strlen(json));
}

/* Returns the bytes of the character at `at`; 0 if it is not UTF-8. Overlong forms and surrogates are left to
 * the server. */
static size_t utf8_size(const unsigned char *at, size_t left)
{
    size_t n = at[0] < 0x80 ? 1 : at[0] >> 5 == 6 ? 2 : at[0] >> 4 == 14 ? 3 : at[0] >> 3 == 30 ? 4 : 0;
    for (size_t i = 1; i < n; i++)
        if (i >= left || at[i] >> 6 != 2)
            return 0;
    return n;
}

static bool is_utf8(const unsigned char *at, size_t size)
{
    for (size_t i = 0, n = 0; i < size; i += n)
        if ((n = utf8_size(at + i, size - i)) == 0)
            return false;
    return true;
}

void body_string_n(struct body *b, const void *text, size_t size)
{
    const unsigned char *at = text;
    if (b->error.errnum == 0 && !is_utf8(at, size))
        error_set(
            &b->error, -EINVAL,
            "request: a name or password in it is not UTF-8; use a locale of UTF-8, or convert the file");
    put(b, "\"", 1);
    for (size_t i = 0; i < size; i++) {
        char escape[8];
        if (at[i] == '"' || at[i] == '\\')
            put(b, (char[]){'\\', (char)at[i]}, 2);
        else if (at[i] < ' ') {
            int n = snprintf(escape, sizeof escape, "\\u%04x", at[i]);
            put(b, escape, (size_t)n);
            explicit_bzero(escape, sizeof escape);
        } else
            put(b, &at[i], 1);
    }
    put(b, "\"", 1);
}

void body_string(struct body *b, const char *text)
{
    body_string_n(b, text, strlen(text));
}

void body_number(struct body *b, unsigned long number)
{
    char digits[24];
    snprintf(digits, sizeof digits, "%lu", number);
    body_put(b, digits);
}

void body_base64(struct body *b, const uint8_t *bytes, size_t size)
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    put(b, "\"", 1);
    for (size_t i = 0; i < size; i += 3) {
        size_t n = size - i < 3 ? size - i : 3;
        uint32_t bits =
            (uint32_t)bytes[i] << 16 | (n > 1 ? (uint32_t)bytes[i + 1] << 8 : 0) | (n > 2 ? bytes[i + 2] : 0);
        char four[4] = {alphabet[bits >> 18], alphabet[bits >> 12 & 63],
                        n > 1 ? alphabet[bits >> 6 & 63] : '=', n > 2 ? alphabet[bits & 63] : '='};
        put(b, four, sizeof four);
        explicit_bzero(four, sizeof four);
        explicit_bzero(&bits, sizeof bits);
    }
    put(b, "\"", 1);
}

int body_take(struct body *b, struct secret **ret, struct error *e)
{
    if (b->error.errnum < 0)
        return error_pass(e, b->error.errnum, &b->error);
    int r = secret_new(b->used, ret, e);
    if (r == 0)
        memcpy(secret_bytes(*ret), secret_peek(b->room), b->used);
    return r;
}

void body_end(struct body *b)
{
    b->room = secret_free(b->room);
}
