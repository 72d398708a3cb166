/* SPDX-License-Identifier: Apache-2.0 */
/* What changes an instance that is there: reboot, resize, rebuild. */
#include "instances.h"

#define assert_refused(errnum, words, call)                                                                  \
    do {                                                                                                     \
        e = ERROR_NONE;                                                                                      \
        assert_error((call), (errnum), e);                                                                   \
        assert_non_null(strstr(e.text, (words)));                                                            \
        e = ERROR_NONE;                                                                                      \
    } while (0)

static bool active(const struct bench *b)
{
    return b->w->host.domains[0].d.active;
}

static void test_reboot_of_what_runs(void **state)
{
    struct bench *b = *state;
    struct error e = ERROR_NONE;
    bool changed = false;

    bench_make(b, "a", true);
    assert_refused(-EINVAL, "does not run", instance_reboot(&b->f.context, "a", false, &changed, &e));
    assert_false(changed);
    assert_ok(instance_reboot(&b->f.context, "a", true, &changed, &e), e);
    assert_true(changed && active(b));
    assert_ok(instance_reboot(&b->f.context, "a", false, &changed, &e), e);
    assert_true(active(b));
}

static void test_hard_reboot_wants_its_key_first(void **state)
{
    struct bench *b = *state;
    struct error e = ERROR_NONE;
    bool changed = false;

    bench_make(b, "a", false);
    b->w->keys_unreachable = true;
    assert_refused(-EHOSTUNREACH, "", instance_reboot(&b->f.context, "a", true, &changed, &e));
    assert_true(active(b));
    assert_int_equal(b->w->host.n_maps, 2);
    b->w->keys_unreachable = false;
    assert_ok(instance_reboot(&b->f.context, "a", true, &changed, &e), e);
    assert_true(active(b));
}

static void test_hard_reboot_opens_anew(void **state)
{
    struct bench *b = *state;
    struct error e = ERROR_NONE;
    bool changed = false;

    bench_make(b, "a", true);
    assert_ok(instance_open(&b->f.context, "a", MAP_TO_STAY, &changed, &e), e);
    assert_ok(instance_start(&b->f.context, "a", &changed, &e), e);
    assert_true(str_ends(b->w->host.maps[0].map.uuid, MAP_UUID_OPENED));
    assert_ok(instance_reboot(&b->f.context, "a", true, &changed, &e), e);
    assert_int_equal(b->w->host.n_maps, 2);
    assert_false(str_ends(b->w->host.maps[0].map.uuid, MAP_UUID_OPENED));
}

static int resize(struct bench *b, const char *role, uint64_t size_bytes, bool *ret_changed, struct error *e)
{
    const struct resize_request q = {.role = role, .size_bytes = size_bytes};
    return instance_resize(&b->f.context, "a", &q, ret_changed, NULL, e);
}

/* Of who opens for longer the mark stays, or comes; and a start that follows has its time. */
static void test_open_for_start(void **state)
{
    struct bench *b = *state;
    const struct world_map *maps = b->w->host.maps;
    struct error e = ERROR_NONE;
    bool changed = false;
    char before[MAP_UUID_MAX];

    bench_make(b, "a", true);
    assert_ok(instance_open(&b->f.context, "a", MAP_FOR_START, &changed, &e), e);
    assert_int_equal(map_uuid_use(maps[0].map.uuid), MAP_FOR_START);
    memcpy(before, maps[0].map.uuid, sizeof before);
    assert_ok(instance_open(&b->f.context, "a", MAP_FOR_START, &changed, &e), e);
    assert_false(changed);
    assert_string_equal(maps[0].map.uuid, before);
    b->w->keys_unreachable = true; /* who cannot open them leaves them to who could */
    assert_refused(-EHOSTUNREACH, "cannot be reached",
                   instance_open(&b->f.context, "a", MAP_TO_STAY, &changed, &e));
    b->w->keys_unreachable = false;
    e = ERROR_NONE;
    assert_int_equal(b->w->host.n_maps, 2);
    assert_string_equal(maps[0].map.uuid, before);
    bench_age_maps(b, START_WITHIN_SEC / 2 + 1);
    assert_ok(instance_open(&b->f.context, "a", MAP_FOR_START, &changed, &e), e);
    assert_true(changed && map_awaits_start(&maps[0].map, START_WITHIN_SEC / 2));

    assert_ok(instance_open(&b->f.context, "a", MAP_TO_STAY, &changed, &e), e);
    assert_true(changed && str_ends(maps[0].map.uuid, MAP_UUID_OPENED));
    assert_ok(instance_open(&b->f.context, "a", MAP_READ_ONLY, &changed, &e), e);
    assert_ok(instance_open(&b->f.context, "a", MAP_FOR_START, &changed, &e), e);
    assert_true(changed && !maps[0].map.read_only);
    assert_int_equal(map_uuid_use(maps[0].map.uuid), MAP_FOR_START);

    b->w->keys_unreachable = true; /* a start takes them as they are */
    assert_ok(instance_start(&b->f.context, "a", &changed, &e), e);
    assert_refused(-EBUSY, "it runs", instance_open(&b->f.context, "a", MAP_FOR_START, &changed, &e));
    assert_ok(instance_stop(&b->f.context, "a", 1, true, &changed, &e), e);
    assert_int_equal(b->w->host.n_maps, 0);
}

