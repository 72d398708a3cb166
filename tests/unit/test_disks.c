/* SPDX-License-Identifier: Apache-2.0 */
/* add-disks, add-disk and remove-disk: what they refuse before anything is changed, and what they choose.
 * That they are undone or finished is the matter of the matrix (tests/fake/matrix-disks.c). */
#include "instances.h"

#include <stdio.h>

#define FOREIGN "77777777-7777-4777-8777-777777777777"

static const struct add_disk_request one_more = {.ephemeral = {.size_bytes = GIB, .fs = "ext4"}};

static int add_disks(struct bench *b, const char *name, struct error *e)
{
    const struct add_disks_request q = {.name = name, .disks.root_bytes = GIB};
    _cleanup_free_ struct launched *launched = NULL;
    bool changed = false;
    return instance_add_disks(&b->f.context, &q, &launched, &changed, NULL, e);
}

static int add_disk(struct bench *b, const char *name, struct volume *ret, struct error *e)
{
    struct add_disk_request q = one_more;
    q.name = name;
    return instance_add_disk(&b->f.context, &q, ret, NULL, e);
}

static int remove_disk(struct bench *b, const char *name, const char *role, bool *ret_changed,
                       struct error *e)
{
    const struct remove_disk_request q = {.name = name, .role = role};
    return instance_remove_disk(&b->f.context, &q, ret_changed, NULL, e);
}

static struct host before;

/* With these words, and nothing has changed since `before`. */
static void refused(struct bench *b, int r, int wanted, const struct error *e, const char *words)
{
    if (r != wanted || !strstr(e->text, words))
        fail_msg("%d (%s), not %d (%s)", r, e->text, wanted, words);
    assert_memory_equal(&before, &b->w->host, sizeof before);
}

static void add_disks_refused(struct bench *b, const char *name, int wanted, const char *words)
{
    struct error e = ERROR_NONE;
    before = b->w->host;
    int r = add_disks(b, name, &e);
    refused(b, r, wanted, &e, words);
    fake_again(&b->f);
}

static void add_disk_refused(struct bench *b, const char *name, int wanted, const char *words)
{
    struct error e = ERROR_NONE;
    struct volume v;
    before = b->w->host;
    int r = add_disk(b, name, &v, &e);
    refused(b, r, wanted, &e, words);
    fake_again(&b->f);
}

static void remove_disk_refused(struct bench *b, const char *name, const char *role, int wanted,
                                const char *words)
{
    struct error e = ERROR_NONE;
    bool changed = false;
    before = b->w->host;
    int r = remove_disk(b, name, role, &changed, &e);
    refused(b, r, wanted, &e, words);
    fake_again(&b->f);
}

static int no_answer(struct virt *v, const char *uuid, struct domain *ret, struct error *e)
{
    (void)v, (void)ret;
    return error_set(e, -EIO, "libvirt: tells nothing of %s", uuid);
}

/* By its uuid: what libvirt cannot tell is no absence. */
static void test_add_disks_without_an_answer(void **state)
{
    struct bench *b = *state;
    static struct virt_ops ops;
    ops = *b->f.context.virt->ops;
    world_add_domain(b->w, "web", FOREIGN);
    ops.find_uuid = no_answer;
    b->f.context.virt->ops = &ops;
    add_disks_refused(b, FOREIGN, -EIO, "tells nothing of " FOREIGN);
}

static void test_add_disks_refused(void **state)
{
    struct bench *b = *state;
    struct world_domain *d = world_add_domain(b->w, "web", FOREIGN);
    bench_make(b, "a", true);
    add_disks_refused(b, "nobody", -ENOENT, "nobody");
    add_disks_refused(b, "a", -EEXIST, "mayfly add-disk");
    d->d.active = true;
    add_disks_refused(b, "web", -EBUSY, "shut it down first");
    d->d.active = false;
    strcpy(b->f.config.key_backend, "ephemeral");
    add_disks_refused(b, "web", -EINVAL, "closed until the domain starts");
    strcpy(b->f.config.key_backend, "local");
    d->d.ours = true;
    add_disks_refused(b, FOREIGN, -EUNSAFE, "cannot be found");
}

