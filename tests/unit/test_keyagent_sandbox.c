/* SPDX-License-Identifier: Apache-2.0 */
/* What mayfly-keyagent can no more do behind its filter, and what it still can. Each try is in a child of its
 * own, since there is no way out of it, and some end it. */
#include "base/fd.h"
#include "base/landlock.h"
#include "child.h"
#include "keyagent/sandbox.h"
#include "reach.h"
#include "secret/secret.h"
#include "unit.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netdb.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define NOBODY 65534

static pid_t other; /* a process of the same user, which the kernel itself would let it touch */

static pid_t start_other(void)
{
    pid_t self = getpid(), pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != self) /* who was gone before */
            _exit(0);
        for (;;)
            pause();
    }
    return pid;
}

/* Returns the wait status of a child that did it behind the filter, as an ordinary user. */
static int behind_filter(int (*try)(void))
{
    pid_t pid = fork();
    if (pid == 0) {
        struct error e = ERROR_NONE;
        if (geteuid() == 0 && (setgid(NOBODY) < 0 || setuid(NOBODY) < 0))
            _exit(120);
        other = start_other();
        prctl(PR_SET_DUMPABLE, 1); /* which the change of user has switched off */
        if (keyagent_sandbox(&e) < 0) {
            dprintf(STDERR_FILENO, "%s\n", e.text);
            _exit(121);
        }
        _exit(try());
    }
    assert_true(pid > 0);
    int status = child_status(pid);
    return status;
}

/* --- what ends it --- */

static int try_execve(void)
{
    char *const none[] = {NULL};
    return execve("/bin/true", none, none);
}

#ifdef SYS_fork /* not on an ARM, which has clone() alone */
static int try_fork(void)
{
    return (int)syscall(SYS_fork);
}

static int try_vfork(void)
{
    return (int)syscall(SYS_vfork);
}
#endif

static int try_ptrace(void)
{
    return (int)ptrace(PTRACE_ATTACH, other, 0, 0);
}

static int try_kill(void)
{
    return kill(other, 0);
}

static int try_listen(void)
{
    return listen(socket(AF_INET, SOCK_STREAM, 0), 1);
}

static int try_accept(void)
{
    return accept(STDIN_FILENO, NULL, NULL);
}

static int try_setuid(void)
{
    return setuid(getuid());
}

static int try_mount(void)
{
    return mount("none", "/", "tmpfs", 0, NULL);
}

static int try_read_memory(void)
{
    char byte;
    struct iovec here = {&byte, 1}, there = {&other, 1};
    return (int)process_vm_readv(other, &here, 1, &there, 1, 0);
}

static int try_execveat(void)
{
    char *const none[] = {NULL};
    return (int)syscall(SYS_execveat, AT_FDCWD, "/bin/true", none, none, 0);
}

static int try_tkill(void)
{
    return (int)syscall(SYS_tkill, other, 0);
}

static int try_accept4(void)
{
    return accept4(STDIN_FILENO, NULL, NULL, 0);
}

static int try_setresuid(void)
{
    return setresuid(getuid(), getuid(), getuid());
}

static int try_bpf(void)
{
    return (int)syscall(SYS_bpf, 0, NULL, 0);
}

static void what_ends_it(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int (*try)(void);
    } all[] = {
        {"execve", try_execve},
#ifdef SYS_fork
        {"fork", try_fork},
        {"vfork", try_vfork},
#endif
        {"ptrace", try_ptrace},
        {"kill", try_kill},
        {"listen", try_listen},
        {"accept", try_accept},
        {"setuid", try_setuid},
        {"mount", try_mount},
        {"process_vm_readv", try_read_memory},
        {"bpf", try_bpf},
        {"execveat", try_execveat},
        {"tkill", try_tkill},
        {"accept4", try_accept4},
        {"setresuid", try_setresuid},
    };
    for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
        int status = behind_filter(all[i].try);
        if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGSYS)
            fail_msg("%s: wait status %#x", all[i].name, status);
    }
}

/* --- what is denied --- */

static bool denied(long result)
{
    return result < 0 && errno == EPERM;
}

/* An ARM has openat() alone. */
static bool old_open_denied(const char *path, int mode)
{
#ifdef SYS_open
    return denied(syscall(SYS_open, path, mode, 0600)) && denied(syscall(SYS_creat, path, 0600));
#else
    return denied(openat(AT_FDCWD, path, mode, 0600));
#endif
}

/* The number of the first thing that is not as it should be. Each would go well, or fail otherwise, if it was
 * the kernel that judged it. */
