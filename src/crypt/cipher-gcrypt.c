/* SPDX-License-Identifier: Apache-2.0 */
/* See cipher.h. libgcrypt's AES-XTS is about twice as fast as that of OpenSSL 3.0.
 *
 * The library keeps the schedule of a key in memory that it asks for as "secure". Each cipher has a struct
 * secret for that: locked, left out of dumps, wiped when the cipher is freed. The library has one allocator
 * for the process, so the list of these secrets is global.
 */
#include "crypt/cipher.h"

#include <gcrypt.h>
#include <pthread.h>
#include <string.h>

#define MEMORY_BYTES ((size_t)8000) /* memory for one cipher; libgcrypt 1.10 takes some 3 KiB */
#define ALIGNMENT    64
#define TWEAK_BYTES  16

struct cipher {
    gcry_cipher_hd_t handle; /* NULL: no encryption */
    uint32_t sector_bytes;
    struct secret *memory; /* memory of the handle */
    size_t used;
    struct cipher *next; /* next cipher with memory */
};

static struct {
    pthread_mutex_t lock;
    struct cipher *first;   /* first cipher with memory */
    struct cipher *current; /* the cipher whose handle is being made */
} ciphers = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* ----------------------------------------------------- the library's memory */

/* Allocates secure memory. The library calls the next four functions below set_key() and drop_key(), where
 * the lock is held. */
static void *secure_alloc(size_t bytes)
{
    struct cipher *c = ciphers.current;
    if (!c)
        return NULL;
    uint8_t *start = secret_bytes(c->memory);
    size_t at = (ALIGNMENT - ((uintptr_t)start + c->used) % ALIGNMENT) % ALIGNMENT + c->used;
    if (at > MEMORY_BYTES || bytes > MEMORY_BYTES - at) {
        errno = ENOMEM;
        return NULL;
    }
    c->used = at + bytes;
    return start + at;
}

static int is_secure(const void *p)
{
    for (const struct cipher *c = ciphers.first; c; c = c->next) {
        const uint8_t *start = secret_peek(c->memory), *at = p;
        if (at >= start && at < start + MEMORY_BYTES)
            return 1;
    }
    return 0;
}

/* Refuses to grow secure memory, since a copy elsewhere would leave the old bytes behind. */
static void *plain_realloc(void *p, size_t bytes)
{
    return is_secure(p) ? NULL : realloc(p, bytes);
}

static void plain_free(void *p)
{
    if (!is_secure(p))
        free(p);
}

static pthread_once_t begun = PTHREAD_ONCE_INIT;
static bool is_old;

static void begin(void)
{
    gcry_set_allocation_handler(malloc, secure_alloc, is_secure, plain_realloc, plain_free);
    is_old = !gcry_check_version(GCRYPT_VERSION);
    gcry_control(GCRYCTL_INITIALIZATION_FINISHED, 0);
}

int cipher_begin(struct error *e)
{
    pthread_once(&begun, begin);
    if (is_old)
        return error_set(e, -ENOSYS,
                         "encryption: libgcrypt is older than %s, with which Mayfly was built; install that",
                         GCRYPT_VERSION);
    return 0;
}

/* --------------------------------------------------------------- the cipher */

static int set_key(struct cipher *c, const struct secret *key, struct error *e)
{
    int algorithm = secret_size(key) == 32 ? GCRY_CIPHER_AES128 : GCRY_CIPHER_AES256;
    ciphers.current = c;
    gcry_error_t failed = gcry_cipher_open(&c->handle, algorithm, GCRY_CIPHER_MODE_XTS, GCRY_CIPHER_SECURE);
    if (!failed)
        failed = gcry_cipher_setkey(c->handle, secret_peek(key), secret_size(key));
    ciphers.current = NULL;
    return failed
               ? error_set(e, -EIO, "encryption: libgcrypt does not take the key: %s", gcry_strerror(failed))
               : 0;
}

static int take_key(struct cipher *c, const struct secret *key, struct error *e)
{
    int r = secret_new(MEMORY_BYTES, &c->memory, e);
    if (r < 0)
        return r;
    pthread_mutex_lock(&ciphers.lock);
    c->next = ciphers.first;
    ciphers.first = c;
    r = set_key(c, key, e);
    pthread_mutex_unlock(&ciphers.lock);
    return r;
}

static void drop_key(struct cipher *c)
{
    struct cipher **at = &ciphers.first;
    pthread_mutex_lock(&ciphers.lock);
    gcry_cipher_close(c->handle);
    while (*at != c)
        at = &(*at)->next;
    *at = c->next;
    pthread_mutex_unlock(&ciphers.lock);
    c->memory = secret_free(c->memory);
}

int cipher_new(const struct secret *key, uint32_t sector_bytes, struct cipher **ret, struct error *e)
{
    size_t key_bytes = key ? secret_size(key) : 32;
    if ((key_bytes != 32 && key_bytes != 64) || sector_bytes < 512 || sector_bytes > 4096 ||
        (sector_bytes & (sector_bytes - 1)))
        return error_set(e, -EINVAL,
                         "encryption: AES-XTS takes no key of %zu bytes, or no sectors of %u bytes",
                         key_bytes, sector_bytes);
    _cleanup_cipher_ struct cipher *c = calloc(1, sizeof *c);
    if (!c)
        return error_memory(e);
    c->sector_bytes = sector_bytes;
    int r = key ? take_key(c, key, e) : 0;
    if (r < 0)
        return r;
    *ret = TAKE_PTR(c);
    return 0;
}

struct cipher *cipher_free(struct cipher *c)
{
    if (c && c->memory)
        drop_key(c);
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