/* Only to look: so a start does not take such maps, but opens its disks anew. */
static void test_open_read_only(void **state)
{
    struct bench *b = *state;
    const struct world_map *maps = b->w->host.maps;
    struct error e = ERROR_NONE;
    bool changed = false;

    bench_make(b, "a", true);
    assert_ok(instance_open(&b->f.context, "a", MAP_READ_ONLY, &changed, &e), e);
    assert_true(maps[0].map.read_only && maps[1].map.read_only);
    assert_true(str_ends(maps[0].map.uuid, MAP_UUID_OPENED));
    assert_ok(instance_open(&b->f.context, "a", MAP_READ_ONLY, &changed, &e), e);
    assert_false(changed);
    assert_ok(resize(b, "root", 2 * GIB, &changed, &e), e);
    assert_int_equal(maps[0].map.size_bytes, 2 * GIB);
    assert_true(maps[0].map.read_only);

    assert_ok(instance_open(&b->f.context, "a", MAP_TO_STAY, &changed, &e), e);
    assert_true(changed);
    assert_false(maps[0].map.read_only || maps[1].map.read_only);
    assert_ok(instance_open(&b->f.context, "a", MAP_READ_ONLY, &changed, &e), e);
    assert_true(maps[0].map.read_only && maps[1].map.read_only);
    assert_ok(instance_start(&b->f.context, "a", &changed, &e), e);
    assert_false(maps[0].map.read_only || maps[1].map.read_only);
    assert_ok(instance_stop(&b->f.context, "a", 1, true, &changed, &e), e);

    assert_ok(instance_open(&b->f.context, "a", MAP_READ_ONLY, &changed, &e), e);
    assert_ok(instance_stop(&b->f.context, "a", 1, true, &changed, &e), e);
    assert_true(changed);
    assert_int_equal(b->w->host.n_maps, 0);
}

static void test_open_read_only_is_refused(void **state)
{
    struct bench *b = *state;
    struct error e = ERROR_NONE;
    bool changed = false;
    b->f.config.encryption_enabled = false;
    bench_make(b, "plain", true);
    assert_refused(-EINVAL, "not encrypted",
                   instance_open(&b->f.context, "plain", MAP_READ_ONLY, &changed, &e));
    b->f.config.encryption_enabled = true;
    strcpy(b->f.config.key_backend, "ephemeral");
    bench_make(b, "e", false);
    assert_ok(instance_stop(&b->f.context, "e", 1, true, &changed, &e), e);
    size_t open = b->w->host.n_maps;
    assert_refused(-EINVAL, "lose its data", instance_open(&b->f.context, "e", MAP_READ_ONLY, &changed, &e));
    assert_int_equal(b->w->host.n_maps, open);
}

static void test_resize_is_idempotent(void **state)
{
    struct bench *b = *state;
    struct error e = ERROR_NONE;
    bool changed = false;

    bench_make(b, "a", false);
    assert_ok(resize(b, "root", GIB + 1, &changed, &e), e);
    assert_true(changed);
    assert_int_equal(b->w->host.volumes[0].v.size_bytes, GIB + (4 << 20)); /* whole extents */
    assert_int_equal(b->w->host.maps[0].map.size_bytes, GIB + (4 << 20));
    assert_int_equal(b->w->host.domains[0].running.disk[0].bytes, GIB + (4 << 20));
    assert_ok(resize(b, "root", GIB + 1, &changed, &e), e);
    assert_false(changed);

    b->w->host.maps[0].map.size_bytes = GIB; /* as if it was cut off */
    b->w->host.domains[0].running.disk[0].bytes = GIB;
    assert_ok(resize(b, "root", GIB + 1, &changed, &e), e);
    assert_true(changed);
    assert_int_equal(b->w->host.domains[0].running.disk[0].bytes, GIB + (4 << 20));
}

