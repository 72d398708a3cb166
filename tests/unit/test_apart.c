/* SPDX-License-Identifier: Apache-2.0 */
/* add-disks for a uuid whose domain is not there yet, with the caller's names, and with a key that is there:
 * what is refused, what is the same again, and who destroys the key. The crash matrix has the rest. */
#include "instances.h"

#include <stdio.h>

#define VM      "78787878-7878-4787-8787-787878787878"
#define OTHER   "77777777-7777-4777-8777-777777777777"
#define CALLERS "79797979-7979-4797-8797-797979797979"

static const struct add_disks_request two_disks = {.uuid = VM,
                                                   .disks = {.root_bytes = GIB,
                                                             .root_alias = "disk",
                                                             .ephemeral = {{GIB, "ext4", "disk.eph0"}},
                                                             .n_ephemeral = 1}};

static int add(struct bench *b, const struct add_disks_request *q, bool *ret_changed, struct error *e)
{
    _cleanup_free_ struct launched *made = NULL;
    int r = instance_add_disks(&b->f.context, q, &made, ret_changed, NULL, e);
    if (r == 0)
        assert_string_equal(made->uuid, q->uuid);
    fake_again(&b->f);
    return r;
}

static void must_add(struct bench *b, const struct add_disks_request *q)
{
    struct error e = ERROR_NONE;
    bool changed = false;
    assert_ok(add(b, q, &changed, &e), e);
    assert_true(changed);
}

static void refused(struct bench *b, const struct add_disks_request *q, int wanted, const char *words)
{
    struct error e = ERROR_NONE;
    struct host before = b->w->host;
    bool changed = false;
    int r = add(b, q, &changed, &e);
    if (r != wanted || !strstr(e.text, words))
        fail_msg("%d (%s), not %d (%s)", r, e.text, wanted, words);
    assert_memory_equal(&before, &b->w->host, sizeof before);
}

/* As somebody else has made it. */
static void have_callers_key(struct bench *b)
{
    struct world_key *k = &b->w->host.keys[b->w->host.n_keys++];
    memset(k, 0, sizeof *k);
    k->nova = true;
    k->info.bits = 256;
    strcpy(k->info.id, CALLERS);
    strcpy(k->manager, "barbican");
    strcpy(k->project, PROJECT_OURS);
    for (size_t i = 0; i < 32; i++)
        k->bytes[i] = (uint8_t)(i + 1);
}

static struct add_disks_request with_key(const char *uuid, bool keep)
{
    struct add_disks_request q = two_disks;
    q.uuid = uuid;
    q.key = "barbican:" CALLERS;
    q.keep_key = keep;
    return q;
}

static void test_no_domain_is_needed_or_changed(void **state)
{
    struct bench *b = *state;
    must_add(b, &two_disks);
    assert_int_equal(b->w->host.n_domains, 0);
    assert_int_equal(b->w->host.n_volumes, 2);
    assert_int_equal(b->w->host.n_maps, 0);
    assert_string_equal(b->w->host.volumes[0].v.name, VM);
    assert_string_equal(b->w->host.volumes[0].v.alias, "disk");
    assert_string_equal(b->w->host.volumes[1].v.alias, "disk.eph0");

    struct add_disks_request q = two_disks;
    q.uuid = OTHER;
    q.name = "web";
    world_add_domain(b->w, "web", OTHER);
    must_add(b, &q);
    assert_int_equal(b->w->host.domains[0].defined.n, 0);
}

static void test_said_again(void **state)
{
    struct bench *b = *state;
    struct error e = ERROR_NONE;
    struct add_disks_request q = two_disks;
    bool changed = true;
    must_add(b, &two_disks);
    struct host before = b->w->host;
    assert_ok(add(b, &two_disks, &changed, &e), e);
    assert_false(changed);
    assert_memory_equal(&before, &b->w->host, sizeof before);

    q.disks.root_bytes = 2 * GIB;
    refused(b, &q, -EEXIST, "other Mayfly disks");
    q = two_disks;
    strcpy(q.disks.ephemeral[0].fs, "xfs");
    refused(b, &q, -EEXIST, "other Mayfly disks");
    q = two_disks;
    strcpy(q.disks.root_alias, "root-disk");
    refused(b, &q, -EEXIST, "other Mayfly disks");
    q = two_disks;
    q.disks.swap_bytes = GIB;
    refused(b, &q, -EEXIST, "other Mayfly disks");
    q = with_key(VM, true);
    refused(b, &q, -EEXIST, "other Mayfly disks");

    b->w->host.volumes[1].v.state = VOLUME_BUILDING; /* a launch is at work, or was cut off */
    refused(b, &two_disks, -ENEEDSRECOVER, "run mayfly recover");
}

