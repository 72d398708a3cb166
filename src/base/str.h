/* SPDX-License-Identifier: Apache-2.0 */
/* Text: comparing, copying into fixed fields without cutting, formatting, numbers, sizes and uuids. */
#pragma once

#include "base/macro.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define UUID_TEXT 37 /* 36 characters and a NUL, as libuuid writes it */

static inline bool streq(const char *a, const char *b)
{
    return strcmp(a, b) == 0;
}

static inline bool str_starts(const char *text, const char *start)
{
    return strncmp(text, start, strlen(start)) == 0;
}

bool str_ends(const char *text, const char *end);

/* Copies `text` into a field of `size` bytes; -ENAMETOOLONG, and an empty field, where it does not fit. */
int str_copy(char *field, size_t size, const char *text) _must_check_;

/* Makes foreign text safe for a message: each control character becomes a '?'. */
void str_tame(char *text);

/* Returns a fresh string that the caller frees, or NULL if memory ran out. */
char *str_format(const char *format, ...) _printf_(1, 2);
char *str_vformat(const char *format, va_list ap) __attribute__((format(printf, 1, 0)));

/* Whether every character of `text` is a letter, a digit or one of `others`; true for the empty text. */
bool str_made_of(const char *text, const char *others);

/* Reads a whole decimal number without sign or blanks; -EINVAL, -ERANGE. */
int str_to_u64(const char *text, uint64_t *ret) _must_check_;

/* Reads "20G", "512M", "4096", and all that str_from_bytes() writes: "20 GiB", "4.5 MiB". Units are powers of
 * 1024, as in lvcreate; a bare number is bytes. -EINVAL: also "1GB", which to some is a power of 1000.
 * -ERANGE. */
int str_to_bytes(const char *text, uint64_t *ret_bytes) _must_check_;

/* Writes a size for people: "20 GiB", "4.5 MiB", "2252 MiB". Exact if that takes at most five digits before
 * the point, else rounded up to one digit behind it: a disk of the printed size has room for the real one.
 * Returns `field`. */
char *str_from_bytes(uint64_t bytes, char *field, size_t size);

/* As str_from_bytes(), for free room, rounded down: a disk of the printed size fits in. */
char *str_from_room(uint64_t bytes, char *field, size_t size);

/* Whether `text_bytes` may have been read from the text that str_from_bytes() makes of `bytes`. */
bool str_bytes_same(uint64_t text_bytes, uint64_t bytes);

/* Writes lower-case hex; `hex` has room for 2 * size + 1. */
void str_hex(const uint8_t *bytes, size_t size, char *hex);

/* Whether `text` is exactly the 36 characters that libuuid writes in lower case. */
bool uuid_valid(const char *text);

/* Reads any form that virsh takes: upper case, without hyphens. False if `text` is not a uuid. */
bool uuid_read(const char *text, char ret_uuid[UUID_TEXT]);

/* Makes a uuid of a text (version 5): always the same, and different for each text. */
void uuid_of_text(const char *text, char ret_uuid[UUID_TEXT]);

/* Makes a random uuid. */
void uuid_make(char ret_uuid[UUID_TEXT]);
