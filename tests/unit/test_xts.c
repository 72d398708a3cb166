/* SPDX-License-Identifier: Apache-2.0 */
#include "storage/xts.h"

#include "unit.h"

#include <openssl/evp.h>
#include <string.h>

/* The key of vector 4 of IEEE 1619. */
static struct secret *a_key(void)
{
    static const uint8_t bytes[32] = {0x27, 0x18, 0x28, 0x18, 0x28, 0x45, 0x90, 0x45, 0x23, 0x53, 0x60,
                                      0x28, 0x74, 0x71, 0x35, 0x26, 0x31, 0x41, 0x59, 0x26, 0x53, 0x58,
                                      0x97, 0x93, 0x23, 0x84, 0x62, 0x64, 0x33, 0x83, 0x27, 0x95};
    struct secret *key = NULL;
    assert_int_equal(secret_new(sizeof bytes, &key, NULL), 0);
    memcpy(secret_bytes(key), bytes, sizeof bytes);
    return key;
}

/* One sector by OpenSSL in the other direction, with the tweak written out. */
static void encrypt_sector(const struct secret *key, uint8_t number, uint8_t *bytes)
{
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    uint8_t tweak[16] = {number};
    int n = 0;
    assert_int_equal(EVP_EncryptInit_ex(context, EVP_aes_128_xts(), NULL, secret_peek(key), tweak), 1);
    assert_int_equal(EVP_EncryptUpdate(context, bytes, &n, bytes, XTS_SECTOR_BYTES), 1);
    EVP_CIPHER_CTX_free(context);
}

static void the_vector_of_the_standard(void **state)
{
    (void)state;
    static const uint8_t known[32] = {0x27, 0xa7, 0x47, 0x9b, 0xef, 0xa1, 0xd4, 0x76, 0x48, 0x9f, 0x30,
                                      0x8c, 0xd4, 0xcf, 0xa6, 0xe2, 0xa9, 0x6e, 0x4b, 0xbe, 0x32, 0x08,
                                      0xff, 0x25, 0x28, 0x7d, 0xd3, 0x81, 0x96, 0x16, 0xe8, 0x9c};
    struct error e = ERROR_NONE;
    _cleanup_secret_ struct secret *key = a_key(), *data = NULL;
    assert_ok(secret_new(3 * XTS_SECTOR_BYTES, &data, &e), e);
    uint8_t *bytes = secret_bytes(data);
    for (size_t i = 0; i < secret_size(data); i++)
        bytes[i] = (uint8_t)i;
    for (uint8_t i = 0; i < 3; i++)
        encrypt_sector(key, i, bytes + i * XTS_SECTOR_BYTES);
    assert_memory_equal(bytes, known, sizeof known);
    assert_ok(xts_decrypt(key, data, &e), e);
    for (size_t i = 0; i < secret_size(data); i++)
        assert_int_equal(bytes[i], (uint8_t)i);
}

static void what_does_not_suit(void **state)
{
    (void)state;
    _cleanup_secret_ struct secret *key = a_key(), *shorter = NULL, *data = NULL, *part = NULL;
    assert_int_equal(secret_new(16, &shorter, NULL), 0);
    assert_int_equal(secret_new(XTS_SECTOR_BYTES, &data, NULL), 0);
    assert_int_equal(secret_new(XTS_SECTOR_BYTES + 1, &part, NULL), 0);
    assert_int_equal(xts_decrypt(shorter, data, NULL), -EINVAL);
    assert_int_equal(xts_decrypt(key, part, NULL), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_vector_of_the_standard),
        cmocka_unit_test(what_does_not_suit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
