/* SPDX-License-Identifier: Apache-2.0 */
/* How long a keeper stays, and the file by which it is known. */
#include "disks/state.h"
#include "disks/tenure.h"

#include "base/fd.h"
#include "folder.h"

#include <signal.h>
#include <sys/wait.h>

#define LONG_MSEC 1000000000U

static int new_state(void **state, uint64_t until_msec, uint32_t gone_msec)
{
    const struct state s = {
        .magic = STATE_MAGIC, .map = "MAYFLY-1", .until_msec = until_msec, .gone_msec = gone_msec};
    folder_write(state, "state", "");
    int fd = open(folder_path(state, "state"), O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(state_write(fd, &s), 0);
    assert_int_equal(state_set_connections(fd, 0), 0);
    assert_int_equal(ftruncate(fd, sizeof s), 0);
    return fd;
}

/* A child has the file; it ends when the pipe does. */
static pid_t hold(int state_fd, int ret_pipe[2])
{
    char byte;
    int taken[2];
    assert_int_equal(pipe2(ret_pipe, O_CLOEXEC), 0);
    assert_int_equal(pipe2(taken, O_CLOEXEC), 0);
    pid_t child = fork();
    if (child == 0) {
        close(ret_pipe[1]);
        bool took = state_take(state_fd) == 0 && write(taken[1], "", 1) == 1;
        (void)!read(ret_pipe[0], &byte, 1);
        _exit(!took);
    }
    close(taken[1]);
    assert_int_equal(read(taken[0], &byte, 1), 1);
    close(taken[0]);
    return child;
}

static void two_keepers_never_serve_one_disk(void **state)
{
    _cleanup_close_ int fd = new_state(state, 0, LONG_MSEC);
    struct tenure t = {.state_fd = fd, .opener_fd = -1};
    int ends[2];
    pid_t other = hold(fd, ends), holder = 0;
    assert_int_equal(state_holder(fd, &holder), 0);
    assert_int_equal(holder, other);
    REFUSED_WITH(-EBUSY, "serves the same disk", tenure_begin(&t, &e));
    close(ends[1]);
    assert_int_equal(waitpid(other, NULL, 0), other);
    close(ends[0]);
    assert_int_equal(state_holder(fd, &holder), 0);
    assert_int_equal(holder, 0);
    OK(tenure_begin(&t, &e));
}

static void what_is_no_state_is_not_believed(void **state)
{
    struct state s;
    _cleanup_close_ int fd = new_state(state, STATE_FOREVER, LONG_MSEC);
    struct tenure t = {.state_fd = fd, .opener_fd = -1};
    OK(tenure_begin(&t, &e));
    assert_int_equal(tenure_left_msec(&t), -1);

    memset(&s, 'x', sizeof s); /* no end of text in it */
    memcpy(s.magic, STATE_MAGIC, sizeof s.magic);
    assert_int_equal(pwrite(fd, &s, sizeof s, 0), sizeof s);
    assert_int_equal(state_read(fd, &s), -EPROTO);

    s = (struct state){.magic = "mayfly-disks 9\n", .until_msec = STATE_FOREVER, .gone_msec = LONG_MSEC};
    assert_int_equal(pwrite(fd, &s, sizeof s, 0), sizeof s);
    assert_int_equal(state_read(fd, &s), -EPROTO);
    assert_int_equal(tenure_left_msec(&t), 0); /* nor does it keep the key here */
    assert_int_equal(ftruncate(fd, 10), 0);
    assert_true(state_read(fd, &s) < 0);
    assert_int_equal(tenure_left_msec(&t), 0);
}

/* Of a worker that was killed no front end is left, whatever it said before. */
static void it_ends_when_all_are_gone(void **state)
{
    struct state s;
    _cleanup_close_ int fd = new_state(state, 0, LONG_MSEC);
    struct tenure t = {.state_fd = fd, .opener_fd = -1};
    OK(tenure_begin(&t, &e));
    tenure_come(&t);
    tenure_come(&t);
    assert_int_equal(state_read(fd, &s), 0);
    assert_int_equal(s.connections, 2);
    assert_int_equal(tenure_left_msec(&t), -1);
    tenure_gone(&t);
    assert_int_equal(tenure_left_msec(&t), -1);
    tenure_gone(&t);
    assert_int_equal(state_read(fd, &s), 0);
    assert_int_equal(s.connections, 0);
    assert_in_range(tenure_left_msec(&t), 1, LONG_MSEC);
    s.gone_msec = 0;
    assert_int_equal(state_write(fd, &s), 0);
    assert_int_equal(tenure_left_msec(&t), 0);
}

#define TENURE_TEST(f) cmocka_unit_test_setup_teardown(f, folder_make, folder_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TENURE_TEST(two_keepers_never_serve_one_disk),
        TENURE_TEST(what_is_no_state_is_not_believed),
        TENURE_TEST(it_ends_when_all_are_gone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
