/* SPDX-License-Identifier: Apache-2.0 */
/* A heap that wipes what is given back to it, for a program in which libraries hold secrets in buffers of
 * their own: libcurl, OpenSSL, json-c, libyaml, stdio. These are the functions that give memory back; they
 * take the place of glibc's in the whole process, glibc's own calls too. Memory is got from glibc as always.
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

/* To the last byte of a block's real size, which is more than the compiler knows of. */
#undef _FORTIFY_SOURCE

#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

/* glibc's names for its own functions, for those who replace them. */
extern void *__libc_malloc(size_t size);
extern void __libc_free(void *block);

void free(void *block)
{
    if (!block)
        return;
    explicit_bzero(block, malloc_usable_size(block));
    __libc_free(block);
}

/* Always moves: glibc's would leave the old block as it was, or give back the end of it with what is there.
 */
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
