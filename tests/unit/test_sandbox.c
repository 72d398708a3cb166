/* SPDX-License-Identifier: Apache-2.0 */
/* What the broker can no more do in its sandbox. Each try is in a child, since there is no way out of it. */
#include "base/process.h"
#include "broker/sandbox.h"
#include "unit.h"

#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static bool denied(long result)
{
    return result < 0 && errno == EPERM;
}

/* The number of the first thing that is not as it should be. */
static int try_all(void)
{
    struct error e = ERROR_NONE;
    struct rlimit core;
    const char *argv[] = {"true", NULL};

    if (sandbox_harden(&e) < 0 || sandbox_enter(&e) < 0)
        return dprintf(2, "%s\n", e.text), 1;
    if (!denied(socket(AF_INET, SOCK_STREAM, 0)) || !denied(socket(AF_INET6, SOCK_DGRAM, 0)) ||
        !denied(socket(AF_NETLINK, SOCK_RAW, 0)) || !denied(socket(AF_PACKET, SOCK_RAW, 0)))
        return 2;
    if (socket(AF_UNIX, SOCK_STREAM, 0) < 0)
        return 3;
    if (!denied(ptrace(PTRACE_TRACEME, 0, 0, 0)) || !denied(unshare(CLONE_NEWUSER)))
        return 4;
    if (!denied(mount("none", "/mnt", "tmpfs", 0, NULL)) || !denied(chroot("/")))
        return 5;
    if (!denied(setuid(1)))
        return 6;
    if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1 || prctl(PR_GET_DUMPABLE) != 0 ||
        prctl(PR_GET_SECCOMP) != 2)
        return 7;
    if (getrlimit(RLIMIT_CORE, &core) < 0 || core.rlim_max != 0 || umask(0) != 077)
        return 8;
    if (prctl(PR_CAPBSET_READ, 12 /* CAP_NET_ADMIN */) != 0 ||
        prctl(PR_CAPBSET_READ, 16 /* SYS_MODULE */) != 0)
        return 9;
    return process_run(argv, 10, NULL, &e) == 0 ? 0 : 10;
}

static void it_holds(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip();
    int status = -1;
    pid_t pid = fork();
    if (pid == 0)
        _exit(try_all());
    waitpid(pid, &status, 0);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(it_holds)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
