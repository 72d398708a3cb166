/* SPDX-License-Identifier: Apache-2.0 */
/* What libvirt's hook does for a domain, over doubles. A call on libvirt from there would wait for ever, so
 * there is none to call. */
#include "instances.h"

#include <stdio.h>
#include <unistd.h>

/* An instance that does not run, and the hook as a new process. */
static void have(struct bench *b, const char *name)
{
    bench_make(b, name, true);
    fake_again(&b->f);
    virt_disconnect(b->f.context.virt);
    b->f.context.virt = NULL;
}

static const char *const *named; /* what the domain names, NULL at the end; NULL: nothing */

static struct hook_domain domain_of(struct bench *b)
{
    struct hook_domain d = {.name = (char *)"a", .ours = true};
    memcpy(d.uuid, b->w->host.volumes[0].v.instance, sizeof d.uuid);
    d.devices = (char **)named;
    while (named && named[d.n_devices])
        d.n_devices++;
    return d;
}

static int prepare(struct bench *b, struct error *e)
{
    struct hook_domain d = domain_of(b);
    return instance_hook_prepare(&b->f.context, &d, e);
}

static int release(struct bench *b, struct error *e)
{
    return instance_hook_release(&b->f.context, b->w->host.volumes[0].v.instance, e);
}

static void lock_by_another(struct bench *b)
{
    struct world_lock *l = &b->w->locks[b->w->n_locks++];
    memcpy(l->uuid, b->w->host.volumes[0].v.instance, sizeof l->uuid);
    l->connection = 1000000;
}

static void test_opens_and_closes(void **state)
{
    struct bench *b = *state;
    struct error e = ERROR_NONE;
    have(b, "a");
    assert_ok(prepare(b, &e), e);
    assert_int_equal(b->w->host.n_maps, 2);
    assert_ok(prepare(b, &e), e);
    assert_int_equal(b->w->host.n_maps, 2);
    assert_ok(release(b, &e), e);
    assert_int_equal(b->w->host.n_maps, 0);
    assert_ok(release(b, &e), e);
}

/* We end before QEMU connects, and what serves the disks must not go by that. */
static void test_served_disks_wait_for_the_guest(void **state)
{
    struct bench *b = *state;
    have(b, "a");
    for (size_t i = 0; i < b->w->host.n_volumes; i++)
        b->w->host.volumes[i].v.engine = ENGINE_USER;
    OK(prepare(b, &e));
    assert_int_equal(b->w->host.n_maps, 2);
    assert_true(b->w->host.maps[0].map.served);
    assert_int_equal(map_use(&b->w->host.maps[0].map), MAP_FOR_START);
    OK(release(b, &e));
    assert_int_equal(b->w->host.n_maps, 0);
}

/* As mayfly start asks libvirt, which asks the hook; and as mayfly stop does. */
static void test_under_anothers_lock(void **state)
{
    struct bench *b = *state;
    struct error e = ERROR_NONE;
    have(b, "a");
    assert_ok(prepare(b, &e), e);
    lock_by_another(b);
    assert_ok(prepare(b, &e), e);
    assert_ok(release(b, &e), e);
    assert_int_equal(b->w->host.n_maps, 2);
}

static void test_no_key(void **state)
{
    struct bench *b = *state;
    struct error e = ERROR_NONE;
    have(b, "a");
    b->w->keys_unreachable = true;
    assert_int_equal(prepare(b, &e), -EHOSTUNREACH);
    assert_int_equal(b->w->host.n_maps, 0);
    e = ERROR_NONE;
    b->w->keys_unreachable = false;
    b->w->host.n_keys = 0;
    assert_int_equal(prepare(b, &e), -ENOKEY);
    assert_int_equal(b->w->host.n_maps, 0);
}

static void test_not_ready(void **state)
{
    struct bench *b = *state;
    struct error e = ERROR_NONE;
    have(b, "a");
    b->w->host.volumes[0].v.state = VOLUME_DOOMED;
    assert_int_equal(prepare(b, &e), -ENEEDSRECOVER);
    assert_int_equal(b->w->host.n_maps, 0);
}

/* A disk that was being added, or removed, when the power went does not keep the others down; unless the
 * definition names it already, or still. */
static void test_other_disk_not_ready(void **state)
{
    struct bench *b = *state;
    struct error e = ERROR_NONE;
    char path[DEVICE_PATH_MAX];
    const char *const devices[] = {"/dev/other", path, NULL};
    have(b, "a");
    b->w->host.volumes[1].v.state = VOLUME_DOOMED;
    assert_ok(prepare(b, &e), e);
    assert_int_equal(b->w->host.n_maps, 1);
    assert_string_equal(b->w->host.maps[0].lv, b->w->host.volumes[0].v.lv);
    assert_ok(release(b, &e), e);
    assert_int_equal(b->w->host.n_maps, 0);

    b->w->host.volumes[1].v.state = VOLUME_BUILDING;
    assert_ok(prepare(b, &e), e);
    assert_ok(release(b, &e), e);
    volume_device_path(&b->w->host.volumes[1].v, path);
    named = devices;
    assert_int_equal(prepare(b, &e), -ENEEDSRECOVER);
    named = NULL;
    assert_int_equal(b->w->host.n_maps, 0);
}

static char added[DEVICE_PATH_MAX]; /* the second disk, as the definition names it */

/* A disk is being added, by another who has the lock: the definition names it, and it is not ready yet. */
static void have_disk_added(struct bench *b)
{
    static const char *const devices[] = {added, NULL};
    struct error e = ERROR_NONE;
    have(b, "a");
    b->w->host.volumes[1].v.state = VOLUME_BUILDING;
    assert_ok(prepare(b, &e), e); /* the others are open */
    volume_device_path(&b->w->host.volumes[1].v, added);
    named = devices;
    lock_by_another(b);
}

