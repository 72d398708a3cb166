/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/inventory.h"
#include "storage/tags.h"
#include "unit.h"

#include <stdio.h>

#define I "6e3a5a1e-0c8f-4f0e-9d38-0b3f5f6c7d8e"
#define J "aaaaaaaa-0c8f-4f0e-9d38-0b3f5f6c7d8e"
#define D "0d15c000-0c8f-4f0e-9d38-0b3f5f6c7d"

#define SHARED(text) "\"vg_shared\":\"" text "\",\"vg_clustered\":\"\",\"lv_count\":\"1\""
#define KIND(role, layout, origin, locked)                                                                   \
    "\"lv_role\":\"" role "\",\"lv_layout\":\"" layout "\",\"origin\":\"" origin                             \
    "\",\"lv_allocation_locked\":\"" locked "\""
#define PLAIN_KIND KIND("public", "linear", "", "")

#define VGS                                                                                                  \
    "{\"report\":[{\"vg\":[{\"vg_name\":\"vg0\",\"vg_size\":\"1000\",\"vg_free\":\"500\",\"vg_extent_"       \
    "size\":"                                                                                                \
    "\"4\",\"vg_mda_size\":\"70\",\"vg_mda_free\":\"30\",\"vg_missing_pv_count\":\"1\"," SHARED(             \
        "") "}]}],\"log\":[]}\n"
#define LVS(rows) "{\"report\":[{\"lv\":[" rows "]}],\"log\":[]}\n"

static struct volume volume_of(const char *instance, const char *role, const char *disk)
{
    struct volume v = {.vg = "vg0", .size_bytes = 4 << 20, .name = "ci-1", .cipher = "none"};
    memcpy(v.instance, instance, UUID_TEXT);
    memcpy(v.disk, disk, UUID_TEXT);
    strcpy(v.role, role);
    volume_set_lv_name(&v);
    return v;
}

static int print_row(char *text, size_t size, const struct volume *v, const char *more_tags,
                     const char *comma)
{
    char tags[TAGS_TEXT_MAX];
    tags_format(v, tags);
    return snprintf(
        text, size,
        "{\"vg_name\":\"%s\",\"lv_name\":\"%s\",\"lv_size\":\"4194304\",\"lv_tags\":\"%s%s\"," PLAIN_KIND
        "}%s",
        v->vg, v->lv, tags, more_tags, comma);
}

static int parse(const char *text, struct inventory **ret, struct error *e)
{
    return inventory_parse(text, strlen(text), NULL, 0, ret, e);
}

static void groups_volumes_and_maps_are_read(void **state)
{
    (void)state;
    struct error e = ERROR_NONE;
    char text[8192] = VGS "{\"report\":[{\"lv\":[";
    size_t n = strlen(text);
    static const char *const roles[] = {"rescue", "swap", "eph10", "eph9", "root"};
    for (int i = 0; i < 5; i++) {
        struct volume v = volume_of(I, roles[i], D "01");
        v.disk[35] = (char)('0' + i);
        n += (size_t)print_row(text + n, sizeof text - n, &v, "", ",");
    }
    struct volume other = volume_of(J, "root", D "aa");
    n += (size_t)print_row(text + n, sizeof text - n, &other, "", "");
    strcpy(text + n, "]}]}\n");

    struct map maps[] = {{I "_disk-dmcrypt", MAP_UUID_PREFIX D "04", 1 << 30, 1, 0, 0, 0},
                         {J "_disk-dmcrypt", MAP_UUID_PREFIX D "aa" MAP_UUID_OPENED, 1 << 30, 0, 0, 0, 0}};
    _cleanup_inventory_ struct inventory *i = NULL;
    assert_ok(inventory_parse(text, strlen(text), maps, 2, &i, &e), e);
    assert_int_equal(i->n_groups, 1);
    assert_int_equal(i->groups[0].extent_bytes, 4);
    assert_false(i->groups[0].complete);
    assert_int_equal(i->n_volumes, 6);
    assert_int_equal(i->n_damaged, 0);
    static const char *const order[] = {"root", "eph9", "eph10", "swap", "rescue", "root"};
    for (int k = 0; k < 6; k++)
        assert_string_equal(i->volumes[k].role, order[k]);
    assert_string_equal(i->volumes[5].instance, J);
    assert_ptr_equal(inventory_map_of(i, &i->volumes[0]), &i->maps[0]);
    assert_ptr_equal(inventory_map_of(i, &i->volumes[5]), &i->maps[1]);
    assert_null(inventory_map_of(i, &i->volumes[3]));
    assert_non_null(inventory_group(i, "vg0"));
    assert_null(inventory_group(i, "vg1"));
}

