/* SPDX-License-Identifier: Apache-2.0 */
/* Every choice for every combination of facts and configuration: what is asked for is done where the kernel
 * can, nothing is in a table that the kernel has not, and each choice has its reason. */
#include "storage/choice.h"

#include "base/str.h"
#include "storage/facts.h"
#include "unit.h"

#include <stdio.h>

static const char *const words[] = {"auto", "on", "off"};
static const uint32_t versions[] = {0,
                                    CRYPT_VERSION(1, 21),
                                    CRYPT_VERSION(1, 22),
                                    CRYPT_VERSION(1, 25),
                                    CRYPT_VERSION(1, 26),
                                    CRYPT_VERSION(2, 0)};

static void set(char *field, const char *word)
{
    snprintf(field, CONFIG_TEXT_MAX, "%s", word);
}

static bool chosen(enum choice choice, uint32_t flags)
{
    return streq(choice_value(choice, flags), "on");
}

static void check_reasons(const char *const why[CHOICE_COUNT])
{
    for (enum choice i = 0; i < CHOICE_COUNT; i++) {
        assert_non_null(why[i]);
        assert_true(strlen(why[i]) > 5 && strlen(why[i]) < 100);
    }
}

/* What is to come out of it, stated another way than in choice.c. */
static void check_one(const struct config *c, const struct facts *f)
{
    const char *why[CHOICE_COUNT] = {NULL};
    uint32_t flags = choose_flags(c, f, why);
    bool can_do_without = f->crypt_version >= CRYPT_VERSION(1, 22);
    bool can_hurry = f->crypt_version >= CRYPT_VERSION(1, 26);

    check_reasons(why);
    assert_int_equal(flags, choose_flags(c, f, NULL));
    assert_int_equal(flags & CRYPT_ALLOW_DISCARDS, c->discard ? CRYPT_ALLOW_DISCARDS : 0);
    bool without = streq(c->workqueues, "off") || (streq(c->workqueues, "auto") && !f->rotational);
    assert_int_equal(flags & CRYPT_NO_WORKQUEUES, without && can_do_without ? CRYPT_NO_WORKQUEUES : 0);
    assert_int_equal(flags & CRYPT_HIGH_PRIORITY,
                     streq(c->high_priority, "on") && can_hurry ? CRYPT_HIGH_PRIORITY : 0);
    assert_int_equal(chosen(CHOICE_SAME_CPU, flags), streq(c->same_cpu, "on"));
    if (without && !can_do_without)
        assert_non_null(strstr(why[CHOICE_WORKQUEUES], "Linux 5.9"));
    else if (!streq(c->workqueues, "auto"))
        assert_string_equal(why[CHOICE_WORKQUEUES], "as configured");
    if (streq(c->high_priority, "on") && !can_hurry)
        assert_non_null(strstr(why[CHOICE_HIGH_PRIORITY], "Linux 6.10"));
}

static void all_facts_and_configurations(void **state)
{
    struct config c;
    struct facts f = {.rotational = false};
    (void)state;
    config_defaults(&c);
    for (size_t q = 0; q < ARRAY_SIZE(words); q++)
        for (size_t p = 0; p < ARRAY_SIZE(words); p++)
            for (size_t s = 0; s < ARRAY_SIZE(words); s++)
                for (size_t v = 0; v < ARRAY_SIZE(versions); v++)
                    for (unsigned bits = 0; bits < 4; bits++) {
                        set(c.workqueues, words[q]);
                        set(c.high_priority, words[p]);
                        set(c.same_cpu, words[s]);
                        c.discard = bits & 1;
                        f = (struct facts){.crypt_version = versions[v], .rotational = bits & 2};
                        check_one(&c, &f);
                    }
}

static void sector_sizes(void **state)
{
    static const struct {
        const char *cipher, *asked;
        uint64_t size_bytes;
        uint32_t physical_block_bytes, wanted;
        const char *why;
    } rows[] = {
#define XTS "aes-xts-plain64"
#define CBC "aes-cbc-essiv:sha256"
        {CBC, "auto", 1 << 20, 512, 512, "CBC"},
        {CBC, "auto", 1 << 20, 0, 512, "CBC"},
        {CBC, "auto", 1 << 20, 4096, 4096, "blocks of the disk below"},
        {CBC, "4096", 1 << 20, 512, 4096, "as configured"},
        {XTS, "auto", 1 << 20, 512, 4096, "eighth"},
        {XTS, "auto", 1 << 20, 0, 4096, "eighth"},
        {XTS, "auto", 1 << 20, 4096, 4096, "blocks of the disk below"},
        {XTS, "auto", 1 << 20, 16384, 4096, "blocks of the disk below"},
        {XTS, "auto", (1 << 20) + 512, 4096, 512, "not a multiple"},
        {XTS, "4096", 1 << 20, 512, 4096, "as configured"},
        {XTS, "4096", (1 << 20) + 2048, 512, 512, "not a multiple"},
        {XTS, "512", 1 << 20, 4096, 512, "as configured"},
        {XTS, "512", (1 << 20) + 512, 4096, 512, "as configured"},
    };
    struct config c;
    (void)state;
    config_defaults(&c);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        const struct facts f = {.physical_block_bytes = rows[i].physical_block_bytes};
        set(c.sector_size, rows[i].asked);
        assert_int_equal(choose_sector_bytes(&c, rows[i].cipher, &f, rows[i].size_bytes), rows[i].wanted);
        assert_non_null(
            strstr(explain_sector_bytes(&c, rows[i].cipher, &f, rows[i].size_bytes), rows[i].why));
    }
}

