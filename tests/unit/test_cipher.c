/* SPDX-License-Identifier: Apache-2.0 */
#include "config/cipher.h"
#include "unit.h"

static void what_is_offered(void **state)
{
    (void)state;
    static const struct {
        const char *cipher;
        uint32_t key_bits;
    } good[] = {
        {"aes-xts-plain64", 256},      {"aes-xts-plain64", 512},      {"aes-cbc-essiv:sha256", 128},
        {"aes-cbc-essiv:sha256", 192}, {"aes-cbc-essiv:sha256", 256}, {"serpent-xts-plain64", 512},
        {"twofish-xts-plain64", 256},  {"camellia-xts-plain64", 512},
    };
    struct error e = ERROR_NONE;
    for (size_t i = 0; i < ARRAY_SIZE(good); i++)
        assert_ok(cipher_check(good[i].cipher, good[i].key_bits, &e), e);
}

static void what_is_not_and_why(void **state)
{
    (void)state;
#define OFFERED                                                                                              \
    "; use one of aes-xts-plain64, aes-cbc-essiv:sha256, serpent-xts-plain64, twofish-xts-plain64, "         \
    "camellia-xts-plain64"
    static const struct {
        const char *cipher;
        uint32_t key_bits;
        const char *text;
    } bad[] = {
        {"rot13", 256, "cipher rot13: is not offered" OFFERED},
        {"", 256, "cipher : is not offered" OFFERED},
        {"none", 0, "cipher none: is not offered" OFFERED},
        {"AES-XTS-PLAIN64", 256, "cipher AES-XTS-PLAIN64: is not offered" OFFERED},
        {"aes-ecb", 256, "cipher aes-ecb: is not offered: ecb shows which blocks are equal" OFFERED},
        {"aes-xts-plain", 512,
         "cipher aes-xts-plain: is not offered: its 32-bit sector numbers start again after 2 TiB" OFFERED},
        {"aes-xts-plain64", 128,
         "key size 128: aes-xts-plain64 takes 256 or 512 bits, since XTS splits them into two keys (here of "
         "64 "
         "bits each)"},
        {"aes-xts-plain64", 0,
         "key size 0: aes-xts-plain64 takes 256 or 512 bits, since XTS splits them into two keys (here of 0 "
         "bits each)"},
        {"aes-xts-plain64", 511,
         "key size 511: is not a whole number of bytes; aes-xts-plain64 takes 256 or 512 bits"},
        {"aes-cbc-essiv:sha256", 512, "key size 512: aes-cbc-essiv:sha256 takes 128, 192 or 256 bits"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        struct error e = ERROR_NONE;
        assert_error(cipher_check(bad[i].cipher, bad[i].key_bits, &e), -EINVAL, e);
        assert_string_equal(e.text, bad[i].text);
    }
}

static void xts_is_known_by_its_name(void **state)
{
    (void)state;
    assert_true(cipher_is_xts("aes-xts-plain64"));
    assert_true(cipher_is_xts("serpent-xts-plain64"));
    assert_false(cipher_is_xts("aes-cbc-essiv:sha256"));
    assert_false(cipher_is_xts("none"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_offered),
        cmocka_unit_test(what_is_not_and_why),
        cmocka_unit_test(xts_is_known_by_its_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