static void what_cannot_be_believed_is_damaged(void **state)
{
    (void)state;
    struct error e = ERROR_NONE;
    char text[8192] = VGS "{\"report\":[{\"lv\":[";
    size_t n = strlen(text);
    struct volume v = volume_of(I, "root", D "01"), w = v;
    strcpy(w.lv, "another_name");
    n += (size_t)print_row(text + n, sizeof text - n, &v, ",mayfly.state=ready", ",");
    n += (size_t)print_row(text + n, sizeof text - n, &w, "", ",");
    strcpy(text + n,
           "{\"vg_name\":\"vg0\",\"lv_name\":\"theirs\",\"lv_size\":\"1\",\"lv_tags\":\"a,b\"," PLAIN_KIND
           "}]}]}");

    _cleanup_inventory_ struct inventory *i = NULL;
    assert_ok(parse(text, &i, &e), e);
    assert_int_equal(i->n_volumes, 0);
    assert_int_equal(i->n_damaged, 2);
    assert_string_equal(i->damaged[1].lv, "another_name");
    assert_true(strlen(i->damaged[0].reason.text) > 10);
}

static void what_only_has_our_name_is_told(void **state)
{
    (void)state;
    static const char text[] = VGS LVS(
        "{\"vg_name\":\"vg0\",\"lv_name\":\"" I "_disk.eph0\",\"lv_size\":\"1\",\"lv_tags\":\"\"," PLAIN_KIND
        "},"
        "{\"vg_name\":\"vg0\",\"lv_name\":\"" I "-disk\",\"lv_size\":\"1\",\"lv_tags\":\"\"," PLAIN_KIND "},"
        "{\"vg_name\":\"vg0\",\"lv_name\":\"x_disk\",\"lv_size\":\"1\",\"lv_tags\":\"\"," PLAIN_KIND "},"
        "{\"vg_name\":\"vg0\",\"lv_name\":\"" J
        "_disk_backup\",\"lv_size\":\"1\",\"lv_tags\":\"\"," PLAIN_KIND "},"
        "{\"vg_name\":\"vg0\",\"lv_name\":\"" J "_disk-old\",\"lv_size\":\"1\",\"lv_tags\":\"\"," PLAIN_KIND
        "}");
    struct error e = ERROR_NONE;
    _cleanup_inventory_ struct inventory *i = NULL;
    assert_ok(parse(text, &i, &e), e);
    assert_int_equal(i->n_volumes + i->n_damaged, 0);
    assert_int_equal(i->n_untagged, 1);
    assert_string_equal(i->untagged[0].instance, I);
    assert_string_equal(i->untagged[0].vg, "vg0");
}

#define ROW(name, tags, kind)                                                                                \
    "{\"vg_name\":\"vg0\",\"lv_name\":\"" name "\",\"lv_size\":\"4194304\",\"lv_tags\":\"" tags "\"," kind "}"

static const char *reason_of(const struct inventory *i, const char *lv)
{
    struct volume v = {.vg = "vg0"};
    snprintf(v.lv, sizeof v.lv, "%s", lv);
    const struct dependent *d = inventory_dependent_of(i, &v);
    return d ? d->reason : "";
}

