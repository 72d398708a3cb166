/* SPDX-License-Identifier: Apache-2.0 */
/* See sandbox.h. The filter is an allow-list: this program is ours, and the needs of its few libraries are
 * known. A denied call fails with EPERM, since a library may probe. Calls that no part of this program uses
 * (starting a program or a process, listening) end it. */
#include "keyagent/sandbox.h"

#include "base/allow-list.h"
#include "base/fd.h"
#include "base/landlock.h"

#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static const int allowed[] = {
    /* descriptors and files */
    SCMP_SYS(read),
    SCMP_SYS(readv),
    SCMP_SYS(pread64),
    SCMP_SYS(write),
    SCMP_SYS(writev),
    SCMP_SYS(pwrite64),
    SCMP_SYS(close),
    SCMP_SYS(fstat),
    SCMP_SYS(newfstatat),
    SCMP_SYS(stat),
    SCMP_SYS(lstat),
    SCMP_SYS(statx),
    SCMP_SYS(lseek),
    SCMP_SYS(access),
    SCMP_SYS(faccessat),
    SCMP_SYS(faccessat2),
    SCMP_SYS(readlink),
    SCMP_SYS(readlinkat),
    SCMP_SYS(getdents64),
    SCMP_SYS(fcntl),
    SCMP_SYS(dup),
    SCMP_SYS(dup2),
    SCMP_SYS(dup3),
    SCMP_SYS(pipe2),
    SCMP_SYS(eventfd2),
    SCMP_SYS(ftruncate),
    SCMP_SYS(fadvise64),
    SCMP_SYS(getcwd),
    SCMP_SYS(statfs),
    SCMP_SYS(fstatfs),
    SCMP_SYS(memfd_create),
    SCMP_SYS(fallocate),
#ifdef __NR_memfd_secret
    SCMP_SYS(memfd_secret),
#endif
    /* memory */
    SCMP_SYS(mmap),
    SCMP_SYS(munmap),
    SCMP_SYS(mremap),
    SCMP_SYS(mprotect),
    SCMP_SYS(madvise),
    SCMP_SYS(brk),
    SCMP_SYS(mlock),
    SCMP_SYS(mlock2),
    SCMP_SYS(munlock),
    /* time, waiting, signals to itself */
    SCMP_SYS(poll),
    SCMP_SYS(ppoll),
    SCMP_SYS(select),
    SCMP_SYS(pselect6),
    SCMP_SYS(nanosleep),
    SCMP_SYS(clock_nanosleep),
    SCMP_SYS(clock_gettime),
    SCMP_SYS(clock_getres),
    SCMP_SYS(gettimeofday),
    SCMP_SYS(time),
    SCMP_SYS(futex),
    SCMP_SYS(restart_syscall),
    SCMP_SYS(rt_sigaction),
    SCMP_SYS(rt_sigprocmask),
    SCMP_SYS(rt_sigreturn),
    SCMP_SYS(sigaltstack),
    SCMP_SYS(alarm),
    /* the network, as a client */
    SCMP_SYS(connect),
    SCMP_SYS(bind),
    SCMP_SYS(getsockname),
    SCMP_SYS(getpeername),
    SCMP_SYS(getsockopt),
    SCMP_SYS(setsockopt),
    SCMP_SYS(sendto),
    SCMP_SYS(sendmsg),
    SCMP_SYS(sendmmsg),
    SCMP_SYS(recvfrom),
    SCMP_SYS(recvmsg),
    SCMP_SYS(recvmmsg),
    SCMP_SYS(shutdown),
    /* to give up more rights (keyagent_hide_files) */
    SCMP_SYS(landlock_create_ruleset),
    SCMP_SYS(landlock_add_rule),
    SCMP_SYS(landlock_restrict_self),
    /* itself */
    SCMP_SYS(getrandom),
    SCMP_SYS(getpid),
    SCMP_SYS(gettid),
    SCMP_SYS(getuid),
    SCMP_SYS(geteuid),
    SCMP_SYS(getgid),
    SCMP_SYS(getegid),
    SCMP_SYS(uname),
    SCMP_SYS(sysinfo),
    SCMP_SYS(getrlimit),
    SCMP_SYS(sched_yield),
    SCMP_SYS(sched_getaffinity),
    SCMP_SYS(set_robust_list),
    SCMP_SYS(rseq),
    SCMP_SYS(set_tid_address),
    SCMP_SYS(arch_prctl),
    SCMP_SYS(exit),
    SCMP_SYS(exit_group),
};

/* Calls that kill the process: if one of these is made, the process has been taken over. */
static const int deadly[] = {
    SCMP_SYS(execve),  SCMP_SYS(execveat),         SCMP_SYS(fork),
    SCMP_SYS(vfork),   SCMP_SYS(ptrace),           SCMP_SYS(kill),
    SCMP_SYS(tkill),   SCMP_SYS(listen),           SCMP_SYS(accept),
    SCMP_SYS(accept4), SCMP_SYS(setuid),           SCMP_SYS(setresuid),
    SCMP_SYS(mount),   SCMP_SYS(process_vm_readv), SCMP_SYS(bpf),
};

/* Allows internet sockets, and netlink for addresses and routes, but no socket that leads to another process
 * of this host, such as libvirt, the broker or nscd (glibc then asks the name servers itself). libcurl wakes
 * its thread by a pair of stream sockets, which, unlike datagram sockets, can never be connected to anything
 * else. */
