/* SPDX-License-Identifier: Apache-2.0 */
/* What block devices lead to, over a /sys made by hand. */
#include "folder.h"
#include "unit.h"

#include "storage/lineage.h"

#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#define U   "5c0e1c9e-0f53-4c2e-9d4b-3f0f4f9a7e11"
#define UU  "5c0e1c9e--0f53--4c2e--9d4b--3f0f4f9a7e11"
#define OWN "0d15c000-0c8f-4f0e-9d38-0b3f5f6c7d01"

static const char *root;

static void put(unsigned number, const char *file, const char *text)
{
    char command[600];
    snprintf(command, sizeof command,
             "f='%s/sys/dev/block/254:%u/%s'; mkdir -p \"${f%%/*}\"; echo '%s' >\"$f\"", root, number, file,
             text);
    assert_int_equal(system(command), 0);
}

static void map(unsigned number, const char *name, const char *uuid)
{
    put(number, "dm/name", name);
    put(number, "dm/uuid", uuid);
}

static void over(unsigned number, unsigned below)
{
    char file[40], text[20];
    snprintf(file, sizeof file, "slaves/d%u/dev", below);
    snprintf(text, sizeof text, "254:%u", below);
    put(number, file, text);
    snprintf(file, sizeof file, "holders/d%u/dev", number);
    snprintf(text, sizeof text, "254:%u", number);
    put(below, file, text);
}

static enum lineage at(unsigned number, const char *own, struct reached *ret)
{
    return lineage_of(root, makedev(254, number), own, ret);
}

static void devices_are_told_by_what_they_are(void **state)
{
    struct reached r;
    root = *state;
    put(1, "size", "8"); /* a physical volume */
    map(2, "vg--0-" UU "_disk.eph0", "LVM-abc");
    over(2, 1);
    map(3, U "_disk.eph0-dmcrypt", "MAYFLY-" U);
    over(3, 2);
    map(4, "linear", "");
    over(4, 2);
    map(5, "vg--0-web", "LVM-def");
    put(6, "size", "8");
    over(5, 6);
    map(7, "cryptsetup", "CRYPT-PLAIN-x");
    over(7, 2);
    map(8, "over-a-map", "");
    over(8, 3);
    map(9, "vg--0-" UU "_disk.eph0-real", "LVM-abc-real");
    map(10, "vg--0-backup", "LVM-ghi");
    over(10, 9);

    assert_int_equal(at(2, OWN, &r), LINEAGE_VOLUME);
    assert_string_equal(r.vg, "vg-0");
    assert_string_equal(r.lv, U "_disk.eph0");
    assert_string_equal(r.instance, U);
    assert_int_equal(at(2, U, &r), LINEAGE_VOLUME); /* not for its own instance either */
    assert_int_equal(at(3, U, &r), LINEAGE_NONE);
    assert_int_equal(at(3, OWN, &r), LINEAGE_MAP);
    assert_string_equal(r.instance, U);
    assert_int_equal(at(3, "", &r), LINEAGE_MAP);
    assert_int_equal(at(4, OWN, &r), LINEAGE_VOLUME);
    assert_int_equal(at(8, OWN, &r), LINEAGE_MAP);
    assert_int_equal(at(9, OWN, &r), LINEAGE_VOLUME);
    assert_int_equal(at(1, OWN, &r), LINEAGE_VOLUME); /* the physical volume has it too */
    assert_int_equal(at(5, OWN, &r), LINEAGE_NONE);   /* another's volume, */
    assert_int_equal(at(6, OWN, &r), LINEAGE_NONE);   /* and what it is on */
    assert_int_equal(at(7, OWN, &r), LINEAGE_NONE);   /* enciphers what is written */
    assert_int_equal(at(10, OWN, &r), LINEAGE_NONE);  /* a snapshot: what is written there stays there */
    assert_int_equal(at(77, OWN, &r), LINEAGE_NONE);
}

/* The kernel names the file behind a loop device; here it is a node of the volume, which takes root to make.
 */