/* A tag cannot hold every name that a domain may have. */
static void test_add_disks_of_any_name(void **state)
{
    struct bench *b = *state;
    struct error e = ERROR_NONE;
    world_add_domain(b->w, "my web server", FOREIGN);
    assert_ok(add_disks(b, "my web server", &e), e);
    assert_string_equal(b->w->host.volumes[0].v.name, FOREIGN);
    assert_string_equal(b->w->host.volumes[0].v.instance, FOREIGN);
    assert_int_equal(b->w->host.domains[0].defined.n, 1);
}

static void test_add_disk_refused(void **state)
{
    struct bench *b = *state;
    struct error e = ERROR_NONE;
    const struct launch_request swap_only = {
        .name = "s", .count = 1, .disks.swap_bytes = GIB, .no_start = true};
    add_disk_refused(b, "nobody", -ENOENT, "nobody");
    assert_ok(bench_launch(b, &swap_only, &e), e);
    fake_again(&b->f);
    add_disk_refused(b, "s", -EINVAL, "can come before it");

    bench_make(b, "a", true);
    b->w->keys_unreachable = true;
    add_disk_refused(b, "a", -EHOSTUNREACH, "cannot be reached");
    b->w->keys_unreachable = false;
    b->f.config.encryption_enabled = false;
    bench_make(b, "p", true);
    b->f.config.encryption_enabled = true;
    add_disk_refused(b, "p", -EUNSAFE, "its disks are plain");
    strcpy(b->f.config.key_backend, "ephemeral");
    bench_make(b, "e", false);
    add_disk_refused(b, "e", -EINVAL, "its key is ephemeral");
    b->w->host.n_domains--;
    add_disk_refused(b, "e", -ENOENT, "has no domain");
}

/* The encryption that the instance has, not that of today's configuration. */
static void test_add_disk_like_the_others(void **state)
{
    struct bench *b = *state;
    struct error e = ERROR_NONE;
    struct volume v;
    bench_make(b, "a", true);
    b->f.config.encryption_enabled = false;
    b->f.config.key_size_bits = 256;
    assert_ok(add_disk(b, "a", &v, &e), e);
    assert_string_equal(v.key, b->w->host.volumes[0].v.key);
    assert_string_equal(v.cipher, b->w->host.volumes[0].v.cipher);
    assert_int_equal(v.key_bits, 512);
    assert_string_not_equal(v.check, b->w->host.volumes[0].v.check);
    assert_string_equal(b->w->host.volumes[2].fs, "ext4");
    assert_string_equal(b->w->host.volumes[2].label, "ephemeral0");
    assert_int_equal(b->w->host.n_keys, 1);
}

static void test_roles(void **state)
{
    struct bench *b = *state;
    struct error e = ERROR_NONE;
    struct volume v;
    bool changed = false;
    bench_make(b, "a", true);
    for (unsigned i = 0; i < 3; i++) {
        char role[ROLE_MAX];
        snprintf(role, sizeof role, "eph%u", i);
        assert_ok(add_disk(b, "a", &v, &e), e);
        assert_string_equal(v.role, role);
    }
    assert_ok(remove_disk(b, "a", "eph1", &changed, &e), e);
    assert_true(changed);
    assert_error(remove_disk(b, "a", "eph1", &changed, &e), -ENOENT, e);
    e = ERROR_NONE;
    assert_ok(add_disk(b, "a", &v, &e), e);
    assert_string_equal(v.role, "eph1");

    const struct launch_request rootless = {
        .name = "r",
        .count = 1,
        .disks = {.ephemeral = {{.size_bytes = GIB, .fs = "ext4"}}, .n_ephemeral = 1},
        .no_start = true};
    assert_ok(bench_launch(b, &rootless, &e), e);
    assert_ok(add_disk(b, "r", &v, &e), e);
    assert_string_equal(v.role, "eph1");
}

