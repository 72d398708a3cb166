/* SPDX-License-Identifier: Apache-2.0 */
#include "storage/tags.h"
#include "unit.h"
#include "volume-sample.h"

#include <stdio.h>

#define ALL                                                                                                  \
    "mayfly=1,mayfly.instance=11111111-1111-4111-8111-111111111111,mayfly.name=ci-1,"                        \
    "mayfly.disk=22222222-2222-4222-8222-222222222222,mayfly.role=eph0,mayfly.state=ready,"                  \
    "mayfly.cipher=aes-xts-plain64,mayfly.bits=512,mayfly.sector=4096,mayfly.key=local:abc,"                 \
    "mayfly.scope=batch,mayfly.kdf=hkdf-sha512,mayfly.check=00112233445566778899aabbccddeeff"
#define PLAIN                                                                                                \
    "mayfly=1,mayfly.instance=11111111-1111-4111-8111-111111111111,mayfly.name=ci-1,"                        \
    "mayfly.disk=22222222-2222-4222-8222-222222222222,mayfly.role=eph0,mayfly.state=ready,"                  \
    "mayfly.cipher=none"

static void written_as_documented(void **state)
{
    (void)state;
    char text[TAGS_TEXT_MAX];
    struct volume v = sample_volume(), plain = sample_plain_volume();
    tags_format(&v, text);
    assert_string_equal(text, ALL);
    tags_format(&plain, text);
    assert_string_equal(text, PLAIN);
    tags_format_state(VOLUME_BUILDING, text);
    assert_string_equal(text, "mayfly.state=building");
}

/* Whatever begins as ours do may be ours. */
static void a_stranger_has_none(void **state)
{
    (void)state;
    assert_true(tags_none(""));
    assert_true(tags_none("zone,x.mayfly=1"));
    assert_false(tags_none(ALL));
    assert_false(tags_none("zone,mayfly.role=root"));
    assert_false(tags_none("mayfly=2"));
    assert_false(tags_none("zone,mayfly"));
    assert_false(tags_none("mayfly,zone"));
    assert_true(tags_none("mayflies,mayfly1=x"));
}

/* The longest values of all fit, and come back. */
static void the_longest_fits(void **state)
{
    (void)state;
    char text[TAGS_TEXT_MAX];
    struct error e = ERROR_NONE;
    struct volume v = sample_volume(), again;
    memset(v.name, 'n', sizeof v.name - 1);
    memset(v.key + 6, 'k', sizeof v.key - 7);
    memset(v.cipher, 'c', sizeof v.cipher - 1);
    memset(v.kdf, 'f', sizeof v.kdf - 1);
    strcpy(v.fs, "ext4");
    memset(v.alias, 'a', sizeof v.alias - 1);
    v.state = VOLUME_REBUILDING;
    v.engine = ENGINE_USER;
    again = v;
    tags_format(&v, text);
    assert_ok(tags_parse(text, &again, &e), e);
    assert_memory_equal(&v, &again, sizeof v);
}

/* Field by field: what lies between them is anything. */
static void assert_same(const struct volume *a, const struct volume *b)
{
#define SAME_TEXT(field) assert_string_equal(a->field, b->field)
    SAME_TEXT(vg);
    SAME_TEXT(lv);
    SAME_TEXT(instance);
    SAME_TEXT(name);
    SAME_TEXT(disk);
    SAME_TEXT(role);
    SAME_TEXT(fs);
    SAME_TEXT(alias);
    SAME_TEXT(cipher);
    SAME_TEXT(key);
    SAME_TEXT(kdf);
    SAME_TEXT(check);
    assert_int_equal(a->size_bytes, b->size_bytes);
    assert_int_equal(a->state, b->state);
    assert_int_equal(a->key_bits, b->key_bits);
    assert_int_equal(a->sector_bytes, b->sector_bytes);
    assert_int_equal(a->scope, b->scope);
    assert_int_equal(a->engine, b->engine);
}

