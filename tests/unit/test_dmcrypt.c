/* SPDX-License-Identifier: Apache-2.0 */
/* Maps of dm-crypt over device-mapper, udevd and a key ring in memory: what they lead to, whose they are,
 * what stays of the key, and that each request may fail. */
#include "fail-once.h"
#include "fake-dm.h"
#include "unit.h"
#include "volume-sample.h"

#include "storage/dm.h"
#include "storage/dmcrypt.h"

#include <stdio.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define SECTORS UINT64_C(16384)

static struct volume v;
static struct secret *key;
static char map_name[MAP_NAME_MAX], uuid[MAP_UUID_MAX], opened_uuid[MAP_UUID_MAX];
static struct map_options options;

static int begin(void **state)
{
    (void)state;
    fake_dm_clear();
    v = sample_volume();
    v.size_bytes = SECTORS * 512;
    volume_map_name(&v, map_name);
    snprintf(uuid, sizeof uuid, "MAYFLY-%s", v.disk);
    snprintf(opened_uuid, sizeof opened_uuid, "MAYFLY-%s-opened", v.disk);
    struct fake_dm_device *below = fake_dm_add("vg0-root", "LVM-abc", SECTORS, "linear", makedev(8, 0));
    options = (struct map_options){.below = below->device};
    fail_at = calls = 0;
    return 0;
}

static int end(void **state)
{
    (void)state;
    dm_settle();
    return 0;
}

static int make_key(void **state)
{
    (void)state;
    struct error e = ERROR_NONE;
    return secret_random(64, &key, &e);
}

static int wipe_key(void **state)
{
    (void)state;
    key = secret_free(key);
    return 0;
}

static bool was_open;

static int open_map(struct error *e)
{
    return dmcrypt_open(&v, key, &options, &was_open, e);
}

static struct fake_dm_device *the_map(void)
{
    return fake_dm_find(map_name);
}

#define OPEN()                                                                                               \
    do {                                                                                                     \
        OK(open_map(&e));                                                                                    \
        assert_false(was_open);                                                                              \
    } while (0)
#define FIND_OPEN()                                                                                          \
    do {                                                                                                     \
        OK(open_map(&e));                                                                                    \
        assert_true(was_open);                                                                               \
    } while (0)

/* ---- opening ---- */

static void a_map_is_dm_crypt_over_its_volume(void **state)
{
    (void)state;
    char wanted[300];
    OPEN();
    const struct fake_dm_device *m = the_map();
    assert_non_null(m);
    assert_string_equal(m->uuid, uuid);
    assert_string_equal(m->live.type, "crypt");
    snprintf(wanted, sizeof wanted,
             "aes-xts-plain64 :64:logon:mayfly:%s 0 %u:%u 0 2 sector_size:4096 iv_large_sectors", v.disk,
             major(options.below), minor(options.below));
    assert_string_equal(m->live.params, wanted);
    assert_int_equal(m->live.sectors, SECTORS);
    assert_int_equal(m->live.key_bytes, 64);
    assert_memory_equal(m->live.key, secret_peek(key), 64);
    assert_false(m->live.read_only);
    assert_true(m->node);
    assert_true(dmcrypt_version() == CRYPT_VERSION(1, 24));
}

static void as_its_options_say(void **state)
{
    (void)state;
    options.use = MAP_TO_STAY;
    options.read_only = options.plain_iv = true;
    options.flags = CRYPT_ALLOW_DISCARDS;
    OPEN();
    assert_string_equal(the_map()->uuid, opened_uuid);
    assert_true(the_map()->live.read_only);
    assert_non_null(strstr(the_map()->live.params, " 0 2 sector_size:4096 allow_discards"));
}

/* For a start: the uuid has the time in it, and is this disk's whatever the time. */
static void for_a_start_that_follows(void **state)
{
    (void)state;
    options.use = MAP_FOR_START;
    OPEN();
    struct map m = {.read_only = false};
    memcpy(m.uuid, the_map()->uuid, sizeof m.uuid);
    assert_true(map_uuid_is_of(m.uuid, v.disk) && map_awaits_start(&m, START_WITHIN_SEC));
    memcpy(the_map()->uuid + strlen(the_map()->uuid) - 8, "0000002a", 8);
    options.use = MAP_FOR_DOMAIN;
    FIND_OPEN();
    memcpy(the_map()->uuid + strlen(the_map()->uuid) - 8, "0000002x", 8);
    REFUSED_WITH(-EUNSAFE, "which is not this disk's", open_map(&e));
}