static void a_loop_device_leads_to_what_is_behind_it(void **state)
{
    struct reached r;
    root = *state;
    const char *node = folder_path(state, "node");
    if (mknod(node, S_IFBLK | 0600, makedev(254, 2)) < 0)
        skip();
    map(2, "vg--0-" UU "_disk", "LVM-abc");
    put(11, "loop/backing_file", node);
    assert_int_equal(at(11, OWN, &r), LINEAGE_VOLUME);
    assert_string_equal(r.lv, U "_disk");
    put(12, "loop/backing_file", "/etc/passwd");
    assert_int_equal(at(12, OWN, &r), LINEAGE_NONE);
}

/* Of what is not there any more. */
static void a_name_tells_where_nothing_else_does(void **state)
{
    struct reached r;
    (void)state;
    assert_int_equal(lineage_of_name("/dev/vg0/" U "_disk.eph0", OWN, &r), LINEAGE_VOLUME);
    assert_string_equal(r.instance, U);
    assert_string_equal(r.vg, "vg0");
    assert_string_equal(r.lv, U "_disk.eph0");
    assert_int_equal(lineage_of_name("/dev/mapper/vg--0-" UU "_disk", OWN, &r), LINEAGE_VOLUME);
    assert_string_equal(r.vg, "vg-0");
    assert_int_equal(lineage_of_name("/dev/mapper/" U "_disk-dmcrypt", OWN, &r), LINEAGE_MAP);
    assert_string_equal(r.lv, U "_disk");
    assert_int_equal(lineage_of_name("/dev/mapper/" U "_disk-dmcrypt", U, &r), LINEAGE_NONE);
    assert_int_equal(lineage_of_name("/srv/vg0/" U "_disk", OWN, &r), LINEAGE_NONE);
    assert_int_equal(lineage_of_name("/dev/" U "_disk", OWN, &r), LINEAGE_NONE);
    assert_int_equal(lineage_of_name("/dev/sda", OWN, &r), LINEAGE_NONE);
    assert_int_equal(lineage_of_name("/run/user/7/mayfly/" U "_disk.swap", OWN, &r), LINEAGE_MAP);
    assert_string_equal(r.instance, U);
    assert_string_equal(r.lv, U "_disk.swap");
    assert_int_equal(lineage_of_name("/run/mayfly/disks/" U "_disk", OWN, &r), LINEAGE_MAP);
    assert_int_equal(lineage_of_name("/run/mayfly/disks/" U "_disk", U, &r), LINEAGE_NONE);
    assert_int_equal(lineage_of_name("/srv/mayfly/disks/" U "_disk", OWN, &r), LINEAGE_NONE);
    assert_int_equal(lineage_of_name("/run/user/7/mayfly/" U "_disk", U, &r), LINEAGE_NONE);
    assert_int_equal(lineage_of_name("/run/user/7/firefly/" U "_disk", OWN, &r), LINEAGE_NONE);
    assert_int_equal(lineage_of_name("/mayfly/" U, OWN, &r), LINEAGE_NONE);
    assert_int_equal(lineage_of_name("", OWN, &r), LINEAGE_NONE);
}

static void a_path_is_told_by_its_folder(void **state)
{
    static const char *const ways[] = {"/a/b/x",      "//a/b/x", "/a//b/x", "/a/./b/x",
                                       "/a/b/../b/x", "/link/x", "/a/b//x"};
    char wanted[PATH_MAX], path[PATH_MAX], field[PATH_MAX], real[PATH_MAX];
    assert_non_null(realpath(*state, real));
    assert_int_equal(mkdir(folder_path(state, "a"), 0700), 0);
    assert_int_equal(mkdir(folder_path(state, "a/b"), 0700), 0);
    assert_int_equal(symlink("a/b", folder_path(state, "link")), 0);
    snprintf(wanted, sizeof wanted, "%.300s/a/b/x", real);
    for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
        snprintf(path, sizeof path, "%s%s", (const char *)*state, ways[i]);
        lineage_plain_path(path, field);
        assert_string_equal(field, wanted);
    }
    lineage_plain_path("/nowhere/./x", field);
    assert_string_equal(field, "/nowhere/./x");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(devices_are_told_by_what_they_are, folder_make, folder_remove),
        cmocka_unit_test_setup_teardown(a_loop_device_leads_to_what_is_behind_it, folder_make, folder_remove),
        cmocka_unit_test(a_name_tells_where_nothing_else_does),
        cmocka_unit_test_setup_teardown(a_path_is_told_by_its_folder, folder_make, folder_remove),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