static void what_depends_on_a_volume_is_told(void **state)
{
    (void)state;
    static const char text[] =
        VGS LVS(ROW("backup", "", KIND("public,snapshot,thicksnapshot", "linear", I "_disk", "")) "," ROW(
            I "_disk", "",
            KIND(
                "public,origin,thickorigin", "linear", "",
                "")) "," ROW(I "_disk.eph0", "",
                             KIND(
                                 "public", "raid,raid1", "",
                                 "")) "," ROW(I "_disk.eph1", "",
                                              KIND(
                                                  "public",
                                                  "linear",
                                                  "",
                                                  "allocation locked")) "," ROW(I "_disk.eph2", "",
                                                                                KIND(
                                                                                    "public",
                                                                                    "cache,writecache", "",
                                                                                    "")) "," ROW(I
                                                                                                 "_disk.eph3",
                                                                                                 "",
                                                                                                 KIND(
                                                                                                     "public,"
                                                                                                     "origin,"
                                                                                                     "thickor"
                                                                                                     "igin",
                                                                                                     "linear",
                                                                                                     "",
                                                                                                     "")) "," ROW(I
                                                                                                                  "_disk.eph4",
                                                                                                                  "",
                                                                                                                  KIND(
                                                                                                                      "public",
                                                                                                                      "striped",
                                                                                                                      "",
                                                                                                                      "")) "," ROW("theirs",
                                                                                                                                   "",
                                                                                                                                   KIND(
                                                                                                                                       "public",
                                                                                                                                       "cache",
                                                                                                                                       "",
                                                                                                                                       "")));
    struct error e = ERROR_NONE;
    _cleanup_inventory_ struct inventory *i = NULL;
    assert_ok(parse(text, &i, &e), e);
    assert_non_null(strstr(reason_of(i, I "_disk"), "snapshot vg0/backup depends on it"));
    assert_non_null(strstr(reason_of(i, I "_disk.eph0"), "raid1"));
    assert_non_null(strstr(reason_of(i, I "_disk.eph1"), "pvmove"));
    assert_non_null(strstr(reason_of(i, I "_disk.eph2"), "--splitcache"));
    assert_non_null(
        strstr(reason_of(i, I "_disk.eph3"), "thickorigin")); /* whose snapshot is not to be seen */
    assert_string_equal(reason_of(i, I "_disk.eph4"), "");
    assert_int_equal(i->n_dependents, 5);
}

static void our_own_snapshot_is_no_dependent(void **state)
{
    (void)state;
    struct error e = ERROR_NONE;
    char text[8192] = VGS "{\"report\":[{\"lv\":[", tags[TAGS_TEXT_MAX];
    size_t n = strlen(text);
    struct volume v = volume_of(I, "snap", D "01");
    tags_format(&v, tags);
    snprintf(text + n, sizeof text - n,
             "{\"vg_name\":\"vg0\",\"lv_name\":\"%s\",\"lv_size\":\"4194304\",\"lv_tags\":\"%s\"," KIND(
                 "public,snapshot,thicksnapshot", "linear", I "_disk",
                 "") "}," ROW(I "_disk", "", KIND("public,origin,thickorigin", "linear", "", "")) "]}]}",
             v.lv, tags);
    _cleanup_inventory_ struct inventory *i = NULL;
    assert_ok(parse(text, &i, &e), e);
    assert_int_equal(i->n_volumes, 1);
    assert_int_equal(i->n_dependents, 0);
}

static void a_row_without_a_field_is_refused(void **state)
{
    (void)state;
    static const char *const fields[] = {
        "lv_name",  "lv_size", "lv_tags", "lv_role", "lv_layout", "origin", "lv_allocation_locked",
        "vg_shared"};
    static const char whole[] = VGS LVS(ROW(I "_disk", "mayfly=1", PLAIN_KIND));
    for (size_t n = 0; n < ARRAY_SIZE(fields); n++) {
        char text[sizeof whole];
        struct error e = ERROR_NONE;
        struct inventory *i = NULL;
        memcpy(text, whole, sizeof text);
        char *at = strstr(text, fields[n]);
        at[0] = 'X'; /* LVM of tomorrow calls it something else */
        int r = parse(text, &i, &e);
        if (streq(fields[n], "lv_size")) /* then the volume is damaged, and stays */
            assert_int_equal(r == 0 ? i->n_damaged : 0, 1);
        else
            assert_int_equal(r, -EPROTO);
        inventory_free(i);
    }
}

