/* SPDX-License-Identifier: Apache-2.0 */
/* Programs are started, and their users looked up, while each call of the system fails once, one after the
 * other. */
#include "base/fd.h"
#include "base/process.h"
#include "base/str.h"
#include "base/user.h"
#include "child.h"
#include "fail-once.h"
#include "unit.h"

#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

WRAP(int, pipe2, (errno = EMFILE, -1), (int ends[2], int flags), (ends, flags))
WRAP(pid_t, fork, (errno = EAGAIN, -1), (void), ())
WRAP(void *, realloc, NO_MEMORY, (void *old, size_t size), (old, size))
WRAP(pid_t, waitpid, (errno = EINTR, -1), (pid_t pid, int *status, int flags), (pid, status, flags))
WRAP(int, socketpair, (errno = EMFILE, -1), (int domain, int type, int protocol, int ends[2]),
     (domain, type, protocol, ends))
WRAP(int, posix_spawn_file_actions_init, ENOMEM, (posix_spawn_file_actions_t * actions), (actions))
WRAP(int, posix_spawnattr_init, ENOMEM, (posix_spawnattr_t * attributes), (attributes))
WRAP(int, memfd_create, (errno = EINVAL, -1), (const char *name, unsigned flags), (name, flags))

/* What the functions below are tried with. */
static const char *const echo[] = {"sh", "-c", "echo a line; echo another", NULL};
static char *output;

static int run(struct error *e)
{
    return process_run(echo, 30, &output, e);
}

static int start_peer(struct error *e)
{
    static const char *const program[] = {"/bin/true", NULL};
    int socket = -1;
    pid_t pid = -1;
    int r = process_start_peer(program, &socket, &pid, e);
    assert_true((socket >= 0) == (r == 0) && (pid > 0) == (r == 0));
    fd_close(socket);
    if (r == 0)
        assert_int_equal(process_wait(pid, 30000), 0);
    return r;
}

static void no_failure_is_passed_over(void **state)
{
    static const struct {
        int (*act)(struct error *e);
        const char *spared; /* an interrupted wait goes on */
    } operations[] = {{run, "waitpid"}, {start_peer, "waitpid"}};
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(operations); i++) {
        unsigned n = 0;
        do {
            struct error e = ERROR_NONE;
            calls = 0;
            failed = NULL;
            fail_at = ++n;
            int r = operations[i].act(&e);
            fail_at = 0;
            if (r == 0 && failed && !streq(failed, operations[i].spared))
                fail_msg("%s failed, and nobody is told", failed);
            assert_true(r == 0 || (failed && e.errnum == r && e.text[0]));
            if (output)
                assert_string_equal(output, "a line\nanother\n");
            free(TAKE_PTR(output));
            assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* no child stays */
        } while (failed);
        assert_true(n > 3);
    }
}

/* As on a kernel before 6.3, which does not know a flag. */
static void an_older_kernel_has_memory_files(void **state)
{
    (void)state;
    calls = 0;
    fail_at = 1;
    int fd = fd_memfd_empty("test", 0);
    fail_at = 0;
    assert_true(fd >= 0);
    close(fd);
}

