/* SPDX-License-Identifier: Apache-2.0 */
/* What operations leave in the audit trail, over doubles: each change of an instance, each use of a key. */
#include "instances.h"

#include "base/audit.h"
#include "instance/doctor.h"
#include "trail.h"

struct trail {
    void *folder;
    int socket;
    char path[512];
    void *bench;
};

static int setup(void **state)
{
    struct trail *t = calloc(1, sizeof *t);
    if (!t || folder_make(&t->folder) < 0)
        return -1;
    t->socket = trail_listen(&t->folder, "journal");
    snprintf(t->path, sizeof t->path, "%s", folder_path(&t->folder, "journal"));
    audit_open_at("mayfly", t->path, t->path);
    *state = t;
    return bench_setup(&t->bench);
}

static int teardown(void **state)
{
    struct trail *t = *state;
    audit_close();
    close(t->socket);
    bench_teardown(&t->bench);
    folder_remove(&t->folder);
    free(t);
    return 0;
}

/* The next entry is of this action and result; of a key or of an instance. */
static const char *expect(const struct trail *t, const char *action, int status, bool key)
{
    char line[100];
    const char *entry = trail_next(t->socket);
    snprintf(line, sizeof line, "MAYFLY_ACTION=%s", action);
    if (!trail_has(entry, line))
        fail_msg("not %s but:\n%s", action, entry);
    snprintf(line, sizeof line, "MAYFLY_RESULT=%d", status);
    if (!trail_has(entry, line))
        fail_msg("%s: not %d but:\n%s", action, status, entry);
    assert_int_equal(key, strstr(entry, "\nMESSAGE_ID=b6349380b4834289a3e62fa6242b6ad9\n") != NULL);
    return entry;
}

static void expect_end(const struct trail *t)
{
    assert_string_equal(trail_next(t->socket), "");
}

static void a_life_leaves_its_trail(void **state)
{
    struct trail *t = *state;
    struct bench *b = t->bench;
    struct error e = ERROR_NONE;
    char instance[100], key[300];
    bool changed;

    bench_make(b, "a", true);
    snprintf(instance, sizeof instance, "MAYFLY_INSTANCE=%s", b->w->host.volumes[0].v.instance);
    snprintf(key, sizeof key, "MAYFLY_KEY=%s", b->w->host.volumes[0].v.key);
    const char *entry = expect(t, "create", 0, true);
    assert_true(trail_has(entry, instance) && trail_has(entry, key));
    assert_true(trail_has(expect(t, "launch", 0, false), instance));
    expect_end(t);

    assert_ok(instance_start(&b->f.context, "a", &changed, &e), e);
    assert_true(trail_has(expect(t, "fetch", 0, true), key));
    entry = expect(t, "start", 0, false);
    assert_true(trail_has(entry, instance) && trail_has(entry, "MAYFLY_NAME=a"));
    assert_ok(instance_start(&b->f.context, "a", &changed, &e), e); /* nothing changed */
    expect_end(t);

    assert_ok(instance_stop(&b->f.context, "a", 0, true, &changed, &e), e);
    expect(t, "stop", 0, false);
    assert_ok(instance_delete(&b->f.context, "a", &changed, &e), e);
    assert_true(trail_has(expect(t, "destroy", 0, true), key));
    assert_true(trail_has(expect(t, "delete", 0, false), instance));
    expect_end(t);
}

static void what_fails_is_there_too(void **state)
{
    struct trail *t = *state;
    struct bench *b = t->bench;
    struct error e = ERROR_NONE;
    bool changed;

    bench_make(b, "a", true);
    expect(t, "create", 0, true);
    expect(t, "launch", 0, false);
    b->w->keys_unreachable = true;
    assert_int_equal(instance_start(&b->f.context, "a", &changed, &e), -EHOSTUNREACH);
    expect(t, "fetch", EXIT_UNREACHABLE, true);
    expect(t, "start", EXIT_UNREACHABLE, false);
    expect_end(t);
}