static void test_words_are_looked_at(void **state)
{
    struct bench *b = *state;
    struct add_disks_request q = two_disks;
    q.uuid = "web";
    refused(b, &q, -EINVAL, "is not a uuid");
    q = two_disks;
    strcpy(q.disks.ephemeral[0].alias, "disk");
    refused(b, &q, -EINVAL, "two disks cannot have the same name");
    strcpy(q.disks.ephemeral[0].alias, "root");
    refused(b, &q, -EINVAL, "cannot have this name");
    strcpy(q.disks.ephemeral[0].alias, "a b");
    refused(b, &q, -EINVAL, "cannot have this name");
    q = with_key(VM, true);
    b->f.config.encryption_enabled = false;
    refused(b, &q, -EINVAL, "encryption is off");
    b->f.config.encryption_enabled = true;
    refused(b, &q, -EHOSTUNREACH, "nothing is known of it"); /* its reference names no place */
    world_add_domain(b->w, "web", VM)->d.active = true;
    refused(b, &two_disks, -EBUSY, "it runs");
}

/* By the caller's name as well as by ours. */
static void test_a_disk_is_found_by_its_alias(void **state)
{
    struct bench *b = *state;
    struct error e = ERROR_NONE;
    const struct resize_request q = {.role = "disk.eph0", .size_bytes = 2 * GIB};
    bool changed = false;
    must_add(b, &two_disks);
    assert_ok(instance_resize(&b->f.context, VM, &q, &changed, NULL, &e), e);
    assert_int_equal(b->w->host.volumes[1].v.size_bytes, 2 * GIB);
}

static int delete (struct bench *b, const char *uuid, struct outcome *ret, struct error *e)
{
    const char *const names[] = {uuid};
    *ret = (struct outcome){.changed = false};
    int r = instances_delete(&b->f.context, names, 1, ret, e);
    fake_again(&b->f);
    return r;
}

static void recover(struct bench *b)
{
    struct error e = ERROR_NONE;
    _cleanup_free_ struct recovered *done = NULL;
    size_t n = 0;
    assert_ok(instance_recover(&b->f.context, 0, &done, &n, &e), e);
    assert_int_equal(n, 0);
    fake_again(&b->f);
}

static void test_a_callers_key_outlives_all(void **state)
{
    struct bench *b = *state;
    struct error e = ERROR_NONE;
    struct add_disks_request q = with_key(VM, true), second = with_key(OTHER, true);
    struct outcome d;
    have_callers_key(b);
    must_add(b, &q);
    assert_int_equal(b->w->host.volumes[0].v.scope, KEY_SCOPE_CALLER);
    assert_true(str_ends(b->w->host.volumes[0].v.key, "/" CALLERS)); /* the reference has got its place */
    must_add(b, &second);
    assert_int_equal(b->w->host.n_keys, 1);
    assert_int_equal(key_destroy(&b->f.context, q.key, NULL), -EUNSAFE);
    fake_again(&b->f);

    assert_ok(delete (b, VM, &d, &e), e);
    assert_int_equal(d.key.fate, KEY_FATE_CALLERS);
    assert_ok(delete (b, OTHER, &d, &e), e);
    assert_int_equal(b->w->host.n_volumes, 0);
    recover(b);
    assert_int_equal(key_destroy(&b->f.context, q.key, NULL), -EUNSAFE);
    assert_int_equal(b->w->host.n_keys, 1);
}