static void end_adding(struct world *w)
{
    w->host.volumes[1].v.state = VOLUME_READY;
    w->n_locks = 0;
}

static void test_a_disk_that_is_being_added_is_waited_for(void **state)
{
    struct bench *b = *state;
    struct error e = ERROR_NONE;
    have_disk_added(b);
    b->w->person.at = b->w->calls + 4;
    b->w->person.act = end_adding;
    int r = prepare(b, &e);
    named = NULL;
    assert_ok(r, e);
    assert_int_equal(b->w->host.n_maps, 2);
}

static void test_a_disk_that_stays_unfinished_stops_the_start(void **state)
{
    struct bench *b = *state;
    struct error e = ERROR_NONE;
    have_disk_added(b);
    int r = prepare(b, &e);
    named = NULL;
    assert_error(r, -EBUSY, e);
    assert_non_null(strstr(e.text, "domain a: its disks are being worked on"));
    assert_int_equal(b->w->host.n_maps, 1);
}

/* Who has opened the disks, to look at them, keeps them when a start fails. */
static void test_what_a_person_opened_stays(void **state)
{
    struct bench *b = *state;
    struct error e = ERROR_NONE;
    bool changed = false;
    bench_make(b, "a", true);
    assert_ok(instance_open(&b->f.context, "a", MAP_TO_STAY, &changed, &e), e);
    assert_ok(prepare(b, &e), e);
    assert_ok(release(b, &e), e);
    assert_int_equal(b->w->host.n_maps, 2);
}

/* Disks that a program has opened for its start are as those that the hook opens itself: they are there when
 * the command and its lock have ended, and go with the guest, whoever starts and ends it. */
static void test_what_is_opened_for_a_start_goes_with_the_guest(void **state)
{
    struct bench *b = *state;
    struct error e = ERROR_NONE;
    bool changed = false;
    bench_make(b, "a", true);
    assert_ok(instance_open(&b->f.context, "a", MAP_FOR_START, &changed, &e), e);
    assert_true(changed);
    assert_int_equal(b->w->host.n_maps, 2);
    b->w->keys_unreachable = true; /* the start needs no key any more */
    virt_disconnect(b->f.context.virt);
    b->f.context.virt = NULL;
    assert_ok(prepare(b, &e), e);
    assert_int_equal(b->w->host.n_maps, 2);
    assert_ok(release(b, &e), e);
    assert_int_equal(b->w->host.n_maps, 0);
}

static void test_of_others(void **state)
{
    struct bench *b = *state;
    struct error e = ERROR_NONE;
    struct hook_domain d = {.name = (char *)"web", .uuid = "11111111-1111-4111-8111-111111111111"};
    have(b, "a");
    assert_ok(instance_hook_prepare(&b->f.context, &d, &e), e);
    assert_ok(instance_hook_release(&b->f.context, d.uuid, &e), e);
}

/* The mark is there, and no volume: they are away, or it is a clone, whose disks are other ones. */
static void test_mark_without_volumes(void **state)
{
    struct bench *b = *state;
    struct error e = ERROR_NONE;
    char own[] = "/dev/mapper/11111111-1111-4111-8111-111111111111_disk-dmcrypt", *devices[] = {own};
    struct hook_domain d = {.name = (char *)"web",
                            .uuid = "11111111-1111-4111-8111-111111111111",
                            .ours = true,
                            .devices = devices,
                            .n_devices = 1};
    have(b, "a");
    assert_int_equal(instance_hook_prepare(&b->f.context, &d, &e), -ENOENT);
    assert_non_null(strstr(e.text, "volume group"));
    d.n_devices = 0;
    e = ERROR_NONE;
    assert_int_equal(instance_hook_prepare(&b->f.context, &d, &e), -EUNSAFE);
    assert_non_null(strstr(e.text, "clone"));
    assert_non_null(strstr(e.text, "virsh metadata"));
}

/* Whoever has mounted a disk shall not share it with a guest, whoever has the lock meanwhile. */
static void test_held(void **state)
{
    struct bench *b = *state;
    struct error e = ERROR_NONE;
    have(b, "a");
    assert_ok(prepare(b, &e), e);
    b->w->host.maps[0].held = true;
    assert_error(prepare(b, &e), -EBUSY, e);
    assert_non_null(strstr(e.text, "in use on this host"));
    lock_by_another(b);
    e = ERROR_NONE;
    assert_error(prepare(b, &e), -EBUSY, e);
    b->w->host.maps[0].held = false;
    e = ERROR_NONE;
    assert_ok(prepare(b, &e), e);
}

/* Closing would lose what they hold. */
static void test_ephemeral(void **state)
{
    struct bench *b = *state;
    struct error e = ERROR_NONE;
    strcpy(b->f.config.key_backend, "ephemeral");
    bench_make(b, "a", false);
    fake_again(&b->f);
    b->w->host.domains[0].d.active = false;
    assert_ok(release(b, &e), e);
    assert_int_equal(b->w->host.n_maps, 2);
    assert_ok(prepare(b, &e), e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        bench_test(test_opens_and_closes),
        bench_test(test_served_disks_wait_for_the_guest),
        bench_test(test_under_anothers_lock),
        bench_test(test_no_key),
        bench_test(test_not_ready),
        bench_test(test_of_others),
        bench_test(test_what_is_opened_for_a_start_goes_with_the_guest),
        bench_test(test_mark_without_volumes),
        bench_test(test_held),
        bench_test(test_ephemeral),
        bench_test(test_other_disk_not_ready),
        bench_test(test_a_disk_that_is_being_added_is_waited_for),
        bench_test(test_a_disk_that_stays_unfinished_stops_the_start),
        bench_test(test_what_a_person_opened_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
