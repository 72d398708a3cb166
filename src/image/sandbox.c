/* SPDX-License-Identifier: Apache-2.0 */
/* The sandbox of qemu-nbd and qemu-img has several walls:
 *
 *     capabilities none, no_new_privs      nothing is gained by exec
 *     limits                               memory, descriptors; not one byte to any file, no core dump
 *     Landlock (Linux 5.13)                reads below /usr and of the image, nothing else in the file system
 *     seccomp                              an allow-list: no socket, writing open, new process, io_uring
 *
 * A program that writes an image that we have made may write to that file and make it longer; it parses no
 * foreign bytes. One that exports a scratch volume may use io_uring, too, which Landlock confines and seccomp
 * does not. What remains: the sandbox is entered before execve, which is allowed therefore. So a program
 * that was taken over may become another one of /usr, in the same sandbox. Without Landlock it may read what
 * its user may read. RLIMIT_NPROC is not set, since it counts all processes of the user; seccomp allows
 * threads only.
 */
#include "image/sandbox.h"

#include "base/fd.h"
#include "base/landlock.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/fs.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <seccomp.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MEMORY_LIMIT_BYTES (UINT64_C(2) << 30) /* address space: 64 worker threads with 8 MiB of stack */
#define DESCRIPTOR_LIMIT   64
#define FILTER_LIMIT_BYTES (1 << 16)

struct sandbox {
    enum sandbox_use use;
    int landlock; /* rules of Landlock; -1: this kernel has none */
    struct sock_fprog filter;
};

/* Found by strace of qemu-nbd and qemu-img check 7.2, on raw and qcow2 images (zlib, zstd, extended L2) in
 * files and block devices (a logical volume, a loop device with sectors of 4096 bytes). Calls that another
 * libc or architecture uses instead are here, too; names that an architecture lacks are skipped. */
/* clang-format off */
static const char *const allowed[] = {
    /* memory: the heap, libraries, stacks of threads; NUMA nodes */
    "brk", "mmap", "munmap", "mprotect", "mremap", "madvise", "get_mempolicy", "set_mempolicy",
    /* threads: locks and ends; clone itself has a condition below */
    "futex", "set_robust_list", "rseq", "membarrier", "sched_getaffinity", "sched_yield", "set_tid_address",
    "arch_prctl", "exit", "exit_group",
    /* time, and random numbers for hash tables */
    "clock_nanosleep", "nanosleep", "clock_gettime", "gettimeofday", "timerfd_create", "timerfd_settime",
    "restart_syscall", "getrandom",
    /* signals: wake-ups of its own threads, and an orderly end */
    "rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "rt_sigtimedwait", "sigaltstack", "signalfd4",
    /* to become the program, which looks at itself */
    "execve", "getpid", "getppid", "gettid", "getuid", "geteuid", "getgid", "getegid", "getcwd", "chdir",
    "sysinfo", "uname",
    /* open files: the image, libraries, the pipe to us */
    "read", "readv", "pread64", "preadv", "write", "writev", "close", "close_range", "lseek", "fcntl", "dup",
    "fadvise64", "getdents64",
    /* looking at files; opening them has a condition below, and Landlock */
    "fstat", "newfstatat", "statx", "stat", "lstat", "fstatfs", "statfs", "access", "faccessat", "readlink",
    "readlinkat",
    /* the connection that it was given; it cannot make another */
    "accept4", "accept", "getsockname", "getpeername", "getsockopt", "setsockopt", "sendmsg", "recvmsg",
    "sendto", "recvfrom", "shutdown",
    /* waiting */
    "poll", "ppoll", "epoll_create1", "epoll_ctl", "epoll_wait", "epoll_pwait", "eventfd2", "pipe2",
};

/* Found in the same way, of qemu-img create and qemu-nbd over a new qcow2, with and without LUKS, and over a
 * scratch volume. */