static int add_sockets(scmp_filter_ctx filter)
{
    const scmp_datum_t flags = SOCK_CLOEXEC | SOCK_NONBLOCK;
    int r = allow_list_if(filter, SCMP_SYS(socket), SCMP_A0(SCMP_CMP_EQ, AF_INET, 0));
    if (r == 0)
        r = allow_list_if(filter, SCMP_SYS(socket), SCMP_A0(SCMP_CMP_EQ, AF_INET6, 0));
    if (r == 0)
        r = allow_list_if_both(filter, SCMP_SYS(socket), SCMP_A0(SCMP_CMP_EQ, AF_NETLINK, 0),
                               SCMP_A2(SCMP_CMP_EQ, NETLINK_ROUTE, 0));
    if (r == 0)
        r = allow_list_if_both(filter, SCMP_SYS(socketpair), SCMP_A0(SCMP_CMP_EQ, AF_UNIX, 0),
                               SCMP_A1(SCMP_CMP_MASKED_EQ, UINT32_MAX & ~flags, SOCK_STREAM));
    return r;
}

/* Allows files to be opened for reading only. */
static int add_files(scmp_filter_ctx filter)
{
    const scmp_datum_t writing = O_WRONLY | O_RDWR | O_CREAT | O_TRUNC;
    int r = allow_list_if(filter, SCMP_SYS(openat), SCMP_A2(SCMP_CMP_MASKED_EQ, writing, 0));
    if (r == 0)
        r = allow_list_if(filter, SCMP_SYS(open), SCMP_A1(SCMP_CMP_MASKED_EQ, writing, 0));
    return r;
}

/* Allows threads (libcurl resolves names in one), but no processes; signals to this process and limits of
 * this process only. */
static int add_conditions(scmp_filter_ctx filter)
{
    const scmp_datum_t own = (scmp_datum_t)getpid(), thread = CLONE_THREAD | CLONE_VM;
    int r = add_files(filter);
    if (r == 0)
        r = add_sockets(filter);
    if (r == 0)
        r = allow_list_if(filter, SCMP_SYS(clone), SCMP_A0(SCMP_CMP_MASKED_EQ, thread, thread));
    /* its flags lie in memory, where a filter cannot see them: the libraries fall back to clone */
    if (r == 0)
        r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
    if (r == 0)
        r = allow_list_if(filter, SCMP_SYS(tgkill), SCMP_A0(SCMP_CMP_EQ, own, 0));
    if (r == 0)
        r = allow_list_if(filter, SCMP_SYS(prlimit64), SCMP_A0(SCMP_CMP_EQ, 0, 0));
    if (r == 0)
        r = allow_list_if(filter, SCMP_SYS(prctl), SCMP_A0(SCMP_CMP_EQ, PR_SET_NAME, 0));
    if (r == 0)
        r = allow_list_if(filter, SCMP_SYS(ioctl), SCMP_A1(SCMP_CMP_EQ, 0x541B /* FIONREAD */, 0));
    return r;
}

static int add_all(scmp_filter_ctx filter)
{
    int r = allow_list_add(filter, SCMP_ACT_ALLOW, allowed, ARRAY_SIZE(allowed));
    if (r == 0)
        r = allow_list_add(filter, SCMP_ACT_KILL_PROCESS, deadly, ARRAY_SIZE(deadly));
    return r < 0 ? r : add_conditions(filter);
}

int keyagent_sandbox(struct error *e)
{
    static const struct rlimit none = {0, 0};
    static const int ignored[] = {SIGINT, SIGQUIT, SIGHUP, SIGPIPE, SIGTSTP};
    if (geteuid() == 0 || getuid() == 0)
        return error_set(e, -EPERM,
                         "mayfly-keyagent: does not run as root; mayfly starts it as the user mayfly");
    for (size_t i = 0; i < ARRAY_SIZE(ignored); i++)
        signal(ignored[i], SIG_IGN);
    umask(077);
    if (prctl(PR_SET_DUMPABLE, 0) < 0 || setrlimit(RLIMIT_CORE, &none) < 0 ||
        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return error_set(e, errno, "mayfly-keyagent: cannot be hardened: %m");
    return allow_list_enter("mayfly-keyagent", add_all, e);
}

/* The files that name resolution and TLS read. Not /etc as a whole: keys may lie there. */
static const char *const readable[] = {
    "/usr",
    "/lib",
    "/lib64",
    "/etc/ld.so.cache",
    "/dev/urandom",
    "/dev/null",
    /* names and addresses; where resolv.conf leads */
    "/etc/resolv.conf",
    "/etc/hosts",
    "/etc/nsswitch.conf",
    "/etc/host.conf",
    "/etc/gai.conf",
    "/etc/services",
    "/etc/protocols",
    "/run/systemd/resolve",
    "/run/resolvconf",
    "/run/NetworkManager/resolv.conf",
    /* certificates, as Debian and as Fedora have them */
    "/etc/ssl",
    "/etc/ca-certificates",
    "/etc/pki/tls",
    "/etc/pki/ca-trust",
    "/etc/crypto-policies",
};

int keyagent_hide_files(struct error *e)
{
    _cleanup_close_ int ruleset = landlock_new();
    if (ruleset == -EOPNOTSUPP)
        return 0; /* see SECURITY.md, Limits */
    int r = ruleset < 0 ? ruleset : 0;
    for (size_t i = 0; r == 0 && i < ARRAY_SIZE(readable); i++)
        r = landlock_allow(ruleset, readable[i], LANDLOCK_READ_TREE);
    if (r == 0)
        r = landlock_enter(ruleset);
    return r < 0 ? landlock_failed("mayfly-keyagent", r, e) : 0;
}