static void test_a_key_that_is_handed_over_goes_with_the_instance(void **state)
{
    struct bench *b = *state;
    struct error e = ERROR_NONE;
    struct add_disks_request q = with_key(VM, false), other = with_key(OTHER, true);
    struct outcome d;
    have_callers_key(b);
    must_add(b, &q);
    refused(b, &other, -EUNSAFE, "belongs to instance");
    other.keep_key = false;
    refused(b, &other, -EUNSAFE, "belongs to instance");
    assert_ok(delete (b, VM, &d, &e), e);
    assert_int_equal(d.key.fate, KEY_FATE_GONE);
    assert_int_equal(b->w->host.n_keys, 0);
}

static int rescue(struct bench *b, bool *ret_changed, struct error *e)
{
    static const struct rescue_request q = {.image.path = "/rescue", .disk_only = true};
    fake_again(&b->f);
    return instance_rescue(&b->f.context, VM, &q, ret_changed, NULL, e);
}

static int unrescue(struct bench *b, bool *ret_changed, struct error *e)
{
    fake_again(&b->f);
    return instance_unrescue(&b->f.context, VM, 0, true, ret_changed, e);
}

/* The domain's definition, and a guest that runs, are left to whoever made them. */
static void test_a_rescue_disk_alone(void **state)
{
    struct bench *b = *state;
    struct error e = ERROR_NONE;
    bool changed = false;
    must_add(b, &two_disks);
    for (int round = 0; round < 2; round++) {
        assert_ok(rescue(b, &changed, &e), e);
        assert_true(changed);
        assert_int_equal(b->w->host.n_volumes, 3);
        assert_int_equal(b->w->host.n_maps, 0);
        assert_string_equal(b->w->host.volumes[2].v.role, "rescue");
        assert_true(b->w->host.volumes[2].has_image);
        assert_ok(rescue(b, &changed, &e), e);
        assert_false(changed);
        if (round) {
            assert_true(b->w->host.domains[0].d.active);
            assert_int_equal(b->w->host.domains[0].defined.n, 0);
        }
        assert_ok(unrescue(b, &changed, &e), e);
        assert_true(changed);
        assert_int_equal(b->w->host.n_volumes, 2);
        assert_int_equal(b->w->host.n_keys, 1);
        assert_ok(unrescue(b, &changed, &e), e);
        assert_false(changed);
        if (!round)
            world_add_domain(b->w, "web", VM)->d.active = true;
    }
}

static unsigned lists;

static void let_go_at_the_second_list(struct world *w)
{
    lists += streq(w->person.call, "list");
    for (size_t i = 0; lists == 2 && i < w->host.n_maps; i++)
        w->host.maps[i].held = false;
    w->person.at = w->calls + 1;
}

/* In use: nothing is changed. A domain of Mayfly's is rescued as a whole. */
static void test_a_rescue_disk_that_cannot_be_alone(void **state)
{
    struct bench *b = *state;
    struct error e = ERROR_NONE;
    bool changed = false;
    must_add(b, &two_disks);
    assert_ok(rescue(b, &changed, &e), e);
    fake_again(&b->f);
    assert_ok(instance_open(&b->f.context, VM, MAP_TO_STAY, &changed, &e), e);
    for (size_t i = 0; i < b->w->host.n_maps; i++)
        b->w->host.maps[i].held = true;
    assert_error(unrescue(b, &changed, &e), -EBUSY, e);
    assert_int_equal(b->w->host.volumes[2].v.state, VOLUME_READY);

    for (size_t i = 0; i < b->w->host.n_maps; i++)
        b->w->host.maps[i].held = false;
    struct world_domain *d = world_add_domain(b->w, "web", VM);
    d->d.active = true;
    volume_device_path(&b->w->host.volumes[2].v, d->running.disk[d->running.n++].path);
    e = ERROR_NONE;
    assert_error(unrescue(b, &changed, &e), -EBUSY, e);
    assert_non_null(strstr(e.text, "its guest uses it"));
    assert_int_equal(b->w->host.volumes[2].v.state, VOLUME_READY);
    d->running.n = 0;
    for (size_t i = 0; i < b->w->host.n_maps; i++)
        b->w->host.maps[i].held = true;
    e = ERROR_NONE;
    assert_error(unrescue(b, &changed, &e), -EBUSY, e);
    assert_int_equal(b->w->host.volumes[2].v.state, VOLUME_READY);
    fake_again(&b->f);
    b->f.context.holder_wait_msec = 60000; /* who only looks at it for a moment is waited for */
    b->w->person.at = b->w->calls + 1;
    b->w->person.act = let_go_at_the_second_list;
    d->running.n = 1;
    strcpy(d->running.disk[0].path, "/dev/sdb"); /* which a guest that is started anew does not have */
    e = ERROR_NONE;
    assert_ok(instance_unrescue(&b->f.context, VM, 0, true, &changed, &e), e);
    b->w->person.act = NULL;
    assert_true(d->d.active && d->running.n == 1 && streq(d->running.disk[0].path, "/dev/sdb"));
    assert_int_equal(b->w->host.n_volumes, 2);

    const struct rescue_request q = {.image.path = "/rescue", .disk_only = true};
    bench_make(b, "t", false);
    fake_again(&b->f);
    e = ERROR_NONE;
    assert_error(instance_rescue(&b->f.context, "t", &q, &changed, NULL, &e), -EINVAL, e);
    assert_non_null(strstr(e.text, "leave out --disk-only"));
}