/* A logon key can be read back by nobody, and this one cannot be found either. */
static void no_key_stays_in_the_ring(void **state)
{
    (void)state;
    bool changed = false;
    OPEN();
    assert_int_equal(fake_dm.n_keys, 1);
    assert_string_equal(fake_dm.keys[0].type, "logon");
    assert_int_equal(fake_dm_keys_left(), 0);
    options.flags = CRYPT_ALLOW_DISCARDS;
    OK(dmcrypt_tune(&v, key, &options, &changed, &e));
    assert_int_equal(fake_dm.n_keys, 2);
    assert_int_equal(fake_dm_keys_left(), 0);
}

static void a_full_ring_is_told(void **state)
{
    (void)state;
    fake_dm.ring_full = true;
    REFUSED_WITH(-EDQUOT, "see /proc/sys/kernel/keys", open_map(&e));
    fake_dm.ring_full = false;
    fake_dm.fails = fails;
    for (fail_at = 1; !the_map() && fail_at < 99; fail_at++) {
        struct error e = ERROR_NONE;
        calls = 0;
        failed = NULL;
        int r = open_map(&e);
        if (failed && streq(failed, "add_key")) {
            assert_int_equal(r, -ENOMEM);
            assert_null(strstr(e.text, "maxkeys"));
        }
    }
}

static void what_is_open_is_open(void **state)
{
    (void)state;
    OPEN();
    const struct fake_dm_table before = the_map()->live;
    FIND_OPEN();
    options.use = MAP_TO_STAY;
    FIND_OPEN();
    options.read_only = true;
    REFUSED_WITH(-EBUSY, "is open for writing", open_map(&e));
    assert_memory_equal(&before, &the_map()->live, sizeof before);
    assert_int_equal(fake_dm.n_keys, 1);
    the_map()->live.read_only = true;
    FIND_OPEN();
    options.read_only = false;
    REFUSED_WITH(-EBUSY, "is open read-only", open_map(&e));
    assert_true(the_map()->live.read_only);
}

static void a_map_grows_with_its_volume(void **state)
{
    (void)state;
    options.read_only = true;
    OPEN();
    fake_dm_find("vg0-root")->live.more_sectors = 8192;
    FIND_OPEN();
    assert_int_equal(the_map()->live.sectors, SECTORS + 8192);
    assert_true(the_map()->live.read_only);
    assert_false(the_map()->next.there);
    assert_int_equal(fake_dm_keys_left(), 0);
    fake_dm_find("vg0-root")->live.more_sectors = 0; /* who has made it shorter? */
    FIND_OPEN();
    assert_int_equal(the_map()->live.sectors, SECTORS + 8192);
}

static void a_volume_is_a_device_of_lvm(void **state)
{
    (void)state;
    strcpy(fake_dm_find("vg0-root")->uuid, "CRYPT-x");
    REFUSED_WITH(-EUNSAFE, "not LVM's", open_map(&e));
    fake_dm_find("vg0-root")->uuid[0] = '\0';
    REFUSED_WITH(-EUNSAFE, "not LVM's", open_map(&e));
    options.below = makedev(FAKE_DM_MAJOR, 77);
    REFUSED_WITH(-ENOENT, "has no device", open_map(&e));
    assert_null(the_map());
    assert_int_equal(fake_dm.n_keys, 0);
}

/* ---- what is somebody else's ---- */

static dev_t another_volume(void)
{
    return fake_dm_add("vg0-another", "LVM-def", SECTORS, "linear", makedev(8, 0))->device;
}

/* Whatever was there is there, as it was. */
static void left_alone(const char *words, const char *name, const char *its_uuid, dev_t below)
{
    struct fake_dm_device before = *fake_dm_add(name, its_uuid, 8, "linear", below);
    REFUSED_WITH(-EUNSAFE, words, open_map(&e));
    assert_memory_equal(&before, fake_dm_find(name), sizeof before);
    assert_int_equal(fake_dm.n_keys, 0);
    dm_remove_map(name);
}

static void a_foreign_map_is_left_alone(void **state)
{
    (void)state;
    dev_t another = another_volume();
    left_alone("is not this disk's", map_name, "CRYPT-PLAIN-x", options.below);
    left_alone("is not this disk's", map_name, "", options.below);
    left_alone("is not this disk's", map_name, "MAYFLY-33333333-3333-4333-8333-333333333333", options.below);
    left_alone("map elsewhere has the uuid", "elsewhere", uuid, options.below);
    left_alone("map elsewhere has the uuid", "elsewhere", opened_uuid, options.below);
    left_alone("leads to another device", map_name, uuid, another);
    left_alone("leads to another device", map_name, opened_uuid, another);
    left_alone("leads to another device", map_name, uuid, 0);
}