static void test_resize_tells_its_steps(void **state)
{
    struct bench *b = *state;
    _cleanup_steps_ struct steps *plan = NULL;
    const struct resize_request q = {.role = "root", .size_bytes = 2 * GIB, .dry_run = true};
    struct error e = ERROR_NONE;
    bool changed = false;

    bench_make(b, "a", false);
    assert_ok(instance_resize(&b->f.context, "a", &q, &changed, &plan, &e), e);
    assert_int_equal(steps_count(plan), 4);
    assert_int_equal(b->w->host.volumes[0].v.size_bytes, GIB);
}

/* By so much, and each time anew. */
static void test_resize_by_more(void **state)
{
    struct bench *b = *state;
    struct resize_request q = {.role = "root", .size_bytes = GIB / 2, .more = true};
    struct error e = ERROR_NONE;
    bool changed = false;

    bench_make(b, "a", false);
    assert_ok(instance_resize(&b->f.context, "a", &q, &changed, NULL, &e), e);
    assert_ok(instance_resize(&b->f.context, "a", &q, &changed, NULL, &e), e);
    assert_true(changed);
    assert_int_equal(b->w->host.volumes[0].v.size_bytes, 2 * GIB);
    q.size_bytes = UINT64_MAX - GIB;
    assert_refused(-EINVAL, "such a size", instance_resize(&b->f.context, "a", &q, &changed, NULL, &e));
    assert_int_equal(b->w->host.volumes[0].v.size_bytes, 2 * GIB);
}

/* Too long to be printed exactly, and the size that the disk has all the same. */
static void test_resize_takes_what_is_printed(void **state)
{
    struct bench *b = *state;
    const uint64_t size_bytes = 150 * GIB + ((uint64_t)4 << 20);
    struct error e = ERROR_NONE;
    bool changed = true;
    uint64_t printed = 0;
    char text[32];

    bench_make(b, "a", false);
    assert_ok(resize(b, "root", size_bytes, &changed, &e), e);
    assert_int_equal(str_to_bytes(str_from_bytes(size_bytes, text, sizeof text), &printed), 0);
    assert_ok(resize(b, "root", printed, &changed, &e), e);
    assert_false(changed);
    assert_int_equal(b->w->host.volumes[0].v.size_bytes, size_bytes);
}

static void test_resize_refuses(void **state)
{
    struct bench *b = *state;
    struct error e = ERROR_NONE;
    bool changed = false;

    bench_make(b, "a", false);
    assert_refused(-EUNSAFE, "cannot be made smaller", resize(b, "root", GIB / 2, &changed, &e));
    assert_refused(-ENOENT, "no disk eph0", resize(b, "eph0", 2 * GIB, &changed, &e));
    assert_refused(-ENOSPC, "vgextend", resize(b, "root", GIB << 20, &changed, &e));
    assert_refused(-EINVAL, "", resize(b, "root", UINT64_MAX, &changed, &e));
    b->w->keys_unreachable = true;
    assert_refused(-EHOSTUNREACH, "", resize(b, "root", 2 * GIB, &changed, &e));
    assert_int_equal(b->w->host.volumes[0].v.size_bytes, GIB);
    assert_false(changed);
}

static void test_an_ephemeral_key_is_not_lent(void **state)
{
    struct bench *b = *state;
    struct error e = ERROR_NONE;
    bool changed = false;

    strcpy(b->f.config.key_backend, "ephemeral");
    bench_make(b, "a", false);
    assert_refused(-EINVAL, "ephemeral", resize(b, "root", 2 * GIB, &changed, &e));
    assert_int_equal(b->w->host.volumes[0].v.size_bytes, GIB);
}

static int tune(struct bench *b, bool *ret_changed, struct error *e)
{
    return instance_tune(&b->f.context, "a", false, ret_changed, NULL, e);
}

static void test_tune_brings_flags_to_the_choice(void **state)
{
    struct bench *b = *state;
    _cleanup_steps_ struct steps *plan = NULL;
    const struct world_map *maps = b->w->host.maps;
    struct error e = ERROR_NONE;
    bool changed = true;

    bench_make(b, "a", false);
    assert_ok(tune(b, &changed, &e), e);
    assert_false(changed);

    b->f.config.discard = true;
    assert_ok(instance_tune(&b->f.context, "a", true, &changed, &plan, &e), e);
    assert_int_equal(steps_count(plan), 3); /* one key, two disks */
    assert_non_null(strstr(steps_what(plan, 1), "_disk: discard on"));
    assert_int_equal(maps[0].map.flags, 0);
    b->w->keys_unreachable = true;
    assert_refused(-EHOSTUNREACH, "", tune(b, &changed, &e));
    assert_int_equal(maps[0].map.flags, 0);
    b->w->keys_unreachable = false;

    b->f.context.virt = virt_disconnect(b->f.context.virt); /* is not asked */
    assert_ok(tune(b, &changed, &e), e);
    assert_true(changed);
    assert_int_equal(maps[0].map.flags, CRYPT_ALLOW_DISCARDS);
    assert_int_equal(maps[1].map.flags, CRYPT_ALLOW_DISCARDS);
    assert_ok(tune(b, &changed, &e), e);
    assert_false(changed);
}

