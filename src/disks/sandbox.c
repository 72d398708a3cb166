/* SPDX-License-Identifier: Apache-2.0 */
/* See sandbox.h. Two allow-lists; the worker has both. Another call fails with EPERM, since a library may
 * probe. Calls that no part of this program makes end the process. */
#include "disks/sandbox.h"

#include "base/allow-list.h"
#include "base/fd.h"
#include "base/landlock.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <linux/sched.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>

static const int both[] = {
    /* open descriptors */
    SCMP_SYS(read),
    SCMP_SYS(write),
    SCMP_SYS(writev),
    SCMP_SYS(pread64),
    SCMP_SYS(pwrite64),
    SCMP_SYS(preadv2),
    SCMP_SYS(fdatasync),
    SCMP_SYS(fallocate),
    SCMP_SYS(close),
    SCMP_SYS(fstat),
    SCMP_SYS(fstatfs),
    SCMP_SYS(ftruncate),
    SCMP_SYS(poll),
    SCMP_SYS(ppoll),
    /* front ends, keeper and worker */
    SCMP_SYS(recvmsg),
    SCMP_SYS(recvfrom),
    SCMP_SYS(sendmsg),
    SCMP_SYS(shutdown),
    /* memory */
    SCMP_SYS(memfd_create),
    SCMP_SYS(mmap),
    SCMP_SYS(munmap),
    SCMP_SYS(mremap),
    SCMP_SYS(mprotect),
    SCMP_SYS(madvise),
    SCMP_SYS(brk),
    SCMP_SYS(mlock),
    SCMP_SYS(munlock),
    /* the disks */
    SCMP_SYS(io_uring_enter),
    SCMP_SYS(io_uring_register),
    /* time, threads, signals, the process itself */
    SCMP_SYS(clock_gettime),
    SCMP_SYS(clock_nanosleep),
    SCMP_SYS(nanosleep),
    SCMP_SYS(futex),
    SCMP_SYS(restart_syscall),
    SCMP_SYS(rt_sigaction),
    SCMP_SYS(rt_sigprocmask),
    SCMP_SYS(rt_sigreturn),
    SCMP_SYS(sigaltstack),
    SCMP_SYS(set_robust_list),
    SCMP_SYS(rseq),
    SCMP_SYS(sched_yield),
    SCMP_SYS(sched_getaffinity),
    SCMP_SYS(getrandom),
    SCMP_SYS(getpid),
    SCMP_SYS(gettid),
    SCMP_SYS(getrlimit),
    SCMP_SYS(exit),
    SCMP_SYS(exit_group),
};

/* Calls of the keeper, which starts workers, waits for their end, and accepts front ends. */
static const int keepers[] = {
    SCMP_SYS(clone),          SCMP_SYS(fork),  SCMP_SYS(wait4),    SCMP_SYS(getppid),
    SCMP_SYS(kill),           SCMP_SYS(pipe2), SCMP_SYS(eventfd2), SCMP_SYS(signalfd4),
    SCMP_SYS(io_uring_setup), SCMP_SYS(prctl), SCMP_SYS(seccomp),  SCMP_SYS(accept4),
    SCMP_SYS(socketpair),
#ifdef __NR_memfd_secret
    SCMP_SYS(memfd_secret),
#endif
};

/* Calls that end the process: one that makes them has been taken over. */
static const int deadly[] = {
    SCMP_SYS(execve), SCMP_SYS(execveat), SCMP_SYS(ptrace),           SCMP_SYS(socket),
    SCMP_SYS(bind),   SCMP_SYS(connect),  SCMP_SYS(process_vm_readv), SCMP_SYS(mount),
    SCMP_SYS(bpf),    SCMP_SYS(setuid),   SCMP_SYS(setresuid),
};

static const int deadly_to_worker[] = {
    SCMP_SYS(io_uring_setup),
    SCMP_SYS(kill),
    SCMP_SYS(fork),
    SCMP_SYS(vfork),
};

static int allow_fcntl(scmp_filter_ctx filter, const int *commands, size_t n)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < n; i++)
        r = allow_list_if(filter, SCMP_SYS(fcntl), SCMP_A1(SCMP_CMP_EQ, (scmp_datum_t)commands[i], 0));
    return r;
}

