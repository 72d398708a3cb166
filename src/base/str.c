/* SPDX-License-Identifier: Apache-2.0 */
/* See str.h. */
#include "base/str.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <strings.h>
#include <uuid/uuid.h>

#define FRACTION_DIGITS_MAX 9

bool str_ends(const char *text, const char *end)
{
    size_t n = strlen(text), m = strlen(end);
    return n >= m && streq(text + n - m, end);
}

int str_copy(char *field, size_t size, const char *text)
{
    size_t n = strlen(text);
    if (n >= size) {
        field[0] = '\0';
        return -ENAMETOOLONG;
    }
    memcpy(field, text, n + 1);
    return 0;
}

void str_tame(char *text)
{
    for (unsigned char *c = (unsigned char *)text; *c; c++) {
        bool c1 = c[0] == 0xC2 && c[1] >= 0x80 && c[1] < 0xA0; /* U+0080 to U+009F, in UTF-8 */
        if (*c < ' ' || *c == 127 || c1)
            *c = '?';
        if (c1)
            *++c = '?';
    }
}

char *str_vformat(const char *format, va_list ap)
{
    char *text = NULL;
    return vasprintf(&text, format, ap) < 0 ? NULL : text;
}

char *str_format(const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    char *text = str_vformat(format, ap);
    va_end(ap);
    return text;
}

/* Replaces isalnum(), whose letters depend on the locale. */
static bool is_alnum(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool str_made_of(const char *text, const char *others)
{
    for (; *text; text++)
        if (!is_alnum(*text) && !strchr(others, *text))
            return false;
    return true;
}

/* Reads the digits at the start of `text`; *ret_rest is what follows them. */
static int leading_u64(const char *text, uint64_t *ret, const char **ret_rest)
{
    uint64_t value = 0;
    const char *p = text;
    for (; *p >= '0' && *p <= '9'; p++)
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, (uint64_t)(*p - '0'), &value))
            return -ERANGE;
    if (p == text)
        return -EINVAL;
    *ret = value;
    *ret_rest = p;
    return 0;
}

int str_to_u64(const char *text, uint64_t *ret)
{
    uint64_t value = 0;
    const char *rest = NULL;
    int r = leading_u64(text, &value, &rest);
    if (r < 0)
        return r;
    if (*rest)
        return -EINVAL;
    *ret = value;
    return 0;
}

/* Reads the shift of a unit: 0, 0, 30, 30 for "", "B", "G", "GiB". */
static int read_unit(const char *text, unsigned *ret_shift)
{
    static const char units[] = "BKMGTPE";
    if (*text == ' ' && !*++text)
        return -EINVAL;
    const char *unit = *text ? strchr(units, toupper((unsigned char)*text)) : units;
    if (!unit)
        return -EINVAL;
    if (*text && text[1] && (unit == units || strcasecmp(text + 1, "iB") != 0))
        return -EINVAL;
    *ret_shift = 10 * (unsigned)(unit - units);
    return 0;
}

/* Reads the digits behind the point, in bytes of a unit of 2^shift. */
static int read_fraction(const char *text, const char **ret_rest, unsigned *ret_digits, uint64_t *ret)
{
    int r = leading_u64(text, ret, ret_rest);
    *ret_digits = (unsigned)(*ret_rest - text);
    return r == 0 && *ret_digits > FRACTION_DIGITS_MAX ? -EINVAL : r;
}

int str_to_bytes(const char *text, uint64_t *ret_bytes)
{
    uint64_t value = 0, fraction = 0;
    unsigned shift = 0, digits = 0;
    const char *rest = NULL;
    int r = leading_u64(text, &value, &rest);
    if (r == 0 && *rest == '.')
        r = read_fraction(rest + 1, &rest, &digits, &fraction);
    if (r == 0)
        r = read_unit(rest, &shift);
    if (r < 0)
        return r;
    if (digits && shift == 0)
        return -EINVAL;
    unsigned __int128 part = (unsigned __int128)fraction << shift;
    for (; digits > 0; digits--)
        part /= 10;
    if (__builtin_mul_overflow(value, UINT64_C(1) << shift, &value) ||
        __builtin_add_overflow(value, (uint64_t)part, &value))
        return -ERANGE;
    *ret_bytes = value;
    return 0;
}

