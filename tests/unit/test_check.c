/* SPDX-License-Identifier: Apache-2.0 */
#include "storage/check.h"

#include "key-sample.h"
#include "unit.h"

#include <stdio.h>
#include <string.h>

/* RFC 5869 has vectors for SHA-256 and SHA-1 only. These were computed with Python's hmac and hashlib, by the
 * definition in the RFC: PRK = HMAC(salt, ikm), T(i) = HMAC(PRK, T(i-1) | info | i). */
static void hkdf_agrees_with_another(void **state)
{
    (void)state;
    char i100[101] = "", x200[201] = "";
    memset(i100, 'i', 100);
    memset(x200, 'x', 200);
#define DISK "6f1e8a8e-0000-4000-8000-000000000001"
    const struct {
        size_t ikm; /* bytes 0, 1, 2 ... */
        const char *salt, *info;
        size_t size;
        const char *hex;
    } vectors[] = {
        {64, DISK, "mayfly 1 volume cipher=aes-xts-plain64 bits=512 sector=4096", 64,
         "d897085ad5ac36e9a9d81e0e838775da72e72c45c7e7bf56a20da3ce32008ffe"
         "4ad567dfec8be92927a123d772a98c59370859c436479e774867520b17391f08"},
        {32, DISK, "mayfly 1 volume cipher=aes-xts-plain64 bits=256 sector=512", 32,
         "aa17572f306952ff80ab1f857a2168dc3ef83bd7d3cd84d3cd3431609f950525"},
        {22, "salt", "info", 42,
         "9856bf048b63809cf76c89d28fa7b9d3e166ae22aa40f31d6da1ab71fe6aa2d8fd7f70168c078e8815f9"},
        {16, x200, "", 16, "02264e17274301ff90d22fbe8d0b3e83"},
        {80, "salt", i100, 200,
         "447cc7de254e5c2d1d02fe24ca41262ce0021a471c2454371915283b870c3686c5659108061d1a6d9438e1c8fa6ed501"
         "701db76b3320ebc252318bfcfb49b0b3e013649b6df7c92b8d686b2fb07e39781f33bd2b5799b54dc859d2e76a09da98"
         "4d864e78e7feef439d248d2c9bb0c0f204c2649f11e979a779980287343f902ac44ca3b9952b1db5b1ce35ab49591c72"
         "5dc0311523018754f047d9fe825d575fdbebffd5f6fbf25ce5c4c9718322cbe39bb55c496a1e73e33274fb7304d6526b"
         "a59937d25f9c2bb5"},
        {64, "", "info", 64,
         "bc26d7b8ca3561fd7a36a9e398320b3764ec4829d9c0cbec43daac1eca6be2f8"
         "5984d99d0522f10f68fe5976bb6bad2f5e02d77a3bf33073e0e1d07d80ca36a8"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(vectors); i++) {
        struct error e = ERROR_NONE;
        char hex[512];
        _cleanup_secret_ struct secret *ikm = counted(vectors[i].ikm), *out = NULL;
        assert_ok(hkdf_sha512(ikm, vectors[i].salt, vectors[i].info, vectors[i].size, &out, &e), e);
        assert_int_equal(secret_size(out), vectors[i].size);
        str_hex(secret_peek(out), secret_size(out), hex);
        assert_string_equal(hex, vectors[i].hex);
    }
}

static void hkdf_has_limits(void **state)
{
    (void)state;
    static const size_t sizes[][2] = {{0, 64}, {64, 0}, {64, 16321}};
    for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
        struct error e = ERROR_NONE;
        _cleanup_secret_ struct secret *ikm = counted(sizes[i][0]), *out = NULL;
        assert_error(hkdf_sha512(ikm, "salt", "info", sizes[i][1], &out, &e), -EINVAL, e);
        assert_null(out);
    }
    struct error e = ERROR_NONE;
    _cleanup_secret_ struct secret *ikm = counted(64), *out = NULL;
    assert_ok(hkdf_sha512(ikm, "salt", "info", 16320, &out, &e), e);
}