static void read_back_in_any_order(void **state)
{
    (void)state;
    struct error e = ERROR_NONE;
    struct volume wanted = sample_volume(), v = {.size_bytes = wanted.size_bytes};
    strcpy(v.vg, wanted.vg);
    strcpy(v.lv, wanted.lv);
    assert_ok(tags_parse("other,x.mayfly=1," ALL ",mayflies=3,zone", &v, &e), e);
    assert_same(&v, &wanted);
    char reversed[TAGS_TEXT_MAX] = "", rest[] = ALL;
    for (char *comma; (comma = strrchr(rest, ',')); *comma = '\0')
        strcat(reversed, comma + 1), strcat(reversed, ",");
    strcat(reversed, rest);
    v.state = VOLUME_DOOMED;
    assert_ok(tags_parse(reversed, &v, &e), e);
    assert_same(&v, &wanted);
}

static void not_ours(void **state)
{
    (void)state;
    struct volume v = sample_volume(), before = v;
    static const char *const texts[] = {"",          ",",         "other",   "x.mayfly.state=ready",
                                        "mayflyx=1", "x,mayfly1", "mayflies"};
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
        assert_int_equal(tags_parse(texts[i], &v, NULL), -ENOENT);
    assert_int_equal(tags_parse("other,mayfly.state=ready", &v, NULL), -EINVAL); /* it was one */
    assert_int_equal(tags_parse("mayfly,other", &v, NULL), -EINVAL);
    assert_int_equal(tags_parse("other,mayfly", &v, NULL), -EINVAL); /* wherever it stands */
    assert_memory_equal(&v, &before, sizeof v);
}

static void ours_but_not_to_be_believed(void **state)
{
    (void)state;
    struct volume v = sample_volume(), before = v;
    static const char *const texts[] = {
        "mayfly=1",
        "mayfly=2",
        "mayfly=10",
        "mayfly=",
        ALL ",mayfly=2",
        ALL ",mayfly.state=doomed",
        ALL ",mayfly.state=ready",
        ALL ",mayfly.offset=4096",
        ALL ",mayfly.",
        PLAIN ",mayfly.bits=0512",
        PLAIN ",mayfly.bits=4294967296",
        PLAIN ",mayfly.bits=-1",
        PLAIN ",mayfly.bits=",
        PLAIN ",mayfly.bits",
        PLAIN ",mayfly.scope=host",
        PLAIN ",mayfly.engine=qemu",
        PLAIN ",mayfly.kdf=0123456789012345678901234",
        "mayfly=1,mayfly.instance=11111111-1111-4111-8111-1111111111112",
        "mayfly=1,mayfly.state=gone",
    };
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        struct error e = ERROR_NONE;
        assert_error(tags_parse(texts[i], &v, &e), -EINVAL, e);
        assert_true(strlen(e.text) > 0);
    }
    assert_memory_equal(&v, &before, sizeof v);
}

/* Every tag of an encrypted volume is needed. */
static void none_may_be_missing(void **state)
{
    (void)state;
    static const char all[] = ALL;
    for (const char *tag = strchr(all, ','); tag; tag = strchr(tag + 1, ',')) {
        char text[TAGS_TEXT_MAX];
        struct volume v = sample_volume();
        struct error e = ERROR_NONE;
        snprintf(text, sizeof text, "%.*s%s", (int)(tag - all), all, strchrnul(tag + 1, ','));
        assert_error(tags_parse(text, &v, &e), -EINVAL, e);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(written_as_documented),
        cmocka_unit_test(a_stranger_has_none),
        cmocka_unit_test(the_longest_fits),
        cmocka_unit_test(read_back_in_any_order),
        cmocka_unit_test(not_ours),
        cmocka_unit_test(ours_but_not_to_be_believed),
        cmocka_unit_test(none_may_be_missing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
