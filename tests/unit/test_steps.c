/* SPDX-License-Identifier: Apache-2.0 */
/* The engine: order, unwinding, which error is told, and what an anchor keeps. */
#include "unit.h"

#include "instance/steps.h"

#include <stdio.h>
#include <string.h>

/* One letter a call: "a" ran, "A" undone. */
static char trace[64];
static char warned[128];
static unsigned stop_after; /* calls; 0: never */
static bool held;

struct letter {
    char name;
    int run, undo; /* what they return */
};

static void note(char c)
{
    size_t n = strlen(trace);
    trace[n] = c;
    trace[n + 1] = '\0';
}

static int run(const struct context *c, void *object, struct error *e)
{
    const struct letter *l = object;
    note(l->name);
    if (l->name == 'p') /* a point of no return */
        context_hold_stop(c);
    return l->run < 0 ? error_set(e, l->run, "run %c", l->name) : 0;
}

static int undo(const struct context *c, void *object, struct error *e)
{
    const struct letter *l = object;
    (void)c;
    note((char)(l->name - 'a' + 'A'));
    return l->undo < 0 ? error_set(e, l->undo, "undo %c", l->name) : 0;
}

static int silent(const struct context *c, void *object, struct error *e)
{
    (void)c, (void)object, (void)e;
    return -EIO;
}

static bool stopped(void)
{
    return stop_after && !held && strlen(trace) >= stop_after;
}

static unsigned told_alive;

static void alive(struct broker *b)
{
    (void)b;
    told_alive++;
}

/* Whoever works for long asks this again and again; a client that says nothing loses its locks. */
static void who_looks_for_a_stop_is_alive(void **state)
{
    (void)state;
    static const struct broker_ops ops = {.alive = alive};
    struct broker broker = {.ops = &ops};
    struct context context = {.broker = &broker, .stopped = stopped};
    stop_after = 0;
    assert_false(context_stopped(&context));
    assert_false(context_stopped(&context));
    assert_int_equal(told_alive, 2);
    context = (struct context){.broker = NULL};
    assert_false(context_stopped(&context));
}

static void hold_stop(bool on)
{
    held = on;
}

static void on_step(void *data, const char *what)
{
    (void)data;
    snprintf(warned, sizeof warned, "%s", what);
}

static int go(struct letter *letters, size_t n, int anchor, struct error *e)
{
    static const struct reporter reporter = {.step = on_step};
    const struct context c = {.reporter = &reporter, .stopped = stopped, .hold_stop = hold_stop};
    _cleanup_steps_ struct steps *s = NULL;
    trace[0] = '\0';
    assert_int_equal(steps_new(&s, e), 0);
    for (size_t i = 0; i < n; i++)
        assert_int_equal((int)i == anchor
                             ? steps_add_anchor(s, run, undo, &letters[i], e, "step %c", letters[i].name)
                             : steps_add(s, run, undo, &letters[i], e, "step %c", letters[i].name),
                         0);
    assert_int_equal(steps_count(s), n);
    assert_string_equal(steps_what(s, 1), "step b");
    return steps_run(s, &c, e);
}

#define ABC                                                                                                  \
    {                                                                                                        \
        {'a', 0, 0}, {'b', 0, 0},                                                                            \
        {                                                                                                    \
            'c', 0, 0                                                                                        \
        }                                                                                                    \
    }

static void test_all_run(void **state)
{
    struct letter abc[] = ABC;
    struct error e = ERROR_NONE;
    (void)state;
    assert_ok(go(abc, 3, -1, &e), e);
    assert_string_equal(trace, "abc");
    assert_string_equal(warned, "step c");
}

/* The one that failed may have had its effect. */
static void test_failed_is_undone_too(void **state)
{
    struct letter abc[] = ABC;
    struct error e = ERROR_NONE;
    (void)state;
    abc[1].run = -ENOSPC;
    assert_error(go(abc, 3, -1, &e), -ENOSPC, e);
    assert_string_equal(trace, "abBA");
    assert_string_equal(e.text, "run b");
    assert_int_equal(e.errnum, -ENOSPC);
    assert_string_equal(warned, "undo: step a");
}