/* Its mark has a time in it, so that device-mapper cannot be asked for its uuid. */
static void a_map_for_a_start_has_the_uuid_too(void **state)
{
    (void)state;
    char for_start[MAP_UUID_MAX];
    map_uuid_make(v.disk, MAP_FOR_START, for_start);
    left_alone("map elsewhere has the uuid", "elsewhere", for_start, options.below);
    fake_dm_add("elsewhere", for_start, 8, "linear", another_volume());
    fake_dm_add("nobodys", "CRYPT-PLAIN-x", 8, "linear", options.below);
    OPEN();
}

static void over_two_devices_it_is_not_ours(void **state)
{
    (void)state;
    struct fake_dm_device *m = fake_dm_add(map_name, uuid, 8, "linear", options.below);
    m->live.below[1] = another_volume();
    REFUSED_WITH(-EUNSAFE, "leads to another device", open_map(&e));
}

static void what_was_half_made_is_made(void **state)
{
    (void)state;
    fake_dm_add(map_name, uuid, 0, "", 0)->live.there = false;
    OPEN();
    assert_string_equal(the_map()->live.type, "crypt");
    dm_remove_map(map_name);

    struct fake_dm_device *m = fake_dm_add(map_name, uuid, 0, "", 0);
    m->live.there = false;
    m->held = 1; /* somebody is at it */
    REFUSED_WITH(-EUNSAFE, "leads to another device", open_map(&e));
    assert_true(the_map()->held == 1 && !the_map()->live.there);
}

static bool removal_fails(const char *request)
{
    return streq(request, "remove");
}

static void or_it_is_told_that_it_cannot(void **state)
{
    (void)state;
    fake_dm_add(map_name, uuid, 0, "", 0)->live.there = false;
    fake_dm.fails = removal_fails;
    REFUSED_WITH(-EBUSY, "half made", open_map(&e));
}

/* ---- tuning ---- */

static void tuning_changes_flags_alone(void **state)
{
    (void)state;
    bool changed = true;
    REFUSED_WITH(-ENOENT, "is not open", dmcrypt_tune(&v, key, &options, &changed, &e));
    options.use = MAP_TO_STAY;
    OPEN();
    OK(dmcrypt_tune(&v, key, &options, &changed, &e));
    assert_false(changed);
    options.flags = CRYPT_NO_WORKQUEUES;
    options.read_only = true; /* which says nothing of a map that is there */
    OK(dmcrypt_tune(&v, key, &options, &changed, &e));
    assert_true(changed);
    assert_non_null(strstr(the_map()->live.params, "no_read_workqueue no_write_workqueue"));
    assert_memory_equal(the_map()->live.key, secret_peek(key), 64);
    assert_false(the_map()->live.read_only || the_map()->next.there || the_map()->suspended);
    assert_string_equal(the_map()->uuid, opened_uuid);
}

static void a_map_never_becomes_shorter(void **state)
{
    (void)state;
    bool changed = false;
    OPEN();
    the_map()->live.sectors = SECTORS + 8;
    options.flags = CRYPT_ALLOW_DISCARDS;
    REFUSED_WITH(-EUNSAFE, "longer than its volume", dmcrypt_tune(&v, key, &options, &changed, &e));
    assert_int_equal(the_map()->live.sectors, SECTORS + 8);
    the_map()->live.sectors = SECTORS - 8;
    options.flags = 0;
    OK(dmcrypt_tune(&v, key, &options, &changed, &e));
    assert_true(changed);
    assert_int_equal(the_map()->live.sectors, SECTORS);
}

static void a_table_that_is_not_taken_goes(void **state)
{
    (void)state;
    bool changed = false;
    OPEN();
    const struct fake_dm_table before = the_map()->live;
    options.flags = CRYPT_ALLOW_DISCARDS;
    v.key_bits = 384; /* the kernel knows no such */
    REFUSED_WITH(-EINVAL, "another table", dmcrypt_tune(&v, key, &options, &changed, &e));
    assert_memory_equal(&before, &the_map()->live, sizeof before);
    assert_false(the_map()->next.there || the_map()->suspended);
    assert_int_equal(fake_dm_keys_left(), 0);
}

static bool nothing_is_changed(const char *request)
{
    return streq(request, "reload") || streq(request, "clear") || streq(request, "resume");
}