#define EXACT_MAX 99999 /* of a unit: nobody reads more digits at a glance */

static void print_tenths(uint64_t tenths, unsigned unit, char *field, size_t size)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    if (tenths == 10240 && unit + 1 < ARRAY_SIZE(units)) {
        tenths = 10;
        unit++;
    }
    if (tenths % 10)
        snprintf(field, size, "%" PRIu64 ".%" PRIu64 " %s", tenths / 10, tenths % 10, units[unit]);
    else
        snprintf(field, size, "%" PRIu64 " %s", tenths / 10, units[unit]);
}

/* Returns the largest unit that is not larger than `bytes`. */
static unsigned unit_of(uint64_t bytes)
{
    unsigned unit = 0;
    for (; bytes >= 1024; bytes /= 1024)
        unit++;
    return unit;
}

/* Returns `bytes` in tenths of this unit, rounded down, or up if `up`. */
static uint64_t tenths_of(uint64_t bytes, unsigned unit, bool up)
{
    unsigned __int128 tenths = (unsigned __int128)bytes * 10, one = (unsigned __int128)1 << (10 * unit);
    return (uint64_t)((tenths + (up ? one - 1 : 0)) / one);
}

char *str_from_bytes(uint64_t bytes, char *field, size_t size)
{
    unsigned unit = unit_of(bytes), exact = unit;
    while (exact > 0 && tenths_of(bytes, exact, true) != tenths_of(bytes, exact, false))
        exact--;
    if (bytes >> (10 * exact) <= EXACT_MAX)
        unit = exact;
    print_tenths(tenths_of(bytes, unit, true), unit, field, size);
    return field;
}

bool str_bytes_same(uint64_t text_bytes, uint64_t bytes)
{
    char text[32];
    uint64_t read = 0;
    return str_to_bytes(str_from_bytes(bytes, text, sizeof text), &read) == 0 && read == text_bytes;
}

char *str_from_room(uint64_t bytes, char *field, size_t size)
{
    unsigned unit = unit_of(bytes);
    print_tenths(tenths_of(bytes, unit, false), unit, field, size);
    return field;
}

void str_hex(const uint8_t *bytes, size_t size, char *hex)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < size; i++) {
        hex[2 * i] = digits[bytes[i] >> 4];
        hex[2 * i + 1] = digits[bytes[i] & 15];
    }
    hex[2 * size] = '\0';
}

bool uuid_valid(const char *text)
{
    uuid_t binary;
    char again[UUID_TEXT];
    if (strlen(text) != UUID_TEXT - 1 || uuid_parse(text, binary) < 0)
        return false;
    uuid_unparse_lower(binary, again);
    return streq(text, again);
}

bool uuid_read(const char *text, char ret_uuid[UUID_TEXT])
{
    char digits[2 * sizeof(uuid_t) + 1], whole[UUID_TEXT];
    size_t n = 0;
    uuid_t binary;
    for (const char *c = text; *c; c++) {
        if (*c == '-' && n % 2 == 0)
            continue;
        if (n == sizeof digits - 1 || !strchr("0123456789abcdefABCDEF", *c))
            return false;
        digits[n++] = *c;
    }
    if (n != sizeof digits - 1)
        return false;
    snprintf(whole, sizeof whole, "%.8s-%.4s-%.4s-%.4s-%.12s", digits, digits + 8, digits + 12, digits + 16,
             digits + 20);
    if (uuid_parse(whole, binary) < 0)
        return false;
    uuid_unparse_lower(binary, ret_uuid);
    return true;
}

void uuid_of_text(const char *text, char ret_uuid[UUID_TEXT])
{
    static const uuid_t ours = {0x71, 0x84, 0x75, 0x60, 0x20, 0xc4, 0x49, 0x29,
                                0xa9, 0xcc, 0x06, 0x19, 0xf1, 0xe7, 0x16, 0x73};
    uuid_t binary;
    uuid_generate_sha1(binary, ours, text, strlen(text));
    uuid_unparse_lower(binary, ret_uuid);
}

void uuid_make(char ret_uuid[UUID_TEXT])
{
    uuid_t binary;
    uuid_generate_random(binary);
    uuid_unparse_lower(binary, ret_uuid);
}