static void a_group_of_several_hosts_is_told(void **state)
{
    (void)state;
    struct error e = ERROR_NONE;
    _cleanup_inventory_ struct inventory *i = NULL;
    assert_ok(parse("{\"report\":[{\"vg\":[{\"vg_name\":\"vg0\",\"vg_size\":\"9\",\"vg_free\":\"5\",\"vg_"
                    "extent_size\":\"4\","
                    "\"vg_mda_size\":\"7\",\"vg_mda_free\":\"3\",\"vg_missing_pv_count\":\"0\"," SHARED(
                        "shared") "}]}]}" LVS(""),
                    &i, &e),
              e);
    assert_true(inventory_group(i, "vg0")->shared);
}

static void an_empty_host_is_fine(void **state)
{
    (void)state;
    struct error e = ERROR_NONE;
    _cleanup_inventory_ struct inventory *i = NULL;
    assert_ok(parse("{\"report\":[{\"vg\":[]}]}{\"report\":[{\"lv\":[]}]}", &i, &e), e);
    assert_int_equal(i->n_groups + i->n_volumes + i->n_damaged + i->n_maps, 0);
}

static void another_form_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "{",
        "[]",
        "{}{}",
        VGS,
        "null" LVS(""),
        VGS "{\"report\":[{\"lv\":",
        VGS VGS,
        VGS LVS("1"),
        VGS LVS("null"),
        VGS LVS("{}"),
        VGS LVS("{\"lv_tags\":\"mayfly=1\"}"),
        VGS "{\"report\":[null]}",
        VGS "{\"report\":[{\"lv\":{}}]}",
        VGS "{\"report\":7}",
        "{\"report\":[{\"vg\":[{\"vg_name\":7}]}]}" LVS(""),
        "{\"report\":[{\"vg\":[{\"vg_name\":\"v\",\"vg_size\":\"1.5g\"}]}]}" LVS(""),
        "{\"report\":[{\"lv\":[{\"lv_tags\":\"\"} {\"lv_tags\":\"\"}]}]}",
        "{\"report\":[{\"lv\":[{\"lv_tags\":\"\"},]}]}",
        "{\"report\":[{\"lv\":[]}]} x",
        "{\"report\":[{\"lv\":[]}],\"other\":[]}",
        "{\"report\":[{\"seg\":[]}]}",
        "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]"};
    for (size_t k = 0; k < ARRAY_SIZE(bad); k++) {
        struct inventory *i = NULL;
        struct error e = ERROR_NONE;
        int r = parse(bad[k], &i, &e);
        if (r != -EPROTO || i || !*e.text)
            fail_msg("%s gave %d, %s", bad[k], r, e.text);
    }
}

/* Of AddressSanitizer, if the test is built with that; what is allocated now, and was at most. */
int __sanitizer_install_malloc_and_free_hooks(void (*)(const volatile void *, size_t),
                                              void (*)(const volatile void *)) __attribute__((weak));
size_t __sanitizer_get_allocated_size(const volatile void *) __attribute__((weak));
static size_t now_bytes, peak_bytes;

static void on_malloc(const volatile void *memory, size_t size)
{
    (void)memory;
    now_bytes += size;
    peak_bytes = now_bytes > peak_bytes ? now_bytes : peak_bytes;
}

static void on_free(const volatile void *memory)
{
    now_bytes -= memory ? __sanitizer_get_allocated_size(memory) : 0;
}

