/* SPDX-License-Identifier: Apache-2.0 */
#include "base/fd.h"
#include "secret/secret.h"
#include "unit.h"

#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static void two_random_secrets_differ(void **state)
{
    (void)state;
    struct error e = ERROR_NONE;
    _cleanup_secret_ struct secret *a = NULL, *b = NULL;
    assert_ok(secret_random(64, &a, &e), e);
    assert_ok(secret_random(64, &b, &e), e);
    assert_int_equal(secret_size(a), 64);
    assert_false(secret_equal(a, b));
    assert_true(secret_equal(a, a));
}

static void a_forked_child_sees_none(void **state)
{
    (void)state;
    struct error e = ERROR_NONE;
    _cleanup_secret_ struct secret *s = NULL;
    assert_ok(secret_new(32, &s, &e), e);
    memset(secret_bytes(s), 0x5a, 32);
    const uint8_t *bytes = secret_peek(s);
    pid_t pid = fork();
    if (pid == 0)
        _exit(bytes[0] == 0 ? 0 : 1);
    int status = 1;
    waitpid(pid, &status, 0);
    assert_int_equal(status, 0);
    assert_int_equal(bytes[0], 0x5a);
}

static void it_is_handed_over_and_wiped_behind(void **state)
{
    (void)state;
    struct error e = ERROR_NONE;
    _cleanup_secret_ struct secret *s = NULL, *got = NULL, *again = NULL;
    _cleanup_handover_ struct secret_handover *h = NULL;
    assert_ok(secret_random(64, &s, &e), e);
    assert_ok(secret_handover(s, &h, &e), e);
    assert_ok(secret_receive(secret_handover_fd(h), 64, &got, &e), e);
    assert_true(secret_equal(s, got));

    assert_ok(secret_receive(secret_handover_fd(h), 64, &again, &e), e);
    static const uint8_t zeros[64];
    assert_memory_equal(secret_peek(again), zeros, 64);
}

static void a_descriptor_that_can_be_cut_is_refused(void **state)
{
    (void)state;
    struct error e = ERROR_NONE;
    struct secret *got = NULL;
    _cleanup_close_ int fd = memfd_create("t", MFD_ALLOW_SEALING);
    assert_int_equal(ftruncate(fd, 4096), 0);
    assert_error(secret_receive(fd, 64, &got, &e), -EPROTO, e);
    assert_error(secret_receive(STDIN_FILENO, 64, &got, &e), -EPROTO, e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_random_secrets_differ),
        cmocka_unit_test(a_forked_child_sees_none),
        cmocka_unit_test(it_is_handed_over_and_wiped_behind),
        cmocka_unit_test(a_descriptor_that_can_be_cut_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
