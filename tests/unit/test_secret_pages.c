/* SPDX-License-Identifier: Apache-2.0 */
/* What the kernel knows of the pages of a secret, and what is in them when they are given back.
 * Built without AddressSanitizer, which has mlock() do nothing, and linked with --wrap=munmap. */
#include "secret/secret.h"
#include "unit.h"

#include "base/fd.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#define SIZE 64

static size_t unmapped,
    dirty; /* mappings given back since look_at_unmapping(), and those with bytes in them */

int __real_munmap(void *map, size_t size);
int __wrap_munmap(void *map, size_t size);

int __wrap_munmap(void *map, size_t size)
{
    const uint8_t *bytes = map;
    bool clean = true;
    for (size_t i = 0; clean && i < size; i++)
        clean = bytes[i] == 0;
    unmapped++;
    dirty += !clean;
    return __real_munmap(map, size);
}

static void look_at_unmapping(void)
{
    unmapped = dirty = 0;
}

/* Of the mapping that `at` is in, as in proc(5): lo locked, dd not dumped, wf wiped in a forked child. */
static bool has_flag(const void *at, const char *flag)
{
    char line[512];
    bool here = false;
    _cleanup_fclose_ FILE *maps = fopen("/proc/self/smaps", "re");
    while (maps && fgets(line, sizeof line, maps)) {
        uintptr_t start = 0, end = 0;
        if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR " ", &start, &end) == 2)
            here = (uintptr_t)at >= start && (uintptr_t)at < end;
        else if (here && strncmp(line, "VmFlags:", 8) == 0)
            return strstr(line, flag) != NULL;
    }
    return false;
}

static void its_pages_are_locked_and_not_dumped(void **state)
{
    (void)state;
    struct error e = ERROR_NONE;
    _cleanup_secret_ struct secret *s = NULL;
    assert_ok(secret_random(SIZE, &s, &e), e);
    assert_true(has_flag(secret_peek(s), " lo"));
    assert_true(has_flag(secret_peek(s), " dd"));
    assert_true(has_flag(secret_peek(s), " wf"));
}

static void it_is_wiped_before_it_is_given_back(void **state)
{
    (void)state;
    struct error e = ERROR_NONE;
    struct secret *s = NULL;
    assert_ok(secret_random(SIZE, &s, &e), e);
    look_at_unmapping();
    s = secret_free(s);
    assert_int_equal(unmapped, 1);
    assert_int_equal(dirty, 0);
}

static void what_is_handed_over_is_wiped_on_both_sides(void **state)
{
    (void)state;
    struct error e = ERROR_NONE;
    _cleanup_secret_ struct secret *s = NULL, *got = NULL;
    struct secret_handover *h = NULL;
    assert_ok(secret_random(SIZE, &s, &e), e);
    assert_ok(secret_handover(s, &h, &e), e);
    look_at_unmapping();
    h = secret_handover_end(h);
    assert_int_equal(unmapped, 1);
    assert_int_equal(dirty, 0);

    assert_ok(secret_handover(s, &h, &e), e);
    look_at_unmapping();
    assert_ok(secret_receive(secret_handover_fd(h), SIZE, &got, &e), e);
    assert_int_equal(unmapped, 1);
    assert_int_equal(dirty, 0);
    assert_true(secret_equal(s, got));
    h = secret_handover_end(h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(its_pages_are_locked_and_not_dumped),
        cmocka_unit_test(it_is_wiped_before_it_is_given_back),
        cmocka_unit_test(what_is_handed_over_is_wiped_on_both_sides),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