/* Nothing more can be done about it than to say so; the map goes on with the table that it has. */
static void a_map_that_cannot_be_changed_stays(void **state)
{
    (void)state;
    bool changed = false;
    OPEN();
    const struct fake_dm_table before = the_map()->live;
    options.flags = CRYPT_ALLOW_DISCARDS;
    fake_dm.fails = nothing_is_changed;
    REFUSED_WITH(-EIO, "cannot be given another table: reload of",
                 dmcrypt_tune(&v, key, &options, &changed, &e));
    assert_memory_equal(&before, &the_map()->live, sizeof before);
    assert_int_equal(fake_dm_keys_left(), 0);
}

/* ---- closing and looking ---- */

static void ours_are_closed(void **state)
{
    (void)state;
    OK(dmcrypt_close(map_name, SETTLE_NOW, &e));
    OPEN();
    OK(dmcrypt_close(map_name, SETTLE_NOW, &e));
    assert_null(the_map());
    assert_int_equal(fake_dm.now_msec, 0);
    fake_dm_add(map_name, "CRYPT-PLAIN-x", 8, "zero", 0);
    REFUSED_WITH(-EUNSAFE, "left alone", dmcrypt_close(map_name, SETTLE_NOW, &e));
    REFUSED_WITH(-EUNSAFE, "left alone", dmcrypt_find(map_name, &(struct map){.name = ""}, &e));
    assert_non_null(the_map());
}

static void a_holder_is_waited_for(void **state)
{
    (void)state;
    OPEN();
    the_map()->held = 2;
    REFUSED_WITH(-EBUSY, "held open 2 times", dmcrypt_close(map_name, SETTLE_NOW, &e));
    assert_in_range(fake_dm.now_msec, 5000, 15000);
    assert_non_null(the_map());
    the_map()->held_msec = fake_dm.now_msec + 300;
    OK(dmcrypt_close(map_name, SETTLE_NOW, &e));
    assert_null(the_map());
}

static void who_holds_it_is_named(void **state)
{
    (void)state;
    OPEN();
    fake_dm_add("on-it", "CRYPT-LUKS2-x", 8, "linear", the_map()->device);
    REFUSED_WITH(-EBUSY, "held open 1 times by map on-it; see lsblk",
                 dmcrypt_close(map_name, SETTLE_NOW, &e));
}

static bool it_goes_by_itself(const char *request)
{
    if (!streq(request, "remove"))
        return false;
    struct fake_dm_device *m = the_map();
    if (m)
        *m = fake_dm.devices[--fake_dm.n_devices];
    return true;
}

static void what_another_closed_is_closed(void **state)
{
    (void)state;
    OPEN();
    fake_dm.fails = it_goes_by_itself;
    OK(dmcrypt_close(map_name, SETTLE_NOW, &e));
}

static void ours_are_listed(void **state)
{
    (void)state;
    struct map found = {.name = ""};
    REFUSED_WITH(-ENOENT, "is not open", dmcrypt_find(map_name, &found, &e));
    fake_dm_add("a", "CRYPT-PLAIN-MAYFLY-", 8, "zero", 0);
    options.flags = CRYPT_ALLOW_DISCARDS;
    options.read_only = true;
    OPEN();
    the_map()->held = 3;
    for (int filters = 0; filters < 2; filters++) {
        struct map *maps = NULL;
        size_t n = 0;
        fake_dm.filters = filters;
        OK(dmcrypt_list(&maps, &n, &e));
        assert_int_equal(n, 1);
        assert_string_equal(maps[0].name, map_name);
        assert_string_equal(maps[0].uuid, uuid);
        assert_int_equal(maps[0].size_bytes, SECTORS * 512);
        assert_int_equal(maps[0].flags, CRYPT_ALLOW_DISCARDS);
        assert_true(maps[0].open_count == 3 && maps[0].read_only);
        OK(dmcrypt_find(map_name, &found, &e));
        assert_memory_equal(&found, &maps[0], sizeof found);
        free(maps);
    }
}

static void a_strange_name_is_told(void **state)
{
    (void)state;
    struct map *maps = NULL;
    size_t n = 0;
    char name[MAP_NAME_MAX + 8];
    memset(name, 'a', sizeof name);
    name[MAP_NAME_MAX + 1] = '\0';
    fake_dm_add(name, uuid, 8, "zero", 0);
    REFUSED_WITH(-EUNSAFE, "but another name", dmcrypt_list(&maps, &n, &e));
    assert_null(maps);
}

