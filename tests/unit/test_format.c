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
    return image_format_detect(
        &(struct image_ends){.head = head, .head_bytes = IMAGE_HEAD_BYTES, .file_bytes = FILE_BYTES}, wanted,
        ret, e);
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
        {"larger than 1 EiB", 3, 24, 8, (UINT64_C(1) << 60) + 1},
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

/* Version 3 has more fields, which are not read where the file has none. */
static void a_header_that_is_cut_off_is_refused(void **state)
{
    (void)state;
    for (uint32_t version = 2; version <= 3; version++)
        for (size_t whole = version == 2 ? 72 : 104, size = whole - 1; size <= whole; size++) {
            uint8_t head[IMAGE_HEAD_BYTES];
            enum image_format f;
            struct error e = ERROR_NONE;
            make_head(head, version);
            const struct image_ends ends = {.head = head, .head_bytes = size, .file_bytes = FILE_BYTES};
            int r = image_format_detect(&ends, "qcow2", &f, &e);
            assert_int_equal(r < 0 && strstr(e.text, "its header is cut off"), size < whole);
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
    struct image_ends ends = {.head = head};
    assert_error(image_format_detect(&ends, NULL, &f, &e), -EINVAL, e);
    e = ERROR_NONE;
    assert_error(image_format_detect(&ends, "raw", &f, &e), -EINVAL, e);
    make_head(head, 3);
    for (size_t size = 1; size < 104; size++) {
        e = ERROR_NONE;
        ends.head_bytes = ends.file_bytes = size;
        assert_error(image_format_detect(&ends, NULL, &f, &e), size < 4 ? 0 : -EINVAL, e);
    }
}

/* --------------------------------------------------------- what is no image */

static int detect_text(const char *head, size_t size, struct error *e)
{
    enum image_format f = IMAGE_RAW;
    *e = ERROR_NONE;
    return image_format_detect(
        &(struct image_ends){.head = (const uint8_t *)head, .head_bytes = size, .file_bytes = size}, NULL, &f,
        e);
}

static void what_begins_otherwise_is_refused(void **state)
{
    (void)state;
#define BEGIN(words, text)                                                                                   \
    {                                                                                                        \
        words, text, sizeof(text) - 1                                                                        \
    }
    static const struct {
        const char *words, *text;
        size_t size;
    } begins[] = {
        BEGIN("zip", "PK\x03\x04 and more"),
        BEGIN("7z", "7z\xbc\xaf\x27\x1c and more"),
        BEGIN("lz4", "\x04\x22\x4d\x18 and more"),
        BEGIN("lz4 or zstd", "\x57\x2a\x4d\x18 and more"),
        BEGIN("lzma", "\x5d\0\0\x80\0\xff\xff\xff\xff\xff\xff\xff\xff\0 and more"),
        BEGIN("lzma", "\x5d\0\0\x00\x01\x00\x10\0\0\0\0\0\0\0 and more"),
        BEGIN("HTML", "<!DOCTYPE html><html>"),
        BEGIN("HTML", "\r\n  <html lang=en>"),
        BEGIN("HTML", "\xef\xbb\xbf<HTML>"),
        BEGIN("XML", "<?xml version=\"1.0\"?><Error><Code>AccessDenied</Code>"),
        BEGIN("XML", "<Error><Code>AccessDenied</Code>"),
        BEGIN("JSON", "{\"message\": \"Not found\"}"),
        BEGIN("JSON", "{\n  \"error\": 404\n}"),
        BEGIN("Parallels", "WithoutFreeSpace"),
        BEGIN("Parallels", "WithouFreSpacExt"),
        BEGIN("LUKS", "LUKS\xba\xbe\0\x01"),
        BEGIN("decrypt", "LUKS\xba\xbe\0\x02"),
        BEGIN("rar", "Rar!\x1a\x07\x01\0"),
        BEGIN("ELF", "\x7f\x45LF\x02\x01\x01"),
        BEGIN("OpenPGP", "-----BEGIN PGP SIGNATURE-----"),
    };
    struct error e;
    for (size_t i = 0; i < ARRAY_SIZE(begins); i++) {
        assert_error(detect_text(begins[i].text, begins[i].size, &e), -EINVAL, e);
        if (!strstr(e.text, begins[i].words) || !strstr(e.text, "--image-format raw"))
            fail_msg("no \"%s\" in: %s", begins[i].words, e.text);
    }
    static const char *const others[] = {"{ no JSON", "<no page", "MZ and nothing more", "]\0\0", "PKZ"};
    for (size_t i = 0; i < ARRAY_SIZE(others); i++)
        assert_ok(detect_text(others[i], strlen(others[i]), &e), e);
}

/* A disk in a format whose mark is at the end of the file. */
static void what_ends_otherwise_is_refused(void **state)
{
    (void)state;
    uint8_t head[IMAGE_HEAD_BYTES] = {0}, tail[IMAGE_TAIL_BYTES] = {0};
    static const struct {
        const char *words, *text;
        size_t from_end;
    } ends[] = {{"VHD", "conectix", 512}, {"dmg", "koly", 512}, {"zip", "PK\x05\x06", 22}};
    struct error e = ERROR_NONE;
    enum image_format f = IMAGE_QCOW2;
    const struct image_ends file = {.head = head,
                                    .head_bytes = sizeof head,
                                    .tail = tail,
                                    .tail_bytes = sizeof tail,
                                    .file_bytes = FILE_BYTES};
    head[510] = 0x55;
    head[511] = 0xaa;
    assert_ok(image_format_detect(&file, NULL, &f, &e), e);
    for (size_t i = 0; i < ARRAY_SIZE(ends); i++) {
        memset(tail, 0, sizeof tail);
        memcpy(tail + sizeof tail - ends[i].from_end, ends[i].text, strlen(ends[i].text));
        e = ERROR_NONE;
        assert_error(image_format_detect(&file, NULL, &f, &e), -EINVAL, e);
        assert_non_null(strstr(e.text, ends[i].words));
        e = ERROR_NONE;
        assert_ok(image_format_detect(&file, "raw", &f, &e), e);
    }
}

static bool shows(const uint8_t *head, size_t size)
{
    return image_shows_disk(
        &(struct image_ends){.head = head, .head_bytes = size, .file_bytes = size ? FILE_BYTES : 0});
}

static void disks_are_known(void **state)
{
    (void)state;
    static const struct {
        size_t offset;
        const char *text;
    } marks[] = {{510, "\x55\xaa"}, {512, "EFI PART"},   {4096, "EFI PART"}, {0, "XFSB"},
                 {0, "hsqs"},       {65600, "_BHRfS_M"}, {32769, "CD001"},   {4086, "SWAPSPACE2"}};
    uint8_t head[IMAGE_HEAD_BYTES];
    memset(head, 0, sizeof head);
    assert_true(shows(head, sizeof head)); /* nothing at all */
    assert_true(shows(head, 0));
    memset(head, 'x', sizeof head);
    assert_false(shows(head, sizeof head));
    for (size_t i = 0; i < ARRAY_SIZE(marks); i++) {
        memset(head, 'x', sizeof head);
        memcpy(head + marks[i].offset, marks[i].text, strlen(marks[i].text));
        assert_true(shows(head, sizeof head));
        assert_false(shows(head, marks[i].offset + 1));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_ones_are_known),
        cmocka_unit_test(each_bad_field_is_refused),
        cmocka_unit_test(a_header_that_is_cut_off_is_refused),
        cmocka_unit_test(extensions_behind_others_are_found),
        cmocka_unit_test(what_was_said_is_held_to),
        cmocka_unit_test(short_files),
        cmocka_unit_test(what_begins_otherwise_is_refused),
        cmocka_unit_test(what_ends_otherwise_is_refused),
        cmocka_unit_test(disks_are_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
