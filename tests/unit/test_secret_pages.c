/* SPDX-License-Identifier: Apache-2.0 */
/* What the kernel knows of the pages of a secret, and what is in them when they are given back.
 * Built without AddressSanitizer, which has mlock() do nothing, and linked with --wrap=munmap,--wrap=syscall.
 */
#include "image/image-internal.h"
#include "no-memfd-secret.h"
#include "secret/secret.h"
#include "unit.h"

#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define SIZE   64
#define NOBODY 65534

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

/* Of the mapping that `at` is in, or of the one of a file `name`, as in proc(5): lo locked, dd not dumped, wf
 * wiped in a forked child. */
static bool mapping_has_flag(const void *at, const char *name, const char *flag)
{
    char line[512];
    bool here = false;
    _cleanup_fclose_ FILE *maps = fopen("/proc/self/smaps", "re");
    while (maps && fgets(line, sizeof line, maps)) {
        uintptr_t start = 0, end = 0;
        if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR " ", &start, &end) == 2)
            here = name ? strstr(line, name) != NULL : (uintptr_t)at >= start && (uintptr_t)at < end;
        else if (here && strncmp(line, "VmFlags:", 8) == 0)
            return strstr(line, flag) != NULL;
    }
    return false;
}

static bool has_flag(const void *at, const char *flag)
{
    return mapping_has_flag(at, NULL, flag);
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

static void what_is_handed_over_is_locked_and_not_dumped(void **state)
{
    (void)state;
    struct error e = ERROR_NONE;
    _cleanup_secret_ struct secret *s = NULL;
    assert_ok(secret_random(SIZE, &s, &e), e);
    no_memfd_secret = true;
    _cleanup_handover_ struct secret_handover *h = NULL;
    int r = secret_handover(s, &h, &e);
    no_memfd_secret = false;
    assert_ok(r, e);
    assert_true(mapping_has_flag(NULL, "memfd:mayfly-secret", " lo"));
    assert_true(mapping_has_flag(NULL, "memfd:mayfly-secret", " dd"));
    assert_int_equal(fcntl(secret_handover_fd(h), F_GET_SEALS) & (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL),
                     F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
    assert_int_equal(fcntl(secret_handover_fd(h), F_GETFD), FD_CLOEXEC);
}

/* In a process of its own, which may lock so many bytes and no more. True if `is` says so. */
static bool with_limit(rlim_t bytes, bool (*is)(void))
{
    pid_t pid = fork();
    if (pid == 0) {
        struct rlimit limit = {bytes, bytes};
        _exit(setrlimit(RLIMIT_MEMLOCK, &limit) == 0 &&
                      (geteuid() != 0 || setresuid(NOBODY, NOBODY, NOBODY) == 0) && is()
                  ? 0
                  : 1);
    }
    int status = -1;
    waitpid(pid, &status, 0);
    return status == 0;
}

static bool none_can_be_had(void)
{
    struct error e = ERROR_NONE;
    struct secret *s = NULL;
    look_at_unmapping();
    return secret_random(SIZE, &s, &e) < 0 && !s && strstr(e.text, "RLIMIT_MEMLOCK") && unmapped == 1;
}

static bool there_is_room_for_three(void)
{
    return secret_pages_max() == 3;
}

static bool one_is_had_and_not_handed_over(void)
{
    struct error e = ERROR_NONE;
    struct secret *s = NULL;
    struct secret_handover *h = NULL;
    no_memfd_secret = true;
    bool good = secret_random(SIZE, &s, &e) == 0 && secret_handover(s, &h, &e) < 0 && !h &&
                strstr(e.text, "hand over");
    s = secret_free(s);
    return good;
}

static void what_cannot_be_locked_is_not_made(void **state)
{
    (void)state;
    rlim_t page = (rlim_t)sysconf(_SC_PAGESIZE);
    assert_true(with_limit(0, none_can_be_had));
    assert_true(with_limit(3 * page, there_is_room_for_three));
    assert_true(with_limit(page, one_is_had_and_not_handed_over));
}

/* Plaintext of a guest, on its way from or to an encrypted image; dc: not there in a forked child. */
static void memory_of_an_image_is_kept_as_well(void **state)
{
    (void)state;
    struct image_memory m = {.data = NULL};
    struct error e = ERROR_NONE;
    assert_ok(image_memory_new(&m, 1 << 16, true, "image", &e), e);
    assert_true(has_flag(m.data, " lo"));
    assert_true(has_flag(m.data, " dd"));
    assert_true(has_flag(m.data, " dc"));
    memset(m.data, 0x5a, m.bytes);
    look_at_unmapping();
    image_memory_free(&m);
    assert_int_equal(unmapped, 1);
    assert_int_equal(dirty, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(its_pages_are_locked_and_not_dumped),
        cmocka_unit_test(it_is_wiped_before_it_is_given_back),
        cmocka_unit_test(what_is_handed_over_is_wiped_on_both_sides),
        cmocka_unit_test(what_is_handed_over_is_locked_and_not_dumped),
        cmocka_unit_test(what_cannot_be_locked_is_not_made),
        cmocka_unit_test(memory_of_an_image_is_kept_as_well),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