static void a_map_leads_to_what_it_leads_to(void **state)
{
    (void)state;
    assert_false(dmcrypt_leads_to(map_name, -1));
    assert_false(dmcrypt_leads_to(map_name, STDIN_FILENO));
}

/* ---- udevd ---- */

static void what_guests_write_is_not_probed(void **state)
{
    (void)state;
    fake_dm.udevd = true;
    OPEN();
    assert_true(the_map()->node);
    assert_false(the_map()->probed);
    assert_int_equal(fake_dm.cookies, 0);
    assert_true(fake_dm.now_msec > 0 && fake_dm.now_msec < 1000);
}

static void several_are_waited_for_at_once(void **state)
{
    (void)state;
    struct volume w = v;
    char other_name[MAP_NAME_MAX];
    strcpy(w.lv, "11111111-1111-4111-8111-111111111111_disk.eph1");
    strcpy(w.disk, "33333333-3333-4333-8333-333333333333");
    volume_map_name(&w, other_name);
    fake_dm.udevd = true;
    options.settle = SETTLE_LATER;
    OPEN();
    struct map_options others = options;
    others.below = another_volume();
    OK(dmcrypt_open(&w, key, &others, &was_open, &e));
    assert_false(the_map()->node || fake_dm_find(other_name)->node);
    assert_int_equal(fake_dm.cookies, 1);
    assert_int_equal(fake_dm.now_msec, 0);
    dmcrypt_settle();
    assert_true(the_map()->node && fake_dm_find(other_name)->node);
    assert_int_equal(fake_dm.cookies, 0);
    OK(dmcrypt_check_node(&v, &e));
    OK(dmcrypt_check_node(&w, &e));

    OK(dmcrypt_close(map_name, SETTLE_LATER, &e));
    assert_int_equal(fake_dm.cookies, 1);
    OK(dmcrypt_close(other_name, SETTLE_NOW, &e));
    assert_int_equal(fake_dm.cookies, 0);
    REFUSED_WITH(-ENOENT, "is gone", dmcrypt_check_node(&v, &e));
}

/* A node that is not there would be made as a file, one that leads elsewhere would be written to. */
static void a_map_without_a_node_is_closed_again(void **state)
{
    (void)state;
    fake_dm.udevd = fake_dm.udevd_stuck = true;
    REFUSED_WITH(-ENXIO, "does not lead to it", open_map(&e));
    assert_null(the_map());
    assert_in_range(fake_dm.now_msec, 30000, 90000); /* for the map, and for the one that is closed */
    assert_int_equal(fake_dm.cookies, 0);            /* of which a host has few */

    options.settle = SETTLE_LATER;
    OPEN();
    dmcrypt_settle();
    REFUSED_WITH(-ENXIO, "does not lead to it", dmcrypt_check_node(&v, &e));
    assert_null(the_map());
    fake_dm.udevd_stuck = false;
    options.settle = SETTLE_NOW;
    fake_dm.node_elsewhere = options.below;
    REFUSED_WITH(-ENXIO, "does not lead to it", open_map(&e));
    assert_null(the_map());
}

/* ---- what the kernel lacks, and what fails ---- */

static void a_kernel_without_it_is_told(void **state)
{
    (void)state;
    struct map *maps = NULL;
    size_t n = 0;
    struct map found;
    bool changed;
    fake_dm.no_crypt = true;
    REFUSED_WITH(-ENODEV, "has no dm-crypt", open_map(&e));
    assert_true(dmcrypt_version() == 0);
    fake_dm.absent = true;
    REFUSED_WITH(-ENODEV, "has no device", open_map(&e));
    REFUSED_WITH(-ENODEV, "has no device", dmcrypt_tune(&v, key, &options, &changed, &e));
    REFUSED_WITH(-ENODEV, "no device-mapper", dmcrypt_list(&maps, &n, &e));
    REFUSED_WITH(-ENODEV, "no device-mapper", dmcrypt_find(map_name, &found, &e));
    REFUSED_WITH(-ENODEV, "no device-mapper", dmcrypt_close(map_name, SETTLE_NOW, &e));
    assert_true(dmcrypt_version() == 0);
}

static void what_it_cannot_make_is_told(void **state)
{
    (void)state;
    v.key_bits = 384;
    REFUSED_WITH(-EOPNOTSUPP,
                 "cannot be made of aes-xts-plain64, 384 bits, 4096-byte sectors: ", open_map(&e));
    assert_null(the_map());
    assert_int_equal(fake_dm_keys_left(), 0);
}