static void test_tune_without_anything_to_do(void **state)
{
    struct bench *b = *state;
    struct error e = ERROR_NONE;
    bool changed = true;

    bench_make(b, "a", true);
    b->f.config.discard = true;
    assert_ok(tune(b, &changed, &e), e); /* nothing is open */
    assert_false(changed);
    b->w->host.volumes[0].v.state = VOLUME_DOOMED;
    assert_refused(-ENEEDSRECOVER, "mayfly recover", tune(b, &changed, &e));
}

static void test_tune_is_not_lent_an_ephemeral_key(void **state)
{
    struct bench *b = *state;
    struct error e = ERROR_NONE;
    bool changed = true;

    strcpy(b->f.config.key_backend, "ephemeral");
    bench_make(b, "a", false);
    assert_ok(tune(b, &changed, &e), e);
    assert_false(changed);
    b->f.config.discard = true;
    assert_refused(-EINVAL, "ephemeral", tune(b, &changed, &e));
    assert_int_equal(b->w->host.maps[0].map.flags, 0);
}

static int rebuild(struct bench *b, const char *image_path, struct error *e)
{
    const struct rebuild_request q = {.image.path = image_path};
    return instance_rebuild(&b->f.context, "a", &q, NULL, e);
}

static void test_rebuild_makes_other_disks(void **state)
{
    struct bench *b = *state;
    const struct host *h = &b->w->host;
    struct error e = ERROR_NONE;
    char key[KEY_ID_MAX];

    bench_make(b, "a", false);
    struct volume before = h->volumes[0].v;
    memcpy(key, h->keys[0].info.id, sizeof key);
    assert_ok(rebuild(b, "/image", &e), e);
    assert_true(active(b));
    assert_int_equal(h->n_volumes, 2);
    assert_int_equal(h->n_keys, 1);
    assert_null(world_key(b->w, key));
    const struct volume *after = &h->volumes[0].v;
    assert_string_equal(after->lv, before.lv);
    assert_string_not_equal(after->disk, before.disk);
    assert_string_not_equal(after->check, before.check);
    assert_int_equal(after->size_bytes, before.size_bytes);
    assert_true(h->volumes[0].has_image);
    assert_string_equal(h->volumes[1].fs, "swap");
}

static void test_rebuild_by_another_key_manager(void **state)
{
    struct bench *b = *state;
    struct error e = ERROR_NONE;

    strcpy(b->f.config.key_backend, "ephemeral");
    bench_make(b, "a", false);
    world_reboot(&b->w->host);
    assert_error(instance_start(&b->f.context, "a", &(bool){false}, &e), -ENOKEY, e);
    strcpy(b->f.config.key_backend, "local");
    e = ERROR_NONE;
    assert_ok(rebuild(b, NULL, &e), e);
    assert_false(active(b));
    assert_ok(instance_start(&b->f.context, "a", &(bool){false}, &e), e);
    assert_true(str_starts(b->w->host.volumes[0].v.key, "local:"));
}

/* No key is asked for, and no manager either. */
static void test_rebuild_without_encryption(void **state)
{
    struct bench *b = *state;
    struct error e = ERROR_NONE;

    b->f.config.encryption_enabled = false;
    bench_make(b, "a", false);
    struct volume before = b->w->host.volumes[0].v;
    b->w->keys_unreachable = true;
    assert_ok(rebuild(b, NULL, &e), e);
    assert_string_not_equal(b->w->host.volumes[0].v.disk, before.disk);
    assert_int_equal(b->w->host.n_keys, 0);
    assert_int_equal(b->w->host.n_maps, 0);
    assert_true(active(b));
}