/* What it holds comes from the caller; the definition is the caller's, too. */
static void test_a_seed_disk(void **state)
{
    static const char text[] = "instance-id: config-2";
    struct bench *b = *state;
    struct error e = ERROR_NONE;
    _cleanup_secret_ struct secret *image = NULL;
    struct volume made;
    struct add_disk_request q = {.name = VM};
    must_add(b, &two_disks);
    world_add_domain(b->w, "web", VM);
    assert_ok(secret_new(2 << 20, &image, &e), e);
    memcpy(secret_bytes(image), text, sizeof text);
    q.seed_image = image;
    assert_ok(instance_add_disk(&b->f.context, &q, &made, NULL, &e), e);
    assert_string_equal(made.role, "seed");
    assert_true(made.size_bytes >= 2 << 20);
    assert_int_equal(b->w->host.n_volumes, 3);
    assert_int_equal(b->w->host.volumes[2].v.state, VOLUME_READY);
    assert_true(volume_encrypted(&b->w->host.volumes[2].v));
    assert_string_equal(b->w->host.volumes[2].seed, text);
    assert_int_equal(b->w->host.n_maps, 0);
    assert_int_equal(b->w->host.n_keys, 1);
    assert_int_equal(b->w->host.domains[0].defined.n, 0);
    fake_again(&b->f);
    assert_error(instance_add_disk(&b->f.context, &q, &made, NULL, &e), -EEXIST, e);

    bench_make(b, "t", false);
    q.name = "t";
    fake_again(&b->f);
    e = ERROR_NONE;
    assert_error(instance_add_disk(&b->f.context, &q, &made, NULL, &e), -EINVAL, e);
    assert_non_null(strstr(e.text, "launch --user-data"));
}

/* Recover would destroy it, or delete with the instance that it was made for. */
static void test_no_key_of_mayflys_own(void **state)
{
    struct bench *b = *state;
    struct add_disks_request q = two_disks;
    char ref[KEY_REF_MAX];
    bench_make(b, "a", true);
    fake_again(&b->f);
    memcpy(ref, b->w->host.volumes[0].v.key, sizeof ref);
    q.key = ref;
    for (int keep = 0; keep < 2; keep++) {
        q.keep_key = keep;
        refused(b, &q, -EUNSAFE, "belongs to instance a");
    }
    b->w->host.n_volumes = b->w->host.n_domains = 0; /* the key alone is left */
    for (int keep = 0; keep < 2; keep++) {
        q.keep_key = keep;
        refused(b, &q, -EUNSAFE, "Mayfly has made it");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        bench_test(test_no_domain_is_needed_or_changed),
        bench_test(test_said_again),
        bench_test(test_words_are_looked_at),
        bench_test(test_a_disk_is_found_by_its_alias),
        bench_test(test_a_callers_key_outlives_all),
        bench_test(test_a_key_that_is_handed_over_goes_with_the_instance),
        bench_test(test_a_seed_disk),
        bench_test(test_a_rescue_disk_alone),
        bench_test(test_a_rescue_disk_that_cannot_be_alone),
        bench_test(test_no_key_of_mayflys_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