static int try_denied(void)
{
    static const int families[] = {AF_UNIX, AF_PACKET, AF_ALG, AF_VSOCK, AF_BLUETOOTH, AF_KEY};
    static const int modes[] = {O_WRONLY, O_RDWR, O_RDONLY | O_CREAT, O_RDONLY | O_TRUNC, O_TMPFILE | O_RDWR};
    static const char none[] = "/nonexistent/file";
    struct rlimit limit = {64, 64};
    for (size_t i = 0; i < ARRAY_SIZE(families); i++)
        if (!denied(socket(families[i], 77 /* no type: EINVAL */, 0)))
            return 1;
    int pair[2];
    if (!denied(socket(AF_NETLINK, SOCK_RAW, 15 /* NETLINK_KOBJECT_UEVENT */)) ||
        !denied(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair)) ||
        !denied(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair)))
        return 9;
    for (size_t i = 0; i < ARRAY_SIZE(modes); i++)
        if (!denied(open(none, modes[i], 0600)) || !old_open_denied(none, modes[i]))
            return 2;
    if (!denied(creat(none, 0600)) || !denied(mkdir(none, 0700)) || !denied(unlink(none)) ||
        !denied(rename(none, none)) || !denied(symlink("a", none)) || !denied(truncate(none, 0)) ||
        !denied(chmod(none, 0700)))
        return 3;
    if (!denied(fork())) /* as glibc does it: clone() without the flags of a thread */
        return 4;
    if (!denied(unshare(1)) || !denied(syscall(SYS_setns, -1, 0)) || !denied(chroot(none)))
        return 5;
    if (!denied(syscall(SYS_io_uring_setup, 1, NULL)) ||
        !denied(syscall(SYS_add_key, "user", "a", "b", 1, 0)) ||
        !denied(syscall(SYS_keyctl, 0, 0, 0, 0, 0)) || !denied(syscall(SYS_pidfd_open, other, 0)))
        return 6;
    static const long calls[] = {
        SYS_process_vm_writev,
        SYS_kcmp,
        SYS_pidfd_getfd,
        SYS_userfaultfd,
        SYS_perf_event_open,
        SYS_request_key,
        SYS_linkat,
        SYS_mknodat,
        SYS_fchownat,
        SYS_fchmodat,
        SYS_setrlimit,
        SYS_setresgid,
        SYS_personality,
        SYS_symlinkat,
        SYS_renameat2,
        SYS_setgroups,
        SYS_capset,
        SYS_utimensat,
        SYS_name_to_handle_at,
        SYS_openat2,
        SYS_setsid,
        SYS_shmget,
        SYS_msgget,
        SYS_inotify_init1,
        SYS_seccomp,
    };
    for (size_t i = 0; i < ARRAY_SIZE(calls); i++)
        if (!denied(syscall(calls[i], -1, -1, -1, -1, -1)))
            return dprintf(STDERR_FILENO, "system call %ld is not denied\n", calls[i]), 10;
    if (!denied(prctl(PR_SET_DUMPABLE, 1)) || !denied(ioctl(STDIN_FILENO, 0x5412 /* TIOCSTI */, "x")))
        return 7;
    if (!denied(syscall(SYS_tgkill, other, other, SIGUSR1)) ||
        !denied(prlimit(other, RLIMIT_NOFILE, &limit, NULL)))
        return 8;
    return 0;
}

static void what_is_denied(void **state)
{
    (void)state;
    int status = behind_filter(try_denied);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

/* --- what must go on --- */

static void *thread(void *ran)
{
    *(bool *)ran = true;
    return ran;
}

static int try_needed(void)
{
    struct rlimit core;
    struct error e = ERROR_NONE;
    struct secret *s = NULL;
    struct secret_handover *h = NULL;
    pthread_t id;
    bool ran = false;
    if (prctl(PR_SET_NAME, "keyagent") < 0)
        return 1;
    int fd = -1, pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0 ||
        socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, 0 /* NETLINK_ROUTE */) < 0)
        return 2;
    static const int families[] = {AF_INET, AF_INET6};
    for (size_t i = 0; i < ARRAY_SIZE(families); i++)
        if ((fd = socket(families[i], SOCK_STREAM | SOCK_CLOEXEC, 0)) < 0 && errno != EAFNOSUPPORT)
            return 3;
    struct sockaddr_in nobody = {
        .sin_family = AF_INET, .sin_port = htons(1), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(fd, (struct sockaddr *)&nobody, sizeof nobody) == 0 || errno != ECONNREFUSED)
        return 4;
    struct addrinfo *addresses = NULL;
    if (getaddrinfo("localhost", "80", NULL, &addresses) != 0)
        return 5;
    freeaddrinfo(addresses);
    if (pthread_create(&id, NULL, thread, &ran) != 0 || pthread_join(id, NULL) != 0 || !ran)
        return 6;
    if (secret_random(64, &s, &e) < 0 || secret_handover(s, &h, &e) < 0)
        return dprintf(STDERR_FILENO, "%s\n", e.text), 7;
    secret_handover_end(h);
    secret_free(s);
    if (raise(SIGUSR1) != 0) /* a signal to itself, ignored */
        return 8;
    if (getrlimit(RLIMIT_CORE, &core) < 0 || core.rlim_cur != 0 || core.rlim_max != 0)
        return 9;
    return 0;
}