static const char *const allowed_to_writers[] = {
    "pwrite64", "pwritev", "fdatasync", "fsync", "fallocate", "ftruncate",
    "getrusage", /* LUKS measures how long a key takes */
    /* the kernel's asynchronous I/O, as mayfly bench measures it */
    "io_setup", "io_submit", "io_getevents", "io_destroy",
};

/* Found in the same way, of qemu-storage-daemon with an export of vhost-user-blk over a scratch volume. It
 * listens on the socket that it was given, and makes the file of the requests that are under way. */
static const char *const allowed_to_exporters[] = {
    "listen", "memfd_create", "io_uring_setup", "io_uring_enter", "io_uring_register",
};
/* clang-format on */

/* Allows a call whose argument has `value` in the bits of `mask`. */
struct condition {
    const char *name;
    unsigned argument;
    uint64_t mask, value;
};
static const struct condition conditions[] = {
    {"openat", 2, O_ACCMODE | O_CREAT | O_TRUNC | (O_TMPFILE & ~O_DIRECTORY), O_RDONLY},
    {"clone", 0, CLONE_THREAD, CLONE_THREAD},
    {"prctl", 0, UINT32_MAX, PR_SET_NAME},
    {"prctl", 0, UINT32_MAX, PR_SET_TIMERSLACK},
    {"prlimit64", 2, UINT64_MAX, 0}, /* asks for limits, and sets none */
    /* how much a block device takes at once, and whether it is read-only; no other ioctl, such as TIOCSTI */
    {"ioctl", 1, UINT32_MAX, BLKSECTGET},
    {"ioctl", 1, UINT32_MAX, BLKROGET},
};

/* The condition of qemu-img create, which opens an existing file with O_CREAT, too; Landlock forbids making
 * another. */
static const struct condition writers_open = {"openat", 2, O_ACCMODE | O_TRUNC | (O_TMPFILE & ~O_DIRECTORY),
                                              O_RDWR};

static int allow_calls(scmp_filter_ctx ctx, const char *const names[], size_t n)
{
    int r = 0;
    for (size_t i = 0; i < n && r == 0; i++) {
        int number = seccomp_syscall_resolve_name(names[i]);
        if (number != __NR_SCMP_ERROR)
            r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, number, 0);
    }
    return r;
}

static int allow_where(scmp_filter_ctx ctx, const struct condition *c)
{
    struct scmp_arg_cmp compare = {c->argument, SCMP_CMP_MASKED_EQ, c->mask, c->value};
    return seccomp_rule_add(ctx, SCMP_ACT_ALLOW, seccomp_syscall_resolve_name(c->name), 1, compare);
}

static int add_rules(scmp_filter_ctx ctx, enum sandbox_use use)
{
    int r = allow_calls(ctx, allowed, ARRAY_SIZE(allowed));
    for (size_t i = 0; i < ARRAY_SIZE(conditions) && r == 0; i++)
        r = allow_where(ctx, &conditions[i]);
    if (r == 0 && use != SANDBOX_READS)
        r = allow_calls(ctx, allowed_to_writers, ARRAY_SIZE(allowed_to_writers));
    if (r == 0 && use != SANDBOX_READS)
        r = allow_where(ctx, &writers_open);
    if (r == 0 && use == SANDBOX_EXPORTS)
        r = allow_calls(ctx, allowed_to_exporters, ARRAY_SIZE(allowed_to_exporters));
    /* A filter cannot see the flags of clone3, which are in memory. With ENOSYS glibc uses clone. */
    return r < 0 ? r : seccomp_rule_add(ctx, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
}

static void filter_end(scmp_filter_ctx *ctx)
{
    seccomp_release(*ctx); /* takes NULL */
}

static int make_filter(struct sandbox *s)
{
    _cleanup_(filter_end) scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ERRNO(EPERM));
    _cleanup_close_ int fd = fd_memfd_empty("filter", 0);
    if (!ctx)
        return -ENOMEM;
    if (fd < 0)
        return fd;
    int r = add_rules(ctx, s->use);
    if (r == 0)
        r = seccomp_export_bpf(ctx, fd);
    if (r < 0)
        return r;

    char *program;
    size_t bytes;
    r = fd_read_text(fd, FILTER_LIMIT_BYTES, &program, &bytes);
    if (r < 0)
        return r;
    s->filter.filter = (struct sock_filter *)(void *)program;
    s->filter.len = (unsigned short)(bytes / sizeof(struct sock_filter));
    return 0;
}

