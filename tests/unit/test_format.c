/* SPDX-License-Identifier: Apache-2.0 */
/* Heads of images made by hand: one good qcow2 of each version, and everything that must be refused. */
#include "image/format.h"
#include "unit.h"

#include <string.h>

#define FILE_BYTES (UINT64_C(4) << 20)

static void put32(uint8_t *p, uint32_t v)
{
    for (int i = 0; i < 4; i++)
        p[i] = (uint8_t)(v >> (24 - 8 * i));
}

static void put64(uint8_t *p, uint64_t v)
{
    put32(p, (uint32_t)(v >> 32));
    put32(p + 4, (uint32_t)v);
}

/* 10 GiB in clusters of 64 KiB: 20 entries of L1. */
static void make_head(uint8_t head[IMAGE_HEAD_BYTES], uint32_t version)
{
    memset(head, 0, IMAGE_HEAD_BYTES);
    memcpy(head, "QFI\xfb", 4);
    put32(head + 4, version);
    put32(head + 20, 16);
    put64(head + 24, UINT64_C(10) << 30);
    put32(head + 36, 20);
    put64(head + 40, 0x30000);
    put64(head + 48, 0x10000);
    put32(head + 56, 1);
    if (version == 3) {
        put32(head + 96, 4);
        put32(head + 100, 104);
    }
}

static int detect(const uint8_t *head, const char *wanted, enum image_format *ret, struct error *e)
{
    *e = ERROR_NONE;
    return image_format_detect(head, IMAGE_HEAD_BYTES, FILE_BYTES, wanted, ret, e);
}

static void good_ones_are_known(void **state)
{
    (void)state;
    uint8_t head[IMAGE_HEAD_BYTES];
    enum image_format f = IMAGE_RAW;
    struct error e;
    for (uint32_t version = 2; version <= 3; version++) {
        make_head(head, version);
        assert_ok(detect(head, NULL, &f, &e), e);
        assert_int_equal(f, IMAGE_QCOW2);
        assert_ok(detect(head, "qcow2", &f, &e), e);
        assert_ok(detect(head, "raw", &f, &e), e);
        assert_int_equal(f, IMAGE_RAW);
        put32(head + 32, 2);
        assert_ok(detect(head, NULL, &f, &e), e);
        assert_int_equal(f, IMAGE_LUKS);
        put32(head + 32, 0);
    }
    put64(head + 72, 1 | 1 << 3 | 1 << 4); /* dirty, compression type, extended L2 */
    put32(head + 36, 40);
    assert_ok(detect(head, NULL, &f, &e), e);
    memset(head, 0, sizeof head);
    assert_ok(detect(head, NULL, &f, &e), e);
    assert_int_equal(f, IMAGE_RAW);
}