static int tune(struct error *e)
{
    bool changed = false;
    options.flags = CRYPT_ALLOW_DISCARDS;
    int r = dmcrypt_tune(&v, key, &options, &changed, e);
    options.flags = 0;
    return r;
}

static int close_map(struct error *e)
{
    return dmcrypt_close(map_name, SETTLE_NOW, e);
}

static int find(struct error *e)
{
    return dmcrypt_find(map_name, &(struct map){.name = ""}, e);
}

static int list(struct error *e)
{
    struct map *maps = NULL;
    size_t n = 0;
    int r = dmcrypt_list(&maps, &n, e);
    assert_true(r < 0 ? !maps : n == 1);
    free(maps);
    return r;
}

static int check(struct error *e)
{
    return dmcrypt_check_node(&v, e);
}

static void half_made(void)
{
    fake_dm_add(map_name, uuid, 0, "", 0)->live.there = false;
}

static void is_open(void)
{
    OPEN();
}

static void nothing(void)
{
}

/* No request fails unseen; none leaves a key, nor a map where none is to be, nor a map of another table. */
static bool with_failure(void (*prepare)(void), int (*act)(struct error *e), unsigned n)
{
    struct error e = ERROR_NONE;
    begin(NULL);
    fake_dm.udevd = true;
    options.read_only = true;
    prepare();
    const struct fake_dm_table before = the_map() ? the_map()->live : (struct fake_dm_table){.there = false};
    failed = NULL;
    calls = 0;
    fake_dm.fails = fails;
    fail_at = n;
    int r = act(&e);
    fail_at = 0;
    assert_int_equal(fake_dm_keys_left(), 0);
    dmcrypt_settle(); /* as at the end of each connection */
    assert_int_equal(fake_dm.cookies, 0);
    if (!failed)
        assert_ok(r, e);
    if (r < 0) {
        const struct fake_dm_device *m = the_map();
        assert_true(e.errnum == r && e.text[0]);
        bool as_before = before.there ? m && !m->next.there && !m->suspended &&
                                            memcmp(&before, &m->live, sizeof before) == 0
                                      : !m || !m->live.there;
        if (!as_before)
            fail_msg("with request %u, %s, failing (%s) the map is another", n, failed, e.text);
        fake_dm.fails = NULL;
        e = ERROR_NONE;
        assert_ok(act(&e), e);
    }
    return failed;
}

static void no_failure_leaves_anything(void **state)
{
    (void)state;
    static const struct {
        void (*prepare)(void);
        int (*act)(struct error *e);
    } acts[] = {{nothing, open_map}, {half_made, open_map}, {is_open, tune}, {is_open, close_map},
                {is_open, find},     {is_open, list},       {is_open, check}};
    for (size_t i = 0; i < ARRAY_SIZE(acts); i++)
        FAIL_EACH_CALL(with_failure(acts[i].prepare, acts[i].act, n));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(a_map_is_dm_crypt_over_its_volume),
        TEST(as_its_options_say),
        TEST(for_a_start_that_follows),
        TEST(no_key_stays_in_the_ring),
        TEST(a_full_ring_is_told),
        TEST(what_is_open_is_open),
        TEST(a_map_grows_with_its_volume),
        TEST(a_volume_is_a_device_of_lvm),
        TEST(a_foreign_map_is_left_alone),
        TEST(a_map_for_a_start_has_the_uuid_too),
        TEST(over_two_devices_it_is_not_ours),
        TEST(what_was_half_made_is_made),
        TEST(or_it_is_told_that_it_cannot),
        TEST(tuning_changes_flags_alone),
        TEST(a_map_never_becomes_shorter),
        TEST(a_table_that_is_not_taken_goes),
        TEST(a_map_that_cannot_be_changed_stays),
        TEST(ours_are_closed),
        TEST(a_holder_is_waited_for),
        TEST(who_holds_it_is_named),
        TEST(what_another_closed_is_closed),
        TEST(ours_are_listed),
        TEST(a_strange_name_is_told),
        TEST(a_map_leads_to_what_it_leads_to),
        TEST(what_guests_write_is_not_probed),
        TEST(several_are_waited_for_at_once),
        TEST(a_map_without_a_node_is_closed_again),
        TEST(a_kernel_without_it_is_told),
        TEST(what_it_cannot_make_is_told),
        TEST(no_failure_leaves_anything),
    };
    return cmocka_run_group_tests(tests, make_key, wipe_key);
}
