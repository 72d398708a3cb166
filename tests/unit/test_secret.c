/* SPDX-License-Identifier: Apache-2.0 */
#include "base/fd.h"
#include "secret/secret.h"
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
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

static void each_byte_and_the_size_are_compared(void **state)
{
    (void)state;
    struct error e = ERROR_NONE;
    _cleanup_secret_ struct secret *a = NULL, *b = NULL, *shorter = NULL;
    assert_ok(secret_random(64, &a, &e), e);
    assert_ok(secret_new(64, &b, &e), e);
    assert_ok(secret_new(63, &shorter, &e), e);
    memcpy(secret_bytes(b), secret_peek(a), 64);
    memcpy(secret_bytes(shorter), secret_peek(a), 63);
    assert_true(secret_equal(a, b));
    assert_false(secret_equal(a, shorter));
    assert_false(secret_equal(shorter, a));
    for (size_t i = 0; i < 64; i++) {
        secret_bytes(b)[i] ^= 1;
        assert_false(secret_equal(a, b));
        secret_bytes(b)[i] ^= 1;
    }
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

    /* nor one of another size */
    assert_int_equal(ftruncate(fd, 8192), 0);
    assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL), 0);
    assert_error(secret_receive(fd, 64, &got, &e), -EPROTO, e);

    static const int seals[] = {F_SEAL_SHRINK, F_SEAL_GROW, F_SEAL_SEAL};
    for (size_t left_out = 0; left_out <= ARRAY_SIZE(seals); left_out++) {
        _cleanup_close_ int sealed = memfd_create("t", MFD_ALLOW_SEALING);
        assert_int_equal(ftruncate(sealed, 4096), 0);
        for (size_t i = 0; i < ARRAY_SIZE(seals); i++) /* the last one allows no others */
            if (i != left_out)
                assert_int_equal(fcntl(sealed, F_ADD_SEALS, seals[i]), 0);
        int wanted = left_out < ARRAY_SIZE(seals) ? -EPROTO : 0;
        assert_error(secret_receive(sealed, 64, &got, &e), wanted, e);
    }
    got = secret_free(got);
}

static void one_of_another_size_is_refused(void **state)
{
    (void)state;
    struct error e = ERROR_NONE;
    struct secret *got = NULL;
    _cleanup_secret_ struct secret *s = NULL;
    _cleanup_handover_ struct secret_handover *h = NULL;
    assert_ok(secret_random(64, &s, &e), e);
    assert_ok(secret_handover(s, &h, &e), e);
    assert_error(secret_receive(secret_handover_fd(h), 4097, &got, &e), -EPROTO, e);
    assert_null(got);
}

/* Whoever was given the descriptor may have kept a copy of it. */
static void what_was_handed_over_is_wiped_at_the_end(void **state)
{
    (void)state;
    struct error e = ERROR_NONE;
    _cleanup_secret_ struct secret *s = NULL, *got = NULL;
    struct secret_handover *h = NULL;
    assert_ok(secret_random(64, &s, &e), e);
    assert_ok(secret_handover(s, &h, &e), e);
    int fd = secret_handover_fd(h);
    _cleanup_close_ int kept = dup(fd);
    assert_null(secret_handover_end(h));
    assert_true(fcntl(fd, F_GETFD) < 0);
    assert_ok(secret_receive(kept, 64, &got, &e), e);
    static const uint8_t zeros[64];
    assert_memory_equal(secret_peek(got), zeros, 64);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_random_secrets_differ),
        cmocka_unit_test(each_byte_and_the_size_are_compared),
        cmocka_unit_test(a_forked_child_sees_none),
        cmocka_unit_test(it_is_handed_over_and_wiped_behind),
        cmocka_unit_test(a_descriptor_that_can_be_cut_is_refused),
        cmocka_unit_test(one_of_another_size_is_refused),
        cmocka_unit_test(what_was_handed_over_is_wiped_at_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