/* A program that closes its output and goes on, and one that never ends. */
static void what_does_not_end_is_killed(void **state)
{
    static const char *const silent[] = {"sh", "-c", "exec >&- 2>&-; exec sleep 100", NULL};
    (void)state;
    struct error e = ERROR_NONE;
    assert_error(process_run(silent, 1, NULL, &e), -ETIMEDOUT, e);
    assert_non_null(strstr(e.text, "did not end within 1 seconds and was killed"));
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

static int refuse(void)
{
    return -EPERM;
}

static void a_child_that_cannot_be_prepared_runs_nothing(void **state)
{
    static const char *const touch[] = {"touch", "/dev/shm/must-not-be-there", NULL};
    (void)state;
    struct error e = ERROR_NONE;
    assert_error(process_run_prepared(-1, refuse, touch, 30, NULL, &e), -EIO, e);
    assert_non_null(strstr(e.text, "exited with status 126"));
    assert_int_equal(access(touch[1], F_OK), -1);
}

/* SIGINT of the terminal that came while it was started is meant for its parent. */
static void signals_before_the_begin_are_forgotten(void **state)
{
    (void)state;
    pid_t pid = fork();
    if (pid == 0) {
        sigset_t set;
        sigemptyset(&set);
        sigaddset(&set, SIGINT);
        sigaddset(&set, SIGTERM);
        sigaddset(&set, SIGHUP);
        sigprocmask(SIG_BLOCK, &set, NULL);
        raise(SIGINT);
        raise(SIGHUP);
        process_begin_peer();
        raise(SIGTERM); /* and later ones are not */
        _exit(1);
    }
    int status = child_status(pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
}

static __attribute__((noinline)) void leave_ones_on_the_stack(void)
{
    volatile unsigned char room[8192];
    for (size_t i = 0; i < sizeof room; i++)
        room[i] = 0xff;
}

/* Other signals stay as who started it has left them. */
static void other_signals_stay_blocked(void **state)
{
    (void)state;
    pid_t pid = fork();
    if (pid == 0) {
        sigset_t set;
        sigemptyset(&set);
        sigaddset(&set, SIGUSR1);
        sigprocmask(SIG_BLOCK, &set, NULL);
        leave_ones_on_the_stack();
        process_begin_peer();
        raise(SIGUSR1);
        _exit(0);
    }
    assert_int_equal(child_status(pid), 0);
}

/* --------------------------------------------------------- users and groups */

/* --wrap: a group that has these members. */
static struct group *the_group;

struct group *__wrap_getgrnam(const char *name);
struct group *__wrap_getgrnam(const char *name)
{
    return streq(name, "libvirt") ? the_group : NULL;
}

static void members_of_a_group_are_known(void **state)
{
    char alice[] = "alice", bob[] = "bob", *members[] = {alice, bob, NULL};
    struct group another = {.gr_gid = 54321, .gr_mem = members},
                 own = {.gr_gid = getgid(), .gr_mem = members};
    char name[USER_NAME_MAX];
    (void)state;
    the_group = &another;
    assert_int_equal(membership("bob", "libvirt"), MEMBER_LATER);
    assert_int_equal(membership("carol", "libvirt"), MEMBER_NO);
    assert_int_equal(membership("bob", "none"), MEMBER_NO);
    the_group = &own;
    assert_int_equal(membership("carol", "libvirt"), MEMBER_YES);
    assert_string_equal(user_name(0, name), "root");
    assert_string_equal(user_name(54321, name), "54321"); /* there is no such user */
}

/* Of any user, whoever asks: by the name or as his own group. Of one that there is not, nothing. */
static void groups_of_others_are_known(void **state)
{
    char *members[] = {(char *)"daemon", (char *)"no-such-user", NULL}, *none[] = {NULL};
    struct group some = {.gr_gid = 54321, .gr_mem = members}, roots = {.gr_gid = 0, .gr_mem = none};
    (void)state;
    assert_true(user_exists("root"));
    assert_false(user_exists("no-such-user"));
    the_group = &some;
    assert_true(user_is_in_group("daemon", "libvirt"));
    assert_false(user_is_in_group("root", "libvirt"));
    assert_false(user_is_in_group("no-such-user", "libvirt"));
    assert_false(user_is_in_group("daemon", "none"));
    the_group = &roots;
    assert_true(user_is_in_group("root", "libvirt"));
    assert_false(user_is_in_group("daemon", "libvirt"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_failure_is_passed_over),
        cmocka_unit_test(groups_of_others_are_known),
        cmocka_unit_test(an_older_kernel_has_memory_files),
        cmocka_unit_test(what_does_not_end_is_killed),
        cmocka_unit_test(a_child_that_cannot_be_prepared_runs_nothing),
        cmocka_unit_test(signals_before_the_begin_are_forgotten),
        cmocka_unit_test(other_signals_stay_blocked),
        cmocka_unit_test(members_of_a_group_are_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