/* Of several one has no key. */
static void each_of_several_leaves_its_own(void **state)
{
    struct trail *t = *state;
    struct bench *b = t->bench;
    static const char *const names[] = {"a", "b", "c"};
    struct outcome done[ARRAY_SIZE(names)];
    struct error e = ERROR_NONE;
    char instance[80];
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        bench_make(b, names[i], true);
        expect(t, "create", 0, true);
        expect(t, "launch", 0, false);
    }
    world_drop(b->w->host.keys, &b->w->host.n_keys, sizeof b->w->host.keys[0], 1);
    assert_error(instances_start(&b->f.context, names, ARRAY_SIZE(names), done, &e), -ENOKEY, e);
    assert_true(done[0].changed && !done[1].changed && done[2].changed);
    assert_int_equal(done[1].error.errnum, -ENOKEY);
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        expect(t, "fetch", i == 1 ? EXIT_KEY_GONE : 0, true);
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        snprintf(instance, sizeof instance, "MAYFLY_INSTANCE=%s", b->w->host.domains[i].d.uuid);
        assert_true(trail_has(expect(t, "start", i == 1 ? EXIT_KEY_GONE : 0, false), instance));
    }
    expect_end(t);
}

static void the_hook_leaves_its_trail(void **state)
{
    struct trail *t = *state;
    struct bench *b = t->bench;
    struct error e = ERROR_NONE;
    struct hook_domain d = {.name = (char *)"a", .ours = true};

    bench_make(b, "a", true);
    expect(t, "create", 0, true);
    expect(t, "launch", 0, false);
    memcpy(d.uuid, b->w->host.volumes[0].v.instance, sizeof d.uuid);
    assert_ok(instance_hook_prepare(&b->f.context, &d, &e), e);
    expect(t, "fetch", 0, true);
    expect(t, "open", 0, false);
    assert_ok(instance_hook_release(&b->f.context, d.uuid, &e), e);
    expect(t, "close", 0, false);
    expect_end(t);

    b->w->host.volumes[0].v.state = VOLUME_DOOMED;
    assert_int_equal(instance_hook_prepare(&b->f.context, &d, &e), -ENEEDSRECOVER);
    expect(t, "open", EXIT_NEEDS_RECOVER, false);
    expect_end(t);
}

static void recover_leaves_its_trail(void **state)
{
    struct trail *t = *state;
    struct bench *b = t->bench;
    struct error e = ERROR_NONE;
    _cleanup_free_ struct recovered *done = NULL;
    size_t n = 0;

    bench_make(b, "a", true);
    expect(t, "create", 0, true);
    expect(t, "launch", 0, false);
    b->w->host.volumes[0].v.state = VOLUME_DOOMED;
    fake_again(&b->f);
    assert_ok(instance_recover(&b->f.context, RECOVER_DRY_RUN, &done, &n, &e), e); /* a dry run */
    expect_end(t);
    free(done);
    done = NULL;
    fake_again(&b->f);
    assert_ok(instance_recover(&b->f.context, 0, &done, &n, &e), e);
    expect(t, "destroy", 0, true);
    expect(t, "delete", 0, false);
    expect_end(t);
}

/* That the key it tried is gone is what it wanted to see: no failure. */
static void doctor_leaves_no_failure(void **state)
{
    struct trail *t = *state;
    struct bench *b = t->bench;
    const struct lacks lacks = {.config = ERROR_NONE};
    const struct doctor_paths paths = {.config_files = "", .hook = "/proc/self/exe", .root = "/nowhere"};
    struct error e = ERROR_NONE;
    _cleanup_free_ struct finding *all = NULL;
    size_t n = 0;

    assert_ok(instance_doctor(&b->f.context, &lacks, &paths, &all, &n, &e), e);
    expect(t, "create", 0, true);
    expect(t, "fetch", 0, true);
    expect(t, "destroy", 0, true);
    expect_end(t);
}

#define trail_test(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        trail_test(a_life_leaves_its_trail),        trail_test(what_fails_is_there_too),
        trail_test(each_of_several_leaves_its_own), trail_test(the_hook_leaves_its_trail),
        trail_test(recover_leaves_its_trail),       trail_test(doctor_leaves_no_failure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