/* Beside what is kept, and is moved once while it grows, a row at a time takes memory. */
static void thousands_are_read_within_bounds(void **state)
{
    (void)state;
    enum { N = 10000 };
    struct error e = ERROR_NONE;
    static char text[N * 600];
    struct map *maps = test_calloc(N, sizeof *maps);
    _cleanup_inventory_ struct inventory *i = NULL;
    size_t n = (size_t)snprintf(text, sizeof text, "{\"report\":[{\"lv\":[");
    for (int k = 0; k < N; k++) {
        struct volume v = volume_of(I, k % 2 ? "swap" : "root", D "01");
        snprintf(v.instance, sizeof v.instance, "%08x-0c8f-4f0e-9d38-0b3f5f6c7d8e", (unsigned)(N - k / 2));
        snprintf(v.disk, sizeof v.disk, "%08x-0c8f-4f0e-9d38-0b3f5f6c7d8e", (unsigned)k);
        volume_set_lv_name(&v);
        snprintf(maps[k].uuid, sizeof maps[k].uuid, MAP_UUID_PREFIX "%s", v.disk);
        n += (size_t)print_row(text + n, sizeof text - n, &v, "", k + 1 < N ? "," : "");
    }
    n += (size_t)snprintf(text + n, sizeof text - n, "]}],\"log\":[]}\n" VGS);

    if (__sanitizer_install_malloc_and_free_hooks)
        __sanitizer_install_malloc_and_free_hooks(on_malloc, on_free);
    now_bytes = peak_bytes = 0;
    assert_ok(inventory_parse(text, n, maps, N, &i, &e), e);
    assert_true(peak_bytes < (16384 + 8192) * sizeof(struct volume) + 2 * N * sizeof *maps + 65536);
    assert_int_equal(i->n_volumes, N);
    for (size_t k = 0; k < N; k++) {
        const struct map *map = inventory_map_of(i, &i->volumes[k]);
        assert_non_null(map);
        assert_string_equal(map->uuid + strlen(MAP_UUID_PREFIX), i->volumes[k].disk);
        size_t n_of = 0;
        assert_ptr_equal(inventory_volumes_of(i, i->volumes[k].instance, &n_of), &i->volumes[k / 2 * 2]);
        assert_int_equal(n_of, 2);
    }
    size_t none = 1;
    assert_null(inventory_volumes_of(i, J, &none));
    assert_int_equal(none, 0);
    test_free(maps);
}

static void a_row_of_lvs_tells_of_its_group(void **state)
{
    (void)state;
    static const char text[] =
        LVS("{\"vg_name\":\"vg1\",\"vg_size\":\"9\",\"vg_free\":\"5\",\"vg_extent_"
            "size\":\"4\",\"vg_mda_size\":\"7\","
            "\"vg_mda_free\":\"3\",\"vg_missing_pv_count\":\"0\"," SHARED(
                "") "," PLAIN_KIND ",\"lv_name\":\"x_"
                    "disk\",\"lv_size\":\"1\",\"lv_tags\":\"\"},"
                    "{\"vg_name\":\"vg1\",\"vg_size\":\"9\",\"vg_free\":\"5\",\"vg_extent_"
                    "size\":\"4\",\"vg_mda_size\":\"7\","
                    "\"vg_mda_free\":\"3\",\"vg_missing_pv_count\":\"0\"," SHARED(
                        "") "," PLAIN_KIND ",\"lv_name\":\"y_"
                            "disk\",\"lv_size\":\"1\",\"lv_tags\":\"\"}") VGS;
    struct error e = ERROR_NONE;
    _cleanup_inventory_ struct inventory *i = NULL;
    assert_ok(parse(text, &i, &e), e);
    assert_int_equal(i->n_groups, 2);
    assert_int_equal(inventory_group(i, "vg1")->free_bytes, 5);
    assert_true(inventory_group(i, "vg1")->complete);
    assert_int_equal(inventory_group(i, "vg0")->free_bytes, 500);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(groups_volumes_and_maps_are_read),
        cmocka_unit_test(what_cannot_be_believed_is_damaged),
        cmocka_unit_test(what_only_has_our_name_is_told),
        cmocka_unit_test(what_depends_on_a_volume_is_told),
        cmocka_unit_test(our_own_snapshot_is_no_dependent),
        cmocka_unit_test(a_row_without_a_field_is_refused),
        cmocka_unit_test(a_group_of_several_hosts_is_told),
        cmocka_unit_test(an_empty_host_is_fine),
        cmocka_unit_test(another_form_is_refused),
        cmocka_unit_test(a_row_of_lvs_tells_of_its_group),
        cmocka_unit_test(thousands_are_read_within_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
