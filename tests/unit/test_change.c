/* SPDX-License-Identifier: Apache-2.0 */
/* What changes an instance that is there: reboot. */
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
    assert_ok(instance_open(&b->f.context, "a", &changed, &e), e);
    assert_ok(instance_start(&b->f.context, "a", &changed, &e), e);
    assert_true(str_ends(b->w->host.maps[0].map.uuid, MAP_UUID_OPENED));
    assert_ok(instance_reboot(&b->f.context, "a", true, &changed, &e), e);
    assert_int_equal(b->w->host.n_maps, 2);
    assert_false(str_ends(b->w->host.maps[0].map.uuid, MAP_UUID_OPENED));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        bench_test(test_reboot_of_what_runs),
        bench_test(test_hard_reboot_wants_its_key_first),
        bench_test(test_hard_reboot_opens_anew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