/* Allows fcntl(), but not the commands by which the kernel would signal other processes (F_SETOWN, F_SETSIG,
 * O_ASYNC), or make them wait. */
static int add_fcntl(scmp_filter_ctx filter)
{
    static const int commands[] = {F_GETFD, F_SETFD, F_GETFL, F_GET_SEALS};
    int r = allow_fcntl(filter, commands, ARRAY_SIZE(commands));
    return r < 0 ? r
                 : allow_list_if_both(filter, SCMP_SYS(fcntl), SCMP_A1(SCMP_CMP_EQ, F_SETFL, 0),
                                      SCMP_A2(SCMP_CMP_MASKED_EQ, O_ASYNC, 0));
}

static int add_both(scmp_filter_ctx filter)
{
    int r = allow_list_add(filter, SCMP_ACT_ALLOW, both, ARRAY_SIZE(both));
    if (r == 0)
        r = allow_list_add(filter, SCMP_ACT_KILL_PROCESS, deadly, ARRAY_SIZE(deadly));
    /* A filter cannot see the flags of clone3, which are in memory. The C library uses clone instead. */
    if (r == 0)
        r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
    if (r == 0)
        r = add_fcntl(filter);
    if (r == 0) /* the C library's fstat() calls newfstatat() */
        r = allow_list_if(filter, SCMP_SYS(newfstatat),
                          SCMP_A3(SCMP_CMP_MASKED_EQ, AT_EMPTY_PATH, AT_EMPTY_PATH));
    if (r == 0)
        r = allow_list_if_both(filter, SCMP_SYS(getsockopt), SCMP_A1(SCMP_CMP_EQ, SOL_SOCKET, 0),
                               SCMP_A2(SCMP_CMP_EQ, SO_DOMAIN, 0));
    if (r == 0)
        r = allow_list_if(filter, SCMP_SYS(ioctl), SCMP_A1(SCMP_CMP_EQ, BLKGETSIZE64, 0));
    if (r == 0)
        r = allow_list_if(filter, SCMP_SYS(prlimit64), SCMP_A0(SCMP_CMP_EQ, 0, 0));
    return r;
}

static int add_keeper(scmp_filter_ctx filter)
{
    static const int commands[] = {F_DUPFD_CLOEXEC, F_ADD_SEALS};
    int r = add_both(filter);
    if (r == 0)
        r = allow_fcntl(filter, commands, ARRAY_SIZE(commands));
    return r < 0 ? r : allow_list_add(filter, SCMP_ACT_ALLOW, keepers, ARRAY_SIZE(keepers));
}

/* Adds the calls of the worker, which makes threads, but no processes, and sends no signals. */
static int add_worker(scmp_filter_ctx filter)
{
    const scmp_datum_t thread = CLONE_THREAD | CLONE_VM;
    int r = add_both(filter);
    if (r == 0)
        r = allow_list_add(filter, SCMP_ACT_KILL_PROCESS, deadly_to_worker, ARRAY_SIZE(deadly_to_worker));
    return r < 0 ? r : allow_list_if(filter, SCMP_SYS(clone), SCMP_A0(SCMP_CMP_MASKED_EQ, thread, thread));
}

static int hide_files(struct error *e)
{
    _cleanup_close_ int ruleset = landlock_new();
    if (ruleset == -EOPNOTSUPP)
        return 0; /* the filters forbid opening files anyway */
    int r = ruleset < 0 ? ruleset : landlock_enter(ruleset);
    return r < 0 ? landlock_failed("mayfly-disks", r, e) : 0;
}

int sandbox_keeper(struct error *e)
{
    static const struct rlimit none = {0, 0};
    if (prctl(PR_SET_DUMPABLE, 0) < 0 || setrlimit(RLIMIT_CORE, &none) < 0 ||
        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return error_set(e, errno, "mayfly-disks: cannot be hardened: %m");
    int r = hide_files(e);
    return r < 0 ? r : allow_list_enter("mayfly-disks", add_keeper, e);
}

int sandbox_worker(struct error *e)
{
    return allow_list_enter("mayfly-disks", add_worker, e);
}