static void test_first_error_stays_and_rest_is_undone(void **state)
{
    struct letter abc[] = ABC;
    struct error e = ERROR_NONE;
    (void)state;
    abc[2].run = -ENOSPC;
    abc[1].undo = -EBUSY;
    assert_error(go(abc, 3, -1, &e), -ENEEDSRECOVER, e);
    assert_string_equal(trace, "abcCBA");
    assert_int_equal(e.errnum, -ENEEDSRECOVER);
    assert_int_equal(strncmp(e.text, "run c; ", 7), 0);
    assert_non_null(strstr(e.text, "step b: undo b"));
    assert_non_null(strstr(e.text, "mayfly recover"));
}

static void test_anchor_keeps_what_is_below(void **state)
{
    struct letter abc[] = ABC;
    struct error e = ERROR_NONE;
    (void)state;
    abc[2].run = -ENOSPC;
    abc[1].undo = -EBUSY;
    assert_error(go(abc, 3, 1, &e), -ENEEDSRECOVER, e);
    assert_string_equal(trace, "abcCB");

    abc[1].undo = 0;
    e = ERROR_NONE;
    assert_error(go(abc, 3, 1, &e), -ENOSPC, e);
    assert_string_equal(trace, "abcCBA");
}

static void test_stop_undoes(void **state)
{
    struct letter abc[] = ABC;
    struct error e = ERROR_NONE;
    (void)state;
    stop_after = 2;
    assert_error(go(abc, 3, -1, &e), -ECANCELED, e);
    stop_after = 0;
    assert_string_equal(trace, "abBA");
    assert_string_equal(e.text, "step c: stopped before this step");
}

static void test_stop_after_the_point_of_no_return_waits(void **state)
{
    struct letter apc[] = ABC;
    struct error e = ERROR_NONE;
    (void)state;
    apc[1].name = 'p';
    stop_after = 2;
    _cleanup_steps_ struct steps *s = NULL;
    const struct context c = {.stopped = stopped, .hold_stop = hold_stop};
    trace[0] = '\0';
    assert_ok(steps_new(&s, &e), e);
    for (size_t i = 0; i < 3; i++)
        assert_ok(steps_add(s, run, undo, &apc[i], &e, "step %c", apc[i].name), e);
    assert_ok(steps_run(s, &c, &e), e);
    assert_string_equal(trace, "apc");
    assert_false(held);

    stop_after = 1; /* before it, the stop is heeded */
    trace[0] = '\0';
    assert_error(steps_run(s, &c, &e), -ECANCELED, e);
    stop_after = 0;
    assert_string_equal(trace, "aA");
}

static void test_step_without_words(void **state)
{
    _cleanup_steps_ struct steps *s = NULL;
    const struct context c = {0};
    struct error e = ERROR_NONE;
    (void)state;
    assert_ok(steps_new(&s, &e), e);
    assert_ok(steps_add(s, silent, NULL, NULL, &e, "mark %d", 7), e);
    assert_error(steps_run(s, &c, &e), -EIO, e);
    assert_string_equal(e.text, "mark 7: failed: Input/output error");
}

static void test_many(void **state)
{
    _cleanup_steps_ struct steps *s = NULL;
    struct error e = ERROR_NONE;
    (void)state;
    assert_ok(steps_new(&s, &e), e);
    for (int i = 0; i < 1000; i++)
        assert_ok(steps_add(s, silent, NULL, NULL, &e, "step %d", i), e);
    assert_int_equal(steps_count(s), 1000);
    assert_string_equal(steps_what(s, 999), "step 999");
    assert_null(steps_free(NULL));
}

/* [abc]: these at once. */
static void run_at_once(const struct context *c, void *const objects[], size_t n, struct error why[])
{
    note('[');
    for (size_t i = 0; i < n; i++)
        (void)!run(c, objects[i], &why[i]);
    note(']');
}