static void test_remove_disk_refused(void **state)
{
    struct bench *b = *state;
    struct error e = ERROR_NONE;
    const struct launch_request rootless = {
        .name = "r",
        .count = 1,
        .disks = {.ephemeral = {{.size_bytes = GIB, .fs = "ext4"}, {.size_bytes = GIB, .fs = "ext4"}},
                  .n_ephemeral = 2}};
    assert_ok(bench_launch(b, &rootless, &e), e);
    fake_again(&b->f);
    remove_disk_refused(b, "r", "root", -EINVAL, "not an ephemeral disk");
    remove_disk_refused(b, "r", "eph0", -EINVAL, "its first disk");
    b->w->guest_ignores = true;
    remove_disk_refused(b, "r", "eph1", -EBUSY, "has not let go");
}

/* What XML still names a disk that was never finished, nobody knows without libvirt. */
static void test_recover_without_libvirt(void **state)
{
    struct bench *b = *state;
    struct error e = ERROR_NONE;
    struct volume v;
    bench_make(b, "a", true);
    assert_ok(add_disk(b, "a", &v, &e), e);
    world_volume(b->w, v.lv)->v.state = VOLUME_BUILDING;
    b->w->virt_gone = true;
    fake_again(&b->f);
    _cleanup_free_ struct recovered *done = NULL;
    size_t n = 0;
    assert_int_equal(instance_recover(&b->f.context, 0, &done, &n, &e), -ENEEDSRECOVER);
    assert_non_null(world_volume(b->w, v.lv));

    b->w->virt_gone = false;
    fake_again(&b->f);
    free(TAKE_PTR(done));
    e = ERROR_NONE;
    assert_ok(instance_recover(&b->f.context, 0, &done, &n, &e), e);
    assert_null(world_volume(b->w, v.lv));
    assert_int_equal(b->w->host.domains[0].defined.n, 2);
}

static bool started;

static void start_guest(struct world *w)
{
    started = !w->host.domains[0].d.active && world_start_guest(w, &w->host.domains[0]);
}

/* Somebody starts the guest before call `at`: from the definition as it is then. False: there is no such
 * call.
 */
static bool add_disk_and_start(unsigned at)
{
    struct error e = ERROR_NONE;
    struct volume v;
    struct bench *b = NULL;
    void *state = NULL;
    bool changed = false;
    bench_setup(&state);
    b = state;
    bench_make(b, "a", true);
    assert_ok(instance_open(&b->f.context, "a", MAP_TO_STAY, &changed, &e), e);
    fake_again(&b->f);
    started = false;
    b->w->person.at = b->w->calls + at;
    b->w->person.act = start_guest;
    int r = add_disk(b, "a", &v, &e);
    bool there = b->w->calls >= b->w->person.at, lacks = b->w->host.domains[0].running.n < 3;
    if (r == 0 && started && lacks && !strstr(b->warning, "somebody has started its guest meanwhile"))
        fail_msg("call %u: the guest has no disk more, and it was not told: %s", at, b->warning);
    bench_teardown(&state);
    return there;
}

static void test_a_guest_that_is_started_meanwhile(void **state)
{
    (void)state;
    unsigned at = 1;
    while (add_disk_and_start(at))
        at++;
    assert_true(at > 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        bench_test(test_add_disks_refused),
        bench_test(test_add_disks_without_an_answer),
        bench_test(test_add_disks_of_any_name),
        bench_test(test_add_disk_refused),
        bench_test(test_add_disk_like_the_others),
        bench_test(test_roles),
        bench_test(test_remove_disk_refused),
        bench_test(test_recover_without_libvirt),
        cmocka_unit_test(test_a_guest_that_is_started_meanwhile),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
