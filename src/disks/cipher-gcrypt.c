/* SPDX-License-Identifier: Apache-2.0 */
/* See cipher.h. By libgcrypt, whose AES-XTS is about twice as fast as that of OpenSSL 3.0.
 *
 * What the library keeps of a key (its schedule) lies in memory that it asks for as "secure". It is given
 * that from a struct secret: locked, left out of dumps, wiped when the last cipher is freed. The library
 * knows one allocator in a process, so that arena is a global of this file. It hands memory out and takes
 * none back until all ciphers are gone: they live as long as the queues of a disk.
 */
#include "disks/cipher.h"

#include <gcrypt.h>
#include <pthread.h>
#include <string.h>

#define ARENA_BYTES ((size_t)256 << 10) /* some 3 KiB a cipher */
#define ALIGNMENT   64
#define TWEAK_BYTES 16

struct cipher {
    gcry_cipher_hd_t handle; /* NULL: no encryption */
    uint32_t sector_bytes;
};

static struct {
    pthread_mutex_t lock;
    struct secret *memory;
    size_t used;
    unsigned ciphers; /* that live in it */
} arena = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* ----------------------------------------------------- the library's memory */

/* Called with the lock held, by the library below cipher_new(). */
static void *secure_alloc(size_t bytes)
{
    if (!arena.memory)
        return NULL;
    uint8_t *start = secret_bytes(arena.memory);
    size_t at = (ALIGNMENT - ((uintptr_t)start + arena.used) % ALIGNMENT) % ALIGNMENT + arena.used;
    if (at > ARENA_BYTES || bytes > ARENA_BYTES - at) {
        errno = ENOMEM;
        return NULL;
    }
    arena.used = at + bytes;
    return start + at;
}

static int is_secure(const void *p)
{
    if (!arena.memory)
        return 0;
    const uint8_t *start = secret_peek(arena.memory), *at = p;
    return at >= start && at < start + ARENA_BYTES;
}

/* Secure memory never grows here: a new place would leave the old one as it was. */
static void *plain_realloc(void *p, size_t bytes)
{
    return is_secure(p) ? NULL : realloc(p, bytes);
}

static void plain_free(void *p)
{
    if (!is_secure(p))
        free(p);
}

static int arena_enter(struct error *e)
{
    int r = arena.memory ? 0 : secret_new(ARENA_BYTES, &arena.memory, e);
    if (r == 0)
        arena.ciphers++;
    return r;
}

static void arena_leave(void)
{
    if (--arena.ciphers == 0) {
        arena.memory = secret_free(arena.memory);
        arena.used = 0;
    }
}

int cipher_begin(struct error *e)
{
    gcry_set_allocation_handler(malloc, secure_alloc, is_secure, plain_realloc, plain_free);
    if (!gcry_check_version(GCRYPT_VERSION))
        return error_set(e, -ENOSYS, "encryption: libgcrypt is older than %s, which this was built with",
                         GCRYPT_VERSION);
    gcry_control(GCRYCTL_INITIALIZATION_FINISHED, 0);
    return 0;
}

/* --------------------------------------------------------------- the cipher */

static int set_key(struct cipher *c, const struct secret *key, struct error *e)
{
    int algorithm = secret_size(key) == 32 ? GCRY_CIPHER_AES128 : GCRY_CIPHER_AES256;
    gcry_error_t failed = gcry_cipher_open(&c->handle, algorithm, GCRY_CIPHER_MODE_XTS, GCRY_CIPHER_SECURE);
    if (!failed)
        failed = gcry_cipher_setkey(c->handle, secret_peek(key), secret_size(key));
    return failed
               ? error_set(e, -EIO, "encryption: libgcrypt does not take the key: %s", gcry_strerror(failed))
               : 0;
}

static int with_key(struct cipher *c, const struct secret *key, struct error *e)
{
    pthread_mutex_lock(&arena.lock);
    int r = arena_enter(e);
    if (r == 0) {
        r = set_key(c, key, e);
        if (r < 0) {
            gcry_cipher_close(c->handle);
            c->handle = NULL;
            arena_leave();
        }
    }
    pthread_mutex_unlock(&arena.lock);
    return r;
}

int cipher_new(const struct secret *key, uint32_t sector_bytes, struct cipher **ret, struct error *e)
{
    size_t key_bytes = key ? secret_size(key) : 32;
    if ((key_bytes != 32 && key_bytes != 64) || sector_bytes < 512 || sector_bytes > 4096 ||
        (sector_bytes & (sector_bytes - 1)))
        return error_set(e, -EINVAL,
                         "encryption: a key of %zu bytes, or sectors of %u bytes, do not suit AES-XTS",
                         key_bytes, sector_bytes);
    _cleanup_cipher_ struct cipher *c = calloc(1, sizeof *c);
    if (!c)
        return error_memory(e);
    c->sector_bytes = sector_bytes;
    int r = key ? with_key(c, key, e) : 0;
    if (r < 0)
        return r;
    *ret = TAKE_PTR(c);
    return 0;
}

struct cipher *cipher_free(struct cipher *c)
{
    if (c && c->handle) {
        pthread_mutex_lock(&arena.lock);
        gcry_cipher_close(c->handle);
        arena_leave();
        pthread_mutex_unlock(&arena.lock);
    }
    free(c);
    return NULL;
}

uint32_t cipher_sector_bytes(const struct cipher *c)
{
    return c->sector_bytes;
}

typedef gcry_error_t crypt_function(gcry_cipher_hd_t handle, void *out, size_t out_bytes, const void *in,
                                    size_t in_bytes);

static int each_sector(struct cipher *c, crypt_function *crypt, uint64_t number, const uint8_t *from,
                       uint8_t *to, size_t bytes)
{
    if (!c->handle) {
        memmove(to, from, bytes);
        return 0;
    }
    uint64_t tweak[TWEAK_BYTES / sizeof(uint64_t)] = {0};
    for (size_t at = 0; at < bytes; at += c->sector_bytes, number++) {
        tweak[0] = number; /* little-endian, as all machines that this is built for */
        if (gcry_cipher_setiv(c->handle, tweak, sizeof tweak) ||
            crypt(c->handle, to + at, c->sector_bytes, from == to ? NULL : from + at,
                  from == to ? 0 : c->sector_bytes))
            return -EIO;
    }
    return 0;
}

int cipher_encrypt(struct cipher *c, uint64_t first, const uint8_t *from, uint8_t *to, size_t bytes)
{
    return each_sector(c, gcry_cipher_encrypt, first, from, to, bytes);
}

int cipher_decrypt(struct cipher *c, uint64_t first, const uint8_t *from, uint8_t *to, size_t bytes)
{
    return each_sector(c, gcry_cipher_decrypt, first, from, to, bytes);
}