/* Six lists of three steps, the second of which can be done at once: a to f, g to l, m to r. */
#define LISTS 6
static void go_side_by_side(int fails, int result, struct error why[LISTS])
{
    static struct letter letters[3 * LISTS];
    struct steps *lists[LISTS];
    const struct context c = {.stopped = stopped};
    struct error e = ERROR_NONE;
    trace[0] = '\0';
    for (int i = 0; i < LISTS; i++) {
        assert_ok(steps_new(&lists[i], &e), e);
        for (int n = 0; n < 3; n++) {
            struct letter *l = &letters[n * LISTS + i];
            *l = (struct letter){.name = (char)('a' + n * LISTS + i)};
            l->run = l->name == fails ? result : 0;
            assert_ok(n == 1 ? steps_add_at_once(lists[i], run_at_once, undo, l, &e, "step %c", l->name)
                             : steps_add(lists[i], run, undo, l, &e, "step %c", l->name),
                      e);
        }
    }
    steps_run_many(lists, LISTS, &c, why);
    for (int i = 0; i < LISTS; i++)
        steps_free(lists[i]);
}

static void test_side_by_side(void **state)
{
    struct error why[LISTS];
    (void)state;
    go_side_by_side(0, 0, why);
    assert_string_equal(trace, "abcdef[ghij]mnop[kl]qr");
    go_side_by_side('c', -EIO, why); /* a list that fails keeps none of the others */
    assert_string_equal(trace, "abcCdef[ghjk]mnpq[l]r");
    assert_int_equal(why[2].errnum, -EIO);
    assert_string_equal(why[2].text, "run c");
    go_side_by_side('h', -EBUSY, why);
    assert_string_equal(trace, "abcdef[ghij]mHBop[kl]qr");
    assert_int_equal(why[1].errnum, -EBUSY);
    for (size_t i = 0; i < LISTS; i++)
        assert_int_equal(why[i].errnum, i == 1 ? -EBUSY : 0);
}

/* The same of one list: an error undoes all of it. */
static void test_many_at_once(void **state)
{
    struct letter letters[] = {{'a', 0, 0}, {'b', 0, 0}, {'c', 0, 0}, {'d', 0, 0},
                               {'e', 0, 0}, {'f', 0, 0}, {'g', 0, 0}};
    _cleanup_steps_ struct steps *s = NULL;
    const struct context c = {.stopped = stopped};
    struct error e = ERROR_NONE;
    (void)state;
    assert_ok(steps_new(&s, &e), e);
    for (size_t i = 0; i < ARRAY_SIZE(letters); i++)
        assert_ok(i > 0 && i < 6 ? steps_add_at_once(s, run_at_once, undo, &letters[i], &e, "step %zu", i)
                                 : steps_add(s, run, undo, &letters[i], &e, "step %zu", i),
                  e);
    trace[0] = '\0';
    assert_ok(steps_run(s, &c, &e), e);
    assert_string_equal(trace, "a[bcde][f]g");
    letters[2].run = -EIO;
    letters[3].run = -EBUSY;
    trace[0] = '\0';
    assert_error(steps_run(s, &c, &e), -EIO, e);
    assert_string_equal(trace, "a[bcde]EDCBA");
    assert_string_equal(e.text, "run c");
}

/* What was begun at once is completed, and undone where it is not all of its list. */
static void test_stop_side_by_side(void **state)
{
    struct error why[LISTS];
    (void)state;
    stop_after = 8; /* [g */
    go_side_by_side(0, 0, why);
    stop_after = 0;
    assert_string_equal(trace, "abcdef[ghij]GAHBICJDEF");
    for (size_t i = 0; i < LISTS; i++)
        assert_int_equal(why[i].errnum, -ECANCELED);
    assert_string_equal(why[0].text, "step m: stopped before this step");
    assert_string_equal(why[5].text, "step l: stopped before this step");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_looks_for_a_stop_is_alive),
        cmocka_unit_test(test_all_run),
        cmocka_unit_test(test_failed_is_undone_too),
        cmocka_unit_test(test_first_error_stays_and_rest_is_undone),
        cmocka_unit_test(test_anchor_keeps_what_is_below),
        cmocka_unit_test(test_stop_undoes),
        cmocka_unit_test(test_side_by_side),
        cmocka_unit_test(test_many_at_once),
        cmocka_unit_test(test_stop_side_by_side),
        cmocka_unit_test(test_stop_after_the_point_of_no_return_waits),
        cmocka_unit_test(test_step_without_words),
        cmocka_unit_test(test_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