static void test_rebuild_refuses_before_it_ends_anything(void **state)
{
    struct bench *b = *state;
    struct error e = ERROR_NONE;

    bench_make(b, "a", false);
    struct volume before = b->w->host.volumes[0].v;
    assert_refused(-ENOENT, "/nowhere", rebuild(b, "/nowhere", &e));
    b->w->image_bytes = 2 * GIB;
    assert_refused(-EINVAL, "do not fit", rebuild(b, "/image", &e));
    b->w->host.volumes[1].v.state = VOLUME_DOOMED;
    assert_refused(-ENEEDSRECOVER, "recover first", rebuild(b, NULL, &e));
    b->w->host.volumes[1].v.state = VOLUME_READY;
    b->w->host.group.complete = false;
    assert_refused(-EUNSAFE, "may hold a disk", rebuild(b, NULL, &e));
    b->w->host.group.complete = true;
    b->w->keys_unreachable = true;
    assert_refused(-EHOSTUNREACH, "", rebuild(b, NULL, &e));
    assert_true(active(b));
    assert_memory_equal(&before, &b->w->host.volumes[0].v, sizeof before);
    assert_int_equal(b->w->host.n_maps, 2);
}

/* The key of the image, and what it has to contain. */
static void test_rebuild_from_the_image_that_is_meant(void **state)
{
    struct bench *b = *state;
    struct world *w = b->w;
    const struct export_request export = {.name = "a", .path = "/export"};
    struct rebuild_request q = {.image = {.path = "/export", .sha256 = WORLD_OTHER_SHA256}};
    struct exported exported;
    struct error e = ERROR_NONE;
    static struct host before;

    bench_make(b, "a", false);
    assert_ok(instance_export(&b->f.context, &export, &exported, NULL, &e), e);
    fake_again(&b->f);
    before = w->host;
    assert_refused(-EINVAL, "not the one that was meant", instance_rebuild(&b->f.context, "a", &q, NULL, &e));
    q.image.sha256 = WORLD_IMAGE_SHA256;
    q.image.key = w->host.volumes[0].v.key;
    assert_refused(-EKEYREJECTED, "not its key", instance_rebuild(&b->f.context, "a", &q, NULL, &e));
    q.image.path = NULL;
    assert_refused(-EINVAL, "use --image", instance_rebuild(&b->f.context, "a", &q, NULL, &e));
    assert_memory_equal(&before, &w->host, sizeof before);

    q.image.path = "/export";
    q.image.key = exported.key;
    assert_ok(instance_rebuild(&b->f.context, "a", &q, NULL, &e), e);
    assert_true(w->host.volumes[0].has_image);
    assert_string_not_equal(w->host.volumes[0].v.disk, before.volumes[0].v.disk);
}

static void test_what_is_rebuilding_is_not_used(void **state)
{
    struct bench *b = *state;
    struct error e = ERROR_NONE;
    _cleanup_free_ struct recovered *done = NULL;
    size_t n = 0;
    bool changed = false;

    bench_make(b, "a", true);
    b->w->host.volumes[0].v.state = VOLUME_REBUILDING;
    assert_refused(-ENEEDSRECOVER, "mayfly rebuild again", instance_start(&b->f.context, "a", &changed, &e));
    assert_refused(-ENEEDSRECOVER, "mayfly rebuild again",
                   instance_open(&b->f.context, "a", MAP_TO_STAY, &changed, &e));
    assert_error(instance_recover(&b->f.context, 0, &done, &n, &e), -ENEEDSRECOVER, e);
    assert_int_equal(n, 1);
    assert_non_null(strstr(done[0].text, "mayfly rebuild again"));
    e = ERROR_NONE;
    assert_ok(instance_delete(&b->f.context, "a", &changed, &e), e);
    assert_int_equal(b->w->host.n_volumes, 0);
    assert_int_equal(b->w->host.n_keys, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        bench_test(test_reboot_of_what_runs),
        bench_test(test_hard_reboot_wants_its_key_first),
        bench_test(test_hard_reboot_opens_anew),
        bench_test(test_open_for_start),
        bench_test(test_open_read_only),
        bench_test(test_open_read_only_is_refused),
        bench_test(test_resize_is_idempotent),
        bench_test(test_resize_tells_its_steps),
        bench_test(test_resize_by_more),
        bench_test(test_resize_takes_what_is_printed),
        bench_test(test_resize_refuses),
        bench_test(test_an_ephemeral_key_is_not_lent),
        bench_test(test_tune_brings_flags_to_the_choice),
        bench_test(test_tune_without_anything_to_do),
        bench_test(test_tune_is_not_lent_an_ephemeral_key),
        bench_test(test_rebuild_makes_other_disks),
        bench_test(test_rebuild_by_another_key_manager),
        bench_test(test_rebuild_without_encryption),
        bench_test(test_rebuild_refuses_before_it_ends_anything),
        bench_test(test_rebuild_from_the_image_that_is_meant),
        bench_test(test_what_is_rebuilding_is_not_used),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
