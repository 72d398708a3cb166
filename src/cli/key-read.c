/* SPDX-License-Identifier: Apache-2.0 */
/* See key-read.h. The text is read into secret memory, without a buffer of stdio. */
#include "cli/key-read.h"

#include "keys/keymgr.h"

#include <unistd.h>

#define HEX_MIN (KEY_BITS_MIN / 4)
#define HEX_MAX (KEY_BITS_MAX / 4)

static int read_text(int fd, struct secret *room, size_t *ret_size)
{
    size_t n = 0;
    for (;;) {
        ssize_t got = read(fd, secret_bytes(room) + n, secret_size(room) - n);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -errno;
        n += (size_t)got;
        if (got == 0 || n == secret_size(room))
            break;
    }
    *ret_size = n;
    return 0;
}

/* Returns the value of a hex digit; -1: it is not one. */
static int digit(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int key_read_hex(int fd, struct secret **ret, struct error *e)
{
    _cleanup_secret_ struct secret *text = NULL, *key = NULL;
    size_t n = 0;
    int r = secret_new(HEX_MAX + 2, &text, e);
    if (r < 0)
        return r;
    r = read_text(fd, text, &n);
    if (r < 0)
        return error_set(e, r, "key: cannot be read from standard input: %s", strerror(-r));
    const uint8_t *hex = secret_peek(text);
    if (n && hex[n - 1] == '\n')
        n--;
    bool good = n >= HEX_MIN && n <= HEX_MAX && n % 2 == 0;
    r = secret_new(n / 2 ? n / 2 : 1, &key, e);
    for (size_t i = 0; r == 0 && good && i < n; i += 2) {
        int high = digit(hex[i]), low = digit(hex[i + 1]);
        good = high >= 0 && low >= 0;
        if (good)
            secret_bytes(key)[i / 2] = (uint8_t)(high << 4 | low);
    }
    if (r < 0)
        return r;
    if (!good)
        return error_set(e, -EINVAL, "key: what is on standard input is not a key of %d to %d bits in hex",
                         KEY_BITS_MIN, KEY_BITS_MAX);
    *ret = TAKE_PTR(key);
    return 0;
}