static void encryption(void **state)
{
    struct config c;
    struct volume v = {.size_bytes = (1 << 20) + 512};
    const struct facts unknown = {.rotational = true};
    (void)state;
    config_defaults(&c);
    set(c.cipher, "serpent-xts-plain64");
    c.key_size_bits = 256;
    choose_encryption(&c, &unknown, &v);
    assert_string_equal(v.cipher, "serpent-xts-plain64");
    assert_string_equal(v.kdf, KDF_HKDF_SHA512);
    assert_int_equal(v.key_bits, 256);
    assert_int_equal(v.sector_bytes, 512);
    v.size_bytes = 1 << 20;
    choose_encryption(&c, &unknown, &v);
    assert_int_equal(v.sector_bytes, 4096);
}

static void ciphers(void **state)
{
    (void)state;
    assert_null(strstr(explain_cipher("aes-xts-plain64", true), "slow"));
    assert_non_null(strstr(explain_cipher("aes-xts-plain64", false), "slow"));
    assert_non_null(strstr(explain_cipher("serpent-xts-plain64", true), "slow"));
}

/* What is written can be read back, whatever it is; the number before it is that of its words. */
static void tables(void **state)
{
    char text[CRYPT_OPTIONS_TEXT_MAX];
    (void)state;
    for (uint32_t flags = 0; flags < 1 << 6; flags++)
        for (uint32_t sector_bytes = 512; sector_bytes <= 4096; sector_bytes *= 8) {
            int n = 0, told = 0;
            crypt_options_text(sector_bytes, true, flags, text);
            for (const char *p = text; *p; p++)
                n += *p == ' ';
            assert_int_equal(sscanf(text, "%d", &told) == 1 ? told + 1 : 0, n);
            assert_int_equal(crypt_flags_parse(text), flags);
            assert_int_equal(strstr(text, "sector_size:4096 iv_large_sectors") != NULL, sector_bytes == 4096);
        }
    crypt_options_text(512, true, 0, text);
    assert_string_equal(text, "");
    crypt_options_text(4096, true, CRYPT_ALLOW_DISCARDS | CRYPT_NO_WORKQUEUES, text);
    assert_string_equal(text, " 5 sector_size:4096 iv_large_sectors allow_discards no_read_workqueue "
                              "no_write_workqueue");
    assert_int_equal(crypt_flags_parse("aes-xts-plain64 :64:logon:mayfly:allow_discards 0 7:0 0"), 0);
    assert_int_equal(crypt_flags_parse("a 1 no_read_workqueues no_read_workqueue"), CRYPT_NO_READ_WORKQUEUE);
}

static void values(void **state)
{
    (void)state;
    assert_string_equal(choice_value(CHOICE_WORKQUEUES, 0), "on");
    assert_string_equal(choice_value(CHOICE_WORKQUEUES, CRYPT_NO_WORKQUEUES), "off");
    assert_string_equal(choice_value(CHOICE_WORKQUEUES, CRYPT_NO_READ_WORKQUEUE), "partly");
    assert_string_equal(choice_value(CHOICE_SAME_CPU, CRYPT_SAME_CPU), "partly");
    assert_string_equal(choice_value(CHOICE_DISCARD, CRYPT_ALLOW_DISCARDS), "on");
    assert_string_equal(choice_value(CHOICE_DISCARD, CRYPT_NO_WORKQUEUES), "off");
    assert_string_equal(choice_name(CHOICE_DISCARD), "discard");
}

static bool aes_in(const char *cpuinfo)
{
    FILE *f = fmemopen((void *)cpuinfo, strlen(cpuinfo), "r");
    assert_non_null(f);
    bool has = cpuinfo_has_aes(f);
    fclose(f);
    return has;
}

static void processors(void **state)
{
    (void)state;
    char many[20000] = "processor\t: 0\nflags\t\t: ";
    for (size_t n = strlen(many); n < sizeof many - 8; n += 5)
        memcpy(many + n, "flag ", 6);
    assert_false(aes_in(many)); /* longer than any buffer, and the last line without an end */
    memcpy(many + strlen(many) - 5, " aes", 5);
    assert_true(aes_in(many));
    assert_true(aes_in("Features\t: fp asimd aes pmull\n"));
    assert_false(aes_in("flags : vaes aesx\nmodel : aes\n"));
    assert_false(aes_in("flags : fpu\nflags : aes\n")); /* the first processor does */
    assert_false(aes_in("model : aes\n"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_facts_and_configurations),
        cmocka_unit_test(sector_sizes),
        cmocka_unit_test(encryption),
        cmocka_unit_test(ciphers),
        cmocka_unit_test(tables),
        cmocka_unit_test(values),
        cmocka_unit_test(processors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
