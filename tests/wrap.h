/* SPDX-License-Identifier: Apache-2.0 */
/* Calls that fail on purpose. The linker's --wrap=NAME sends each call of NAME to __wrap_NAME(), which
 * WRAP(result, NAME, bad, parameters, arguments) defines: it returns `bad` if WRAP_FAILS("NAME") is true,
 * else it makes the call. The header that includes this one defines WRAP_FAILS(). */
#pragma once

#include <errno.h>
#include <stddef.h>

#define WRAP(result, name, bad, parameters, arguments)                                                       \
    result __real_##name parameters;                                                                         \
    result __wrap_##name parameters;                                                                         \
    result __wrap_##name parameters                                                                          \
    {                                                                                                        \
        return WRAP_FAILS(#name) ? (bad) : __real_##name arguments;                                          \
    }

#define IO_ERROR  (errno = EIO, -1)
#define NO_MEMORY (errno = ENOMEM, NULL)

#define WRAP_ALLOCATIONS                                                                                     \
    WRAP(void *, malloc, NO_MEMORY, (size_t size), (size))                                                   \
    WRAP(void *, calloc, NO_MEMORY, (size_t n, size_t size), (n, size))                                      \
    WRAP(void *, realloc, NO_MEMORY, (void *old, size_t size), (old, size))                                  \
    WRAP(char *, strdup, NO_MEMORY, (const char *text), (text))                                              \
    WRAP(char *, strndup, NO_MEMORY, (const char *text, size_t n), (text, n))
