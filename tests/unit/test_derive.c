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
                        "hkdf-sha512");
    v = a_volume();
    v.key_bits = 0;
    assert_int_equal(derive_volume_key(&v, secret, &key, NULL), -EINVAL);
    assert_null(key);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_key_is_the_documented_one),
        cmocka_unit_test(no_two_disks_share_a_key),
        cmocka_unit_test(another_secret_gives_another_key),
        cmocka_unit_test(what_cannot_be_derived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