static void each_bad_field_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *words;
        uint32_t version;
        size_t offset, bytes;
        uint64_t value;
    } bad[] = {
        {"version 1", 3, 4, 4, 1},
        {"version 4", 3, 4, 4, 4},
        {"backing file", 2, 8, 8, 0x200},
        {"backing file", 3, 16, 4, 9},
        {"cluster size", 3, 20, 4, 8},
        {"cluster size", 3, 20, 4, 22},
        {"cluster size", 3, 20, 4, UINT32_MAX},
        {"size is zero", 3, 24, 8, 0},
        {"beyond 1 EiB", 3, 24, 8, (UINT64_C(1) << 60) + 1},
        {"do not match", 3, 24, 8, UINT64_C(1) << 60},
        {"do not match", 3, 24, 8, (UINT64_C(10) << 30) + 1},
        {"encrypted", 2, 32, 4, 1},
        {"encrypted", 3, 32, 4, 3},
        {"do not match", 3, 36, 4, 19},
        {"do not match", 3, 36, 4, UINT32_MAX},
        {"L1 table is not within", 3, 36, 4, 32 << 17},
        {"L1 table is not within", 3, 40, 8, 0},
        {"L1 table is not within", 3, 40, 8, 0x30001},
        {"L1 table is not within", 3, 40, 8, FILE_BYTES},
        {"L1 table is not within", 3, 40, 8, UINT64_MAX & ~UINT64_C(0xffff)},
        {"reference counts", 3, 48, 8, FILE_BYTES},
        {"reference counts", 3, 56, 4, 0},
        {"snapshot table", 3, 60, 4, 65537},
        {"snapshot table", 3, 60, 4, 1},
        {"marked as corrupt", 3, 72, 8, 1 << 1},
        {"another file", 3, 72, 8, 1 << 2},
        {"unknown qcow2 features", 3, 72, 8, 1 << 5},
        {"unknown qcow2 features", 3, 72, 8, UINT64_C(1) << 63},
        {"do not match", 3, 72, 8, 1 << 4}, /* extended L2 halves what an entry covers */
        {"wrong width", 3, 96, 4, 7},
        {"wrong length", 3, 100, 4, 103},
        {"wrong length", 3, 100, 4, 0x10001},
        {"names another file", 3, 104, 4, 0xe2792aca},
        {"names another file", 3, 104, 4, 0x44415441},
    };
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        uint8_t head[IMAGE_HEAD_BYTES];
        enum image_format f = IMAGE_RAW;
        struct error e;
        make_head(head, bad[i].version);
        if (bad[i].bytes == 8)
            put64(head + bad[i].offset, bad[i].value);
        else
            put32(head + bad[i].offset, (uint32_t)bad[i].value);
        assert_error(detect(head, NULL, &f, &e), -EINVAL, e);
        if (!strstr(e.text, bad[i].words))
            fail_msg("line %zu: no \"%s\" in: %s", i, bad[i].words, e.text);
        assert_ok(detect(head, "raw", &f, &e), e);
    }
}

static void extensions_behind_others_are_found(void **state)
{
    (void)state;
    uint8_t head[IMAGE_HEAD_BYTES];
    enum image_format f;
    struct error e;
    make_head(head, 3);
    put32(head + 104, 0x6803f857); /* names of features, 13 bytes padded to 16 */
    put32(head + 108, 13);
    assert_ok(detect(head, NULL, &f, &e), e);
    put32(head + 128, 0x44415441);
    assert_error(detect(head, NULL, &f, &e), -EINVAL, e);
    put32(head + 108, UINT32_MAX); /* leads out of the head, and is not followed */
    assert_ok(detect(head, NULL, &f, &e), e);
}

static void what_was_said_is_held_to(void **state)
{
    (void)state;
    uint8_t head[IMAGE_HEAD_BYTES] = {0};
    enum image_format f;
    struct error e;
    assert_error(detect(head, "qcow2", &f, &e), -EINVAL, e);
    assert_non_null(strstr(e.text, "not a qcow2"));
    assert_error(detect(head, "vmdk", &f, &e), -EINVAL, e);
    assert_non_null(strstr(e.text, "raw, qcow2"));
    assert_error(detect(head, "", &f, &e), -EINVAL, e);
    memcpy(head, "KDMV", 4);
    assert_error(detect(head, NULL, &f, &e), -EINVAL, e);
    assert_non_null(strstr(e.text, "VMDK"));
    assert_ok(detect(head, "raw", &f, &e), e);
}

static void short_files(void **state)
{
    (void)state;
    uint8_t head[IMAGE_HEAD_BYTES] = {0};
    enum image_format f = IMAGE_RAW;
    struct error e = ERROR_NONE;
    assert_error(image_format_detect(head, 0, 0, NULL, &f, &e), -EINVAL, e);
    e = ERROR_NONE;
    assert_error(image_format_detect(head, 0, 0, "raw", &f, &e), -EINVAL, e);
    make_head(head, 3);
    for (size_t size = 1; size < 104; size++) {
        e = ERROR_NONE;
        assert_error(image_format_detect(head, size, size, NULL, &f, &e), size < 4 ? 0 : -EINVAL, e);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_ones_are_known),
        cmocka_unit_test(each_bad_field_is_refused),
        cmocka_unit_test(extensions_behind_others_are_found),
        cmocka_unit_test(what_was_said_is_held_to),
        cmocka_unit_test(short_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