/* The value of a_volume() under bytes 0..63, as Python computes it. */
static void the_check_value_is_the_documented_one(void **state)
{
    (void)state;
    struct error e = ERROR_NONE;
    char hex[CHECK_MAX];
    const struct volume v = a_volume();
    _cleanup_secret_ struct secret *key = counted(64);
    assert_ok(volume_check_value(&v, key, hex, &e), e);
    assert_string_equal(hex, "2:e7ff0ec88e0af48d54a5612dd577375a");
}

/* Told before anything is made of it. */
static void a_key_of_another_size_is_refused(void **state)
{
    (void)state;
    static const size_t sizes[] = {1, 32, 63, 65, 128};
    struct volume v = a_volume();
    for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
        struct error e = ERROR_NONE;
        _cleanup_secret_ struct secret *key = counted(sizes[i]);
        assert_error(volume_check_key_form(&v, key, &e), -EKEYREJECTED, e);
    }
}

/* Of a disk that was made before there was scheme 2: it bound none of what is changed here. */
static void scheme_1_is_still_verified(void **state)
{
    (void)state;
    struct error e = ERROR_NONE;
    struct volume v = a_volume();
    _cleanup_secret_ struct secret *key = counted(64);
    strcpy(v.check, "3c99c505077031f309b97672e234351d");
    strcpy(v.name, "renamed");
    assert_ok(volume_verify_key(&v, key, &e), e);
    v.sector_bytes = 512;
    assert_int_equal(volume_verify_key(&v, key, NULL), -EKEYREJECTED);
    v.sector_bytes = 4096;
    strcpy(v.check, "e7ff0ec88e0af48d54a5612dd577375a"); /* scheme 2's, called scheme 1 */
    assert_int_equal(volume_verify_key(&v, key, NULL), -EKEYREJECTED);
    strcpy(v.check, "2:3c99c505077031f309b97672e234351d");
    assert_int_equal(volume_verify_key(&v, key, NULL), -EKEYREJECTED);
}

static void it_changes_with_every_parameter(void **state)
{
    (void)state;
    struct volume v[14];
    for (size_t i = 0; i < ARRAY_SIZE(v); i++)
        v[i] = a_volume();
    strcpy(v[1].instance, "6f1e8a8e-0000-4000-8000-000000000002");
    strcpy(v[2].disk, "6f1e8a8e-0000-4000-8000-000000000002");
    strcpy(v[3].role, "swap");
    strcpy(v[4].cipher, "serpent-xts-plain64");
    v[5].key_bits = 256;
    v[6].sector_bytes = 512;
    strcpy(v[7].kdf, "hkdf-sha256");
    strcpy(v[8].key, "local:abd");
    v[9].scope = KEY_SCOPE_INSTANCE;
    v[10].fs[0] = '\0';
    strcpy(v[11].name, "renamed");
    strcpy(v[12].alias, "disk");
    v[13].scope = KEY_SCOPE_CALLER;

    struct error e = ERROR_NONE;
    char hex[ARRAY_SIZE(v)][CHECK_MAX];
    _cleanup_secret_ struct secret *key = counted(64);
    for (size_t i = 0; i < ARRAY_SIZE(v); i++) {
        assert_ok(volume_check_value(&v[i], key, hex[i], &e), e);
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(hex[i], hex[j]);
    }
}

static void each_digit_of_it_counts(void **state)
{
    (void)state;
    struct error e = ERROR_NONE;
    struct volume v = a_volume();
    char value[CHECK_MAX];
    _cleanup_secret_ struct secret *key = counted(64);
    assert_ok(volume_check_value(&v, key, value, &e), e);
    for (size_t i = 0; i < strlen(value); i++) {
        strcpy(v.check, value);
        v.check[i] = v.check[i] == '0' ? '1' : '0';
        assert_int_equal(volume_verify_key(&v, key, NULL), -EKEYREJECTED);
        snprintf(v.check, sizeof v.check, "%.*s", (int)i, value);
        assert_int_equal(volume_verify_key(&v, key, NULL), -EKEYREJECTED);
    }
}