static void what_must_go_on(void **state)
{
    (void)state;
    signal(SIGUSR1, SIG_IGN);
    int status = behind_filter(try_needed);
    signal(SIGUSR1, SIG_DFL);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        fail_msg("wait status %#x", status);
}

/* --- what it can read --- */

static char key_path[] = "/tmp/mayfly-key-XXXXXX";

static bool readable(const char *path)
{
    char byte;
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
    return fd >= 0 && read(fd, &byte, 1) >= 0;
}

static struct reach host;

/* Its own user's file, before and after; and what it goes on to need. */
static int try_hidden(void)
{
    static const char *const meant[] = {"/usr",
                                        "/lib",
                                        "/lib64",
                                        "/etc/ld.so.cache",
                                        "/etc/resolv.conf",
                                        "/etc/hosts",
                                        "/etc/host.conf",
                                        "/etc/nsswitch.conf",
                                        "/etc/gai.conf",
                                        "/etc/services",
                                        "/etc/protocols",
                                        "/etc/ssl",
                                        "/etc/ca-certificates",
                                        "/etc/pki",
                                        "/etc/crypto-policies",
                                        "/run/resolvconf"};
    struct error e = ERROR_NONE;
    struct addrinfo *addresses = NULL;
    if (!readable(key_path) || !readable("/etc/passwd"))
        return 1;
    if (keyagent_hide_files(&e) < 0)
        return dprintf(STDERR_FILENO, "%s\n", e.text), 2;
    if (readable(key_path) || readable("/etc/passwd") || readable("/proc/self/status") || errno != EACCES)
        return 3;
    const char *reached = reach_try(&host, meant, ARRAY_SIZE(meant));
    if (reached)
        return dprintf(STDERR_FILENO, "%s can be read\n", reached), 7;
    if (!readable("/etc/hosts") || !readable("/etc/nsswitch.conf"))
        return 4;
    if (access("/etc/ssl/certs/ca-certificates.crt", F_OK) == 0 &&
        !readable("/etc/ssl/certs/ca-certificates.crt"))
        return 5;
    if (getaddrinfo("localhost", "80", NULL, &addresses) != 0)
        return 6;
    freeaddrinfo(addresses);
    return 0;
}

static void what_it_can_read(void **state)
{
    (void)state;
    _cleanup_close_ int ruleset = landlock_new();
    if (ruleset < 0)
        skip();
    _cleanup_close_ int key = mkstemp(key_path);
    assert_int_equal(write(key, "k", 1), 1);
    if (geteuid() == 0)
        assert_int_equal(fchown(key, NOBODY, NOBODY), 0);
    reach_note(&host);
    int status = behind_filter(try_hidden);
    unlink(key_path);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        fail_msg("wait status %#x", status);
}

/* --- how it is hardened --- */

static int try_hardened(void)
{
    char text[4096] = "";
    int fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
    if (read(fd, text, sizeof text - 1) < 0)
        return 1;
    if (!strstr(text, "NoNewPrivs:\t1") || !strstr(text, "Seccomp:\t2") || !strstr(text, "Umask:\t0077"))
        return 2;
    static const int ignored[] = {SIGINT, SIGQUIT, SIGHUP, SIGPIPE, SIGTSTP};
    unsigned long long mask = strtoull(strstr(text, "SigIgn:") + strlen("SigIgn:"), NULL, 16);
    for (size_t i = 0; i < ARRAY_SIZE(ignored); i++)
        if (!(mask >> (ignored[i] - 1) & 1))
            return 3;
    struct stat st; /* of a process that cannot be dumped the files are root's */
    return stat("/proc/self/status", &st) < 0 || st.st_uid != 0 ? 4 : 0;
}

static void how_it_is_hardened(void **state)
{
    (void)state;
    int status = behind_filter(try_hardened);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void root_is_refused(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip();
    struct error e = ERROR_NONE;
    assert_error(keyagent_sandbox(&e), -EPERM, e);
    assert_non_null(strstr(e.text, "does not run as root"));
    pid_t pid = fork(); /* and nothing was done to this process */
    assert_true(pid >= 0);
    if (pid == 0)
        _exit(0);
    assert_int_equal(child_status(pid), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(root_is_refused),  cmocka_unit_test(what_ends_it),
        cmocka_unit_test(what_is_denied),   cmocka_unit_test(what_must_go_on),
        cmocka_unit_test(what_it_can_read), cmocka_unit_test(how_it_is_hardened),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
