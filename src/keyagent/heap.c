/* SPDX-License-Identifier: Apache-2.0 */
/* A heap that wipes freed memory, for a program in which libraries hold secrets in buffers of their own:
 * libcurl, OpenSSL, json-c, libyaml, stdio. These functions replace glibc's for freeing and resizing in the
 * whole process, also for glibc's own calls. glibc still allocates.
 *
 * Off with AddressSanitizer, which has a heap of its own. */
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HEAP_IS_SANITIZED
#endif
#endif
#ifdef __SANITIZE_ADDRESS__
#define HEAP_IS_SANITIZED
#endif

#ifndef HEAP_IS_SANITIZED

/* Wipes the real size of a block, which is larger than the one that the compiler knows. */
#undef _FORTIFY_SOURCE

#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

/* glibc's other names of its functions, for replacements. */
extern void *__libc_malloc(size_t size);
extern void __libc_free(void *block);

void free(void *block)
{
    if (!block)
        return;
    explicit_bzero(block, malloc_usable_size(block));
    __libc_free(block);
}

/* Always moves: glibc's realloc() would free the old block, or its end, without wiping it. */
void *realloc(void *block, size_t size)
{
    if (!block)
        return __libc_malloc(size);
    if (size == 0) {
        free(block);
        return NULL;
    }
    void *moved = __libc_malloc(size);
    if (!moved)
        return NULL;
    size_t old = malloc_usable_size(block);
    memcpy(moved, block, old < size ? old : size);
    free(block);
    return moved;
}

void *reallocarray(void *block, size_t n, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(n, size, &bytes)) {
        errno = ENOMEM;
        return NULL;
    }
    return realloc(block, bytes);
}

#endif
