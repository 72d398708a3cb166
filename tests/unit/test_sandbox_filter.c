/* SPDX-License-Identifier: Apache-2.0 */
/* The broker's filter of system calls alone, without the capabilities that are dropped before it: each call
 * is tried with arguments that the kernel refuses for another reason, or that do nothing. Linked with
 * --wrap=capng_apply. */
#include "broker/sandbox.h"
#include "child.h"
#include "unit.h"

#include <cap-ng.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

int __wrap_capng_apply(capng_select_t set);

int __wrap_capng_apply(capng_select_t set)
{
    (void)set;
    return 0;
}

#define BAD (-1L) /* no descriptor, no command, no flags */
#define LOW 1L    /* an address that nobody has */

static const char nowhere[] = "/nonexistent/file";

static const struct call {
    const char *name;
    long number, arguments[5];
} calls[] = {
#define CALL(name, ...)                                                                                      \
    {                                                                                                        \
#name, SYS_##name,                                                                                   \
        {                                                                                                    \
            __VA_ARGS__                                                                                      \
        }                                                                                                    \
    }
    CALL(ptrace, 0x9999, BAD),
    CALL(process_vm_readv, BAD),
    CALL(process_vm_writev, BAD),
    CALL(kcmp, BAD, BAD, BAD),
    CALL(pidfd_getfd, BAD, BAD, 0),
    CALL(init_module, 0, 0, LOW),
    CALL(finit_module, BAD, LOW, BAD),
    CALL(delete_module, LOW, 0),
    CALL(kexec_load, 0, 0, 0, BAD),
#ifdef SYS_kexec_file_load
    CALL(kexec_file_load, BAD, BAD, 0, 0, BAD),
#endif
    CALL(bpf, BAD, 0, 0),
    CALL(perf_event_open, LOW, 0, BAD, BAD, BAD),
    CALL(userfaultfd, BAD),
#ifdef SYS_iopl
    CALL(iopl, 0),
    CALL(ioperm, 0, 1, 0),
#endif
#ifdef SYS_modify_ldt
    CALL(modify_ldt, 99, 0, 0),
#endif
    CALL(syslog, 99, 0, 0),
    CALL(reboot, 0, 0, 0, 0),
    CALL(mount, LOW, LOW, LOW, 0, 0),
    CALL(umount2, (long)nowhere, 0),
    CALL(pivot_root, LOW, LOW),
    CALL(chroot, (long)nowhere),
    CALL(move_mount, BAD, LOW, BAD, LOW, BAD),
    CALL(open_tree, BAD, LOW, BAD),
    CALL(fsopen, LOW, 0),
    CALL(fsconfig, BAD, BAD, 0, 0, 0),
    CALL(fsmount, BAD, BAD, BAD),
    CALL(fspick, BAD, LOW, BAD),
    CALL(mount_setattr, BAD, LOW, BAD, 0, 0),
    CALL(unshare, CLONE_SETTLS),
    CALL(setns, BAD, 0),
    CALL(open_by_handle_at, BAD, LOW, 0),
    CALL(quotactl, BAD, LOW, 0, 0),
#ifdef SYS_quotactl_fd
    CALL(quotactl_fd, BAD, BAD, 0, 0),
#endif
    CALL(fanotify_init, BAD, BAD),
    CALL(swapon, (long)nowhere, 0),
    CALL(swapoff, (long)nowhere),
    CALL(acct, (long)nowhere),
    CALL(settimeofday, LOW, 0),
    CALL(clock_settime, 0, LOW),
    CALL(adjtimex, LOW),
    CALL(clock_adjtime, 0, LOW),
    CALL(sethostname, LOW, BAD),
    CALL(setdomainname, LOW, BAD),
    CALL(vhangup, 0),
    CALL(personality, UINT32_MAX),
    CALL(truncate, LOW, 0),
    CALL(io_uring_setup, BAD, 0),
#undef CALL
};

static bool is_denied(const struct call *c)
{
    const long *a = c->arguments;
    return syscall(c->number, a[0], a[1], a[2], a[3], a[4]) < 0 && errno == EPERM;
}

/* Which calls are denied, as seen by a child without a terminal, behind the filter or not. */
static void look(bool behind, bool denied[ARRAY_SIZE(calls)])
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t pid = fork();
    if (pid == 0) {
        struct error e = ERROR_NONE;
        setsid();
        if (behind && sandbox_enter(&e) < 0) {
            dprintf(STDERR_FILENO, "%s\n", e.text);
            _exit(1);
        }
        for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
            bool is = is_denied(&calls[i]);
            if (write(ends[1], &is, sizeof is) != (ssize_t)sizeof is)
                _exit(2);
        }
        _exit(0);
    }
    close(ends[1]);
    for (size_t i = 0; i < ARRAY_SIZE(calls); i++)
        if (read(ends[0], &denied[i], sizeof denied[i]) != (ssize_t)sizeof denied[i])
            fail_msg("%s: the child has ended", calls[i].name);
    close(ends[0]);
    assert_int_equal(child_status(pid), 0);
}

/* What the kernel denies by itself, as in a container, says nothing. */
static void each_call_is_denied(void **state)
{
    (void)state;
    bool before[ARRAY_SIZE(calls)], behind[ARRAY_SIZE(calls)];
    if (geteuid() != 0)
        skip();
    look(false, before);
    look(true, behind);
    for (size_t i = 0; i < ARRAY_SIZE(calls); i++)
        if (!behind[i])
            fail_msg("%s: is not denied", calls[i].name);
        else if (before[i])
            print_message("%s: is denied anyway\n", calls[i].name);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(each_call_is_denied)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