static int make_landlock(struct sandbox *s, int image_fd, const char *library)
{
    const struct {
        const char *path;
        uint64_t rights;
    } rules[] = {
        {"/usr", LANDLOCK_READ_PROGRAMS},
        {"/lib", LANDLOCK_READ_PROGRAMS},
        {"/lib64", LANDLOCK_READ_PROGRAMS},
        {"/bin", LANDLOCK_READ_PROGRAMS},
        {"/etc/ld.so.cache", LANDLOCK_READ_FILE},
        {"/dev/urandom", LANDLOCK_READ_FILE},
        {library, LANDLOCK_READ_FILE},
    };
    _cleanup_close_ int ruleset = landlock_new();
    if (ruleset < 0)
        return ruleset == -EOPNOTSUPP ? 0 : ruleset;

    int r =
        landlock_allow_fd(ruleset, image_fd,
                          LANDLOCK_READ_FILE | (s->use != SANDBOX_READS ? LANDLOCK_ACCESS_FS_WRITE_FILE : 0));
    for (size_t i = 0; i < ARRAY_SIZE(rules) && r == 0; i++)
        r = rules[i].path ? landlock_allow(ruleset, rules[i].path, rules[i].rights) : 0;
    if (r == 0)
        r = fd_move_high(ruleset);
    if (r < 0)
        return r;
    s->landlock = r;
    return 0;
}

int sandbox_prepare(int fd, enum sandbox_use use, const char *library, struct sandbox **ret, struct error *e)
{
    _cleanup_sandbox_ struct sandbox *s = calloc(1, sizeof *s);
    if (!s)
        return error_memory(e);
    s->landlock = -1;
    s->use = use;
    int r = make_landlock(s, fd, library);
    if (r < 0)
        return landlock_failed("qemu-nbd", r, e);
    r = make_filter(s);
    if (r < 0)
        return error_set(e, r, "qemu-nbd: its sandbox cannot be made: %s", strerrordesc_np(-r));
    *ret = TAKE_PTR(s);
    return 0;
}

bool sandbox_hides_files(const struct sandbox *s)
{
    return s->landlock >= 0;
}

static int set_limit(__rlimit_resource_t resource, uint64_t value)
{
    struct rlimit l = {.rlim_cur = value, .rlim_max = value}, now;
    if (getrlimit(resource, &now) == 0 && now.rlim_max < value)
        return 0; /* the limit is tighter already */
    return setrlimit(resource, &l) < 0 ? -errno : 0;
}

int sandbox_enter(const struct sandbox *s)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {0};
    int r;

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || syscall(SYS_capset, &header, none) < 0)
        return -errno;
    if ((r = set_limit(RLIMIT_AS, MEMORY_LIMIT_BYTES)) < 0 ||
        (r = set_limit(RLIMIT_NOFILE, DESCRIPTOR_LIMIT)) < 0 ||
        (s->use == SANDBOX_READS && (r = set_limit(RLIMIT_FSIZE, 0)) < 0) ||
        (r = set_limit(RLIMIT_CORE, 0)) < 0)
        return r;
    if (s->landlock >= 0 && (r = landlock_enter(s->landlock)) < 0)
        return r;
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &s->filter, 0, 0) < 0 ? -errno : 0;
}

struct sandbox *sandbox_free(struct sandbox *s)
{
    if (s) {
        fd_close(s->landlock);
        free(s->filter.filter);
        free(s);
    }
    return NULL;
}
