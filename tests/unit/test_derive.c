/* SPDX-License-Identifier: Apache-2.0 */
#include "keys/derive.h"

#include "key-sample.h"
#include "unit.h"

#include <string.h>

/* The key that a person with Python and cryptsetup would derive: the way out must stay open. */
static void the_key_is_the_documented_one(void **state)
{
    (void)state;
    struct error e = ERROR_NONE;
    char hex[129];
    const struct volume v = a_volume();
    _cleanup_secret_ struct secret *secret = counted(64), *key = NULL;
    assert_ok(derive_volume_key(&v, secret, &key, &e), e);
    assert_int_equal(secret_size(key), 64);
    str_hex(secret_peek(key), 64, hex);
    assert_string_equal(hex, "d897085ad5ac36e9a9d81e0e838775da72e72c45c7e7bf56a20da3ce32008ffe"
                             "4ad567dfec8be92927a123d772a98c59370859c436479e774867520b17391f08");
}

/* As cryptsetup 2.6.1 and dmsetup showed it (--hash), for the secret 00 01 ... 3f in hex on standard input.
 */
static void the_key_is_what_novas_dm_crypt_got(void **state)
{
    (void)state;
    static const struct {
        const char *kdf, *hex;
    } known[] = {{KDF_NOVA_RIPEMD160, "a637517ce10be408695cfdd002f6518c113840508b53db2094294c2b3b453758"
                                      "bc3541c92ec5d44b8d3a6b333358efb828fe70ab6920593ce3b782f0fd339077"},
                 {KDF_NOVA_SHA256, "90b826191948ddb62d780178a0a4e10b3ba746784253b5c7f1b815af0208c544"
                                   "f6421f0370eced35a57be8a5f9638be760b2c535e03dfc66d44cb140d2056156"}};
    _cleanup_secret_ struct secret *secret = counted(64);
    for (size_t i = 0; i < ARRAY_SIZE(known); i++)
        for (uint32_t bits = 512; bits >= 256; bits -= 256) {
            _cleanup_secret_ struct secret *key = NULL;
            struct error e = ERROR_NONE;
            struct volume v = a_volume();
            char hex[129];
            strcpy(v.kdf, known[i].kdf);
            v.key_bits = bits;
            assert_ok(derive_volume_key(&v, secret, &key, &e), e);
            str_hex(secret_peek(key), secret_size(key), hex);
            assert_int_equal(strlen(hex), bits / 4);
            assert_memory_equal(hex, known[i].hex, bits / 4);
            strcpy(v.disk, "6f1e8a8e-0000-4000-8000-000000000002"); /* Nova's fault: for each disk the same */
            _cleanup_secret_ struct secret *again = NULL;
            assert_ok(derive_volume_key(&v, secret, &again, &e), e);
            assert_true(secret_equal(key, again));
        }
}

static void no_two_disks_share_a_key(void **state)
{
    (void)state;
    struct error e = ERROR_NONE;
    struct volume v[5];
    for (size_t i = 0; i < ARRAY_SIZE(v); i++)
        v[i] = a_volume();
    strcpy(v[1].disk, "6f1e8a8e-0000-4000-8000-000000000002");
    strcpy(v[2].cipher, "serpent-xts-plain64");
    v[3].key_bits = 256;
    v[4].sector_bytes = 512;

    _cleanup_secret_ struct secret *secret = counted(64);
    uint8_t start[ARRAY_SIZE(v)][16]; /* keys of test data: nothing is secret here */
    for (size_t i = 0; i < ARRAY_SIZE(v); i++) {
        _cleanup_secret_ struct secret *key = NULL;
        assert_ok(derive_volume_key(&v[i], secret, &key, &e), e);
        assert_int_equal(secret_size(key), v[i].key_bits / 8);
        memcpy(start[i], secret_peek(key), sizeof start[i]);
        for (size_t j = 0; j < i; j++)
            assert_memory_not_equal(start[i], start[j], sizeof start[i]);
    }
}

static void another_secret_gives_another_key(void **state)
{
    (void)state;
    struct error e = ERROR_NONE;
    const struct volume v = a_volume();
    _cleanup_secret_ struct secret *a = counted(64), *b = counted(64), *of_a = NULL, *of_b = NULL,
                                   *again = NULL;
    secret_bytes(b)[0] ^= 1;
    assert_ok(derive_volume_key(&v, a, &of_a, &e), e);
    assert_ok(derive_volume_key(&v, b, &of_b, &e), e);
    assert_ok(derive_volume_key(&v, a, &again, &e), e);
    assert_false(secret_equal(of_a, of_b));
    assert_true(secret_equal(of_a, again));
}

static void what_cannot_be_derived(void **state)
{
    (void)state;
    struct error e = ERROR_NONE;
    struct volume v = a_volume();
    _cleanup_secret_ struct secret *secret = counted(64), *empty = counted(0), *key = NULL;
    assert_error(derive_volume_key(&v, empty, &key, &e), -EINVAL, e);

    e = ERROR_NONE;
    strcpy(v.kdf, "argon9");
    assert_error(derive_volume_key(&v, secret, &key, &e), -EINVAL, e);
    assert_string_equal(e.text,
                        "volume 6f1e8a8e-0000-4000-8000-000000000000_disk: its key cannot be derived: the "
                        "derivation \"argon9\" is unknown to this version of Mayfly, which has "
                        "hkdf-sha512, nova-ripemd160 and nova-sha256");
    strcpy(v.kdf, KDF_NOVA_SHA256);
    assert_int_equal(derive_volume_key(&v, empty, &key, NULL), -EINVAL);
    v.key_bits = 0;
    assert_int_equal(derive_volume_key(&v, secret, &key, NULL), -EINVAL);
    v = a_volume();
    v.key_bits = 0;
    assert_int_equal(derive_volume_key(&v, secret, &key, NULL), -EINVAL);
    assert_null(key);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_key_is_the_documented_one), cmocka_unit_test(the_key_is_what_novas_dm_crypt_got),
        cmocka_unit_test(no_two_disks_share_a_key),      cmocka_unit_test(another_secret_gives_another_key),
        cmocka_unit_test(what_cannot_be_derived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
