/* SPDX-License-Identifier: Apache-2.0 */
/* Ownership of local variables: a variable marked _cleanup_ is released on every way out of its scope; TAKE_*
 * hands its value to the caller.
 *
 *     _cleanup_free_ char *path = NULL;
 *     ...
 *     *ret_path = TAKE_PTR(path);
 *     return 0;
 */
#pragma once

#include <stddef.h>
#include <stdlib.h>

#define _cleanup_(f)   __attribute__((cleanup(f)))
#define _printf_(a, b) __attribute__((format(printf, a, b)))
#define _must_check_   __attribute__((warn_unused_result))
#define _noreturn_     __attribute__((noreturn))

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* Takes the value out of a variable, which gets `nothing`. */
#define TAKE(var, nothing)                                                                                   \
    __extension__({                                                                                          \
        __typeof__(var) *taken_from_ = &(var);                                                               \
        __typeof__(var) taken_ = *taken_from_;                                                               \
        *taken_from_ = (nothing);                                                                            \
        taken_;                                                                                              \
    })
#define TAKE_PTR(ptr) TAKE(ptr, NULL)
#define TAKE_FD(fd)   TAKE(fd, -1)

/* Defines `name`p, the function that _cleanup_(`name`p) calls for a variable of type `type`. */
#define DEFINE_CLEANUP(type, name)                                                                           \
    static inline void name##p(type *p)                                                                      \
    {                                                                                                        \
        if (*p)                                                                                              \
            name(*p);                                                                                        \
    }

static inline void freep(void *p)
{
    free(*(void **)p);
}
#define _cleanup_free_ _cleanup_(freep)