static void what_may_change_does_not_change_it(void **state)
{
    (void)state;
    struct error e = ERROR_NONE;
    struct volume v = a_volume();
    _cleanup_secret_ struct secret *key = counted(64);
    assert_ok(volume_check_value(&v, key, v.check, &e), e);
    v.size_bytes = 1 << 30;
    v.state = VOLUME_DOOMED;
    strcpy(v.vg, "other");
    assert_ok(volume_verify_key(&v, key, &e), e);
}

static void a_wrong_key_or_tag_is_noticed(void **state)
{
    (void)state;
    struct error e = ERROR_NONE;
    struct volume v = a_volume();
    _cleanup_secret_ struct secret *key = counted(64), *shorter = counted(32);
    assert_ok(volume_check_value(&v, key, v.check, &e), e);
    assert_ok(volume_verify_key(&v, key, &e), e);

    secret_bytes(key)[63] ^= 1;
    assert_error(volume_verify_key(&v, key, &e), -EKEYREJECTED, e);
    assert_string_equal(e.text,
                        "volume 6f1e8a8e-0000-4000-8000-000000000000_disk: cannot be opened: this is not "
                        "its key, or its tags were changed; see mayfly-tags(7)");
    secret_bytes(key)[63] ^= 1;
    v.sector_bytes = 512;
    assert_int_equal(volume_verify_key(&v, key, NULL), -EKEYREJECTED);
    v.sector_bytes = 4096;
    assert_int_equal(volume_verify_key(&v, key, NULL), 0);
    assert_int_equal(volume_verify_key(&v, shorter, NULL), -EKEYREJECTED);
    v.check[0] = '\0';
    assert_int_equal(volume_verify_key(&v, key, NULL), -EKEYREJECTED);
}

static void xts_halves_must_differ(void **state)
{
    (void)state;
    struct error e = ERROR_NONE;
    struct volume v = a_volume();
    _cleanup_secret_ struct secret *key = counted(64);
    memcpy(secret_bytes(key) + 32, secret_bytes(key), 32);
    assert_ok(volume_check_value(&v, key, v.check, &e), e);
    assert_error(volume_verify_key(&v, key, &e), -EKEYREJECTED, e);
    assert_non_null(strstr(e.text, "two halves of its XTS key are equal"));

    e = ERROR_NONE;
    strcpy(v.cipher, "aes-cbc-essiv:sha256");
    assert_ok(volume_check_value(&v, key, v.check, &e), e);
    assert_ok(volume_verify_key(&v, key, &e), e);
}

static void a_key_of_no_bits_is_no_key(void **state)
{
    (void)state;
    struct volume v = a_volume();
    v.key_bits = 0;
    _cleanup_secret_ struct secret *empty = counted(0);
    assert_int_equal(volume_verify_key(&v, empty, NULL), -EKEYREJECTED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hkdf_agrees_with_another),
        cmocka_unit_test(hkdf_has_limits),
        cmocka_unit_test(the_check_value_is_the_documented_one),
        cmocka_unit_test(scheme_1_is_still_verified),
        cmocka_unit_test(a_key_of_another_size_is_refused),
        cmocka_unit_test(it_changes_with_every_parameter),
        cmocka_unit_test(each_digit_of_it_counts),
        cmocka_unit_test(what_may_change_does_not_change_it),
        cmocka_unit_test(a_wrong_key_or_tag_is_noticed),
        cmocka_unit_test(xts_halves_must_differ),
        cmocka_unit_test(a_key_of_no_bits_is_no_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
