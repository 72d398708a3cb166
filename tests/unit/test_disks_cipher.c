/* SPDX-License-Identifier: Apache-2.0 */
/* The bytes of the engine's cipher against OpenSSL's and against what adopts, exports and rescues by
 * storage/xts.h. */
#include "crypt/cipher.h"
#include "storage/xts.h"

#include "openssl-xts.h"
#include "unit.h"

#include <string.h>

#define BYTES (4 * 4096)

static void same_as(size_t key_bytes, uint32_t sector_bytes, uint64_t first)
{
    struct error e = ERROR_NONE;
    _cleanup_secret_ struct secret *key = NULL;
    _cleanup_cipher_ struct cipher *c = NULL;
    uint8_t plain[BYTES], ours[BYTES], theirs[BYTES];
    assert_ok(secret_random(key_bytes, &key, &e), e);
    assert_ok(cipher_new(key, sector_bytes, &c, &e), e);
    for (size_t i = 0; i < BYTES; i++)
        plain[i] = theirs[i] = (uint8_t)(i * 7 + i / 256);
    openssl_xts(1, key, sector_bytes, first, theirs, BYTES);
    assert_int_equal(cipher_encrypt(c, first, plain, ours, BYTES), 0);
    assert_memory_equal(ours, theirs, BYTES);
    assert_int_equal(cipher_decrypt(c, first, ours, ours, BYTES), 0); /* where it stands */
    assert_memory_equal(ours, plain, BYTES);
}

static void same_as_openssl(void **state)
{
    (void)state;
    static const uint64_t firsts[] = {0, 1, 0xfffffffd, UINT64_C(0x123456789abc)};
    for (size_t i = 0; i < 4; i++) {
        same_as(32, 512, firsts[i]);
        same_as(64, 512, firsts[i]);
        same_as(32, 4096, firsts[i]);
        same_as(64, 4096, firsts[i]);
    }
}

static void read_by_xts_decrypt(void **state)
{
    (void)state;
    struct error e = ERROR_NONE;
    _cleanup_secret_ struct secret *key = NULL, *data = NULL;
    _cleanup_cipher_ struct cipher *c = NULL;
    uint8_t plain[BYTES];
    memset(plain, 'p', sizeof plain);
    assert_ok(secret_random(64, &key, &e), e);
    assert_ok(secret_new(BYTES, &data, &e), e);
    assert_ok(cipher_new(key, XTS_SECTOR_BYTES, &c, &e), e);
    assert_int_equal(cipher_encrypt(c, 0, plain, secret_bytes(data), BYTES), 0);
    assert_ok(xts_decrypt(key, data, &e), e);
    assert_memory_equal(secret_peek(data), plain, BYTES);
}

static void what_does_not_suit(void **state)
{
    (void)state;
    struct error e = ERROR_NONE;
    _cleanup_secret_ struct secret *key = NULL, *shorter = NULL;
    struct cipher *c = NULL;
    assert_ok(secret_random(64, &key, &e), e);
    assert_ok(secret_new(48, &shorter, &e), e);
    assert_int_equal(cipher_new(shorter, 512, &c, NULL), -EINVAL);
    assert_int_equal(cipher_new(key, 256, &c, NULL), -EINVAL);
    assert_int_equal(cipher_new(key, 1000, &c, NULL), -EINVAL);
    assert_int_equal(cipher_new(key, 8192, &c, NULL), -EINVAL);
    assert_null(c);
}

/* Many at a time, again and again: the locked pages are given back. */
static void many_of_them(void **state)
{
    (void)state;
    struct error e = ERROR_NONE;
    _cleanup_secret_ struct secret *key = NULL;
    assert_ok(secret_random(64, &key, &e), e);
    for (int round = 0; round < 20; round++) {
        struct cipher *c[32];
        for (int i = 0; i < 32; i++)
            assert_ok(cipher_new(key, 4096, &c[i], &e), e);
        for (int i = 0; i < 32; i++)
            cipher_free(c[i]);
    }
}

/* As a disk with several queues, one of which starts again and again: each has the memory of its own. */
static void one_stays_and_others_go(void **state)
{
    (void)state;
    struct error e = ERROR_NONE;
    _cleanup_secret_ struct secret *key = NULL;
    _cleanup_cipher_ struct cipher *stays = NULL;
    assert_ok(secret_random(64, &key, &e), e);
    assert_ok(cipher_new(key, 4096, &stays, &e), e);
    for (int round = 0; round < 1000; round++) {
        struct cipher *c = NULL;
        assert_ok(cipher_new(key, 4096, &c, &e), e);
        cipher_free(c);
    }
}

/* 32 disks with 16 queues. */
static void as_many_as_there_may_be(void **state)
{
    (void)state;
    static struct cipher *c[32 * 16];
    struct error e = ERROR_NONE;
    _cleanup_secret_ struct secret *key = NULL;
    assert_ok(secret_random(64, &key, &e), e);
    for (size_t i = 0; i < sizeof c / sizeof c[0]; i++)
        assert_ok(cipher_new(key, 4096, &c[i], &e), e);
    for (size_t i = 0; i < sizeof c / sizeof c[0]; i++)
        cipher_free(c[i]);
}

static int begin_library(void **state)
{
    (void)state;
    return cipher_begin(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_as_openssl),         cmocka_unit_test(read_by_xts_decrypt),
        cmocka_unit_test(what_does_not_suit),      cmocka_unit_test(many_of_them),
        cmocka_unit_test(one_stays_and_others_go), cmocka_unit_test(as_many_as_there_may_be),
    };
    return cmocka_run_group_tests(tests, begin_library, NULL);
}
