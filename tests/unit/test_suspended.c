/* SPDX-License-Identifier: Apache-2.0 */
/* Devices that an lvm which was lost left suspended, or without a volume: which are found, resumed and
 * removed, over device-mapper in memory. */
#include "fake-dm.h"
#include "unit.h"
#include "volume-sample.h"

#include "storage/suspended.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/sysmacros.h>

#define DEVICE "vg0-11111111--1111--4111--8111--111111111111_disk.eph0"
#define OTHER  "vg0-33333333--3333--4333--8333--333333333333_disk"

static const char *const groups[] = {"vg0", "vg1"};
static struct volume v;
static dev_t disk;

static int begin(void **state)
{
    (void)state;
    fake_dm_clear();
    v = sample_volume();
    disk = makedev(8, 0);
    return 0;
}

/* By its name, since others come and go. */
static const char *add(const char *name, dev_t below, bool suspended)
{
    fake_dm_add(name, "LVM-abc", 16384, "linear", below)->suspended = suspended;
    return name;
}

static dev_t device_of(const char *name)
{
    return fake_dm_find(name)->device;
}

static void those_of_our_groups_are_listed(void **state)
{
    (void)state;
    struct suspended *found = NULL;
    size_t n = 9;
    OK(suspended_list(groups, 2, &found, &n, &e));
    assert_int_equal(n, 0);
    free(found);

    add(DEVICE "-real", disk, true);
    add(DEVICE, device_of(DEVICE "-real"), true);
    add(OTHER, disk, false);
    add("vg2-33333333--3333--4333--8333--333333333333_disk", disk, true); /* not configured */
    add("vg1-root", disk, true);                                          /* not ours */
    add("vg1-44444444--4444--4444--8444--444444444444_disk.swap", disk, true);
    fake_dm_add("vg1-55555555--5555--4555--8555--555555555555_disk", "CRYPT-x", 8, "linear", disk)
        ->suspended = true; /* not LVM's */
    for (int filters = 0; filters < 2; filters++) {
        fake_dm.filters = filters;
        OK(suspended_list(groups, 2, &found, &n, &e));
        assert_int_equal(n, 2);
        assert_string_equal(found[0].vg, "vg0");
        assert_string_equal(found[0].lv, v.lv);
        assert_string_equal(found[1].vg, "vg1");
        assert_string_equal(found[1].lv, "44444444-4444-4444-8444-444444444444_disk.swap");
        free(found);
    }
}

static void a_volume_is_suspended_by_its_own_device(void **state)
{
    (void)state;
    assert_false(suspended_is(&v));
    add(DEVICE "-real", disk, true);
    add(DEVICE, device_of(DEVICE "-real"), false);
    add(OTHER, disk, true);
    assert_false(suspended_is(&v));
    fake_dm_find(DEVICE)->suspended = true;
    assert_true(suspended_is(&v));
    fake_dm.absent = true; /* what cannot be seen may be */
    fake_dm_find(DEVICE)->suspended = false;
    assert_true(suspended_is(&v));
}

/* A table that was loaded and never used would be used by the next resume. */
static void what_was_never_in_use_is_dropped(void **state)
{
    (void)state;
    add(DEVICE, disk, true);
    add(OTHER, disk, true);
    fake_dm_find(DEVICE)->next = fake_dm_find(OTHER)->next = fake_dm_find(DEVICE)->live;
    add(DEVICE "-cow", disk, true);
    fake_dm_find(DEVICE "-cow")->live.there = false;
    OK(suspended_clear(&v, &e));
    assert_false(fake_dm_find(DEVICE)->next.there);
    assert_true(fake_dm_find(DEVICE)->suspended && fake_dm_find(DEVICE)->live.there);
    assert_true(fake_dm_find(OTHER)->next.there);
    assert_null(fake_dm_find(DEVICE "-cow"));
}

static void what_has_a_table_is_resumed(void **state)
{
    (void)state;
    add(DEVICE "-real", disk, true);
    add(DEVICE, device_of(DEVICE "-real"), true);
    add(DEVICE "-cow", disk, true);
    add(OTHER, disk, true);
    OK(suspended_resume(&v, &e));
    assert_false(fake_dm_find(DEVICE)->suspended);
    assert_false(fake_dm_find(DEVICE "-real")->suspended); /* it is held by the volume, and stays */
    assert_null(fake_dm_find(DEVICE "-cow"));              /* a left-over */
    assert_true(fake_dm_find(OTHER)->suspended);

    fake_dm_find(DEVICE)->suspended = true;
    fake_dm_find(DEVICE)->live.there = false; /* nothing could be read from it */
    OK(suspended_resume(&v, &e));
    assert_true(fake_dm_find(DEVICE)->suspended);
}

static void devices_without_a_volume_are_removed_from_above(void **state)
{
    (void)state;
    add(DEVICE "-real", disk, false);
    add(DEVICE "-cow", disk, false);
    add(DEVICE, device_of(DEVICE "-real"), false);
    add(OTHER, disk, false);
    OK(suspended_remove(&v, &e));
    assert_int_equal(fake_dm.n_devices, 1);
    OK(suspended_remove(&v, &e)); /* there is none any more */

    add(DEVICE "-real", disk, false);
    add(DEVICE, device_of(DEVICE "-real"), false);
    fake_dm_find(DEVICE)->held = 1;
    REFUSED_WITH(-EBUSY, "belongs to no volume, and cannot be removed", suspended_remove(&v, &e));
    assert_non_null(fake_dm_find(DEVICE));
    assert_non_null(fake_dm_find(DEVICE "-real"));
}

static const char *failing;
static bool fails(const char *request)
{
    return streq(request, failing);
}

static void what_device_mapper_refuses_is_told(void **state)
{
    (void)state;
    struct suspended *found = NULL;
    size_t n = 0;
    add(DEVICE, disk, true);
    fake_dm.fails = fails;
    failing = "clear";
    REFUSED_WITH(-EBUSY, "keeps a table that was never in use: clear of", suspended_clear(&v, &e));
    failing = "resume";
    REFUSED_WITH(-EBUSY, "stays suspended: resume of", suspended_resume(&v, &e));
    failing = "list";
    REFUSED_WITH(-EIO, "cannot be listed: list of", suspended_list(groups, 2, &found, &n, &e));
    REFUSED_WITH(-EIO, "cannot be listed", suspended_clear(&v, &e));
    REFUSED_WITH(-EIO, "cannot be listed", suspended_resume(&v, &e));
    REFUSED_WITH(-EIO, "cannot be listed", suspended_remove(&v, &e));
    fake_dm.absent = true;
    REFUSED_WITH(-ENODEV, "no device-mapper", suspended_list(groups, 2, &found, &n, &e));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, begin)
    const struct CMUnitTest tests[] = {
        TEST(those_of_our_groups_are_listed),
        TEST(a_volume_is_suspended_by_its_own_device),
        TEST(what_was_never_in_use_is_dropped),
        TEST(what_has_a_table_is_resumed),
        TEST(devices_without_a_volume_are_removed_from_above),
        TEST(what_device_mapper_refuses_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
