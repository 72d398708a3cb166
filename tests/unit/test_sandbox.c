/* SPDX-License-Identifier: Apache-2.0 */
/* What the broker can no more do in its sandbox. Each try is in a child, since there is no way out of it. */
#include "base/fd.h"
#include "base/landlock.h"
#include "base/process.h"
#include "base/str.h"
#include "broker/sandbox.h"
#include "unit.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/capability.h>
#include <linux/fs.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define LEFT_OPEN 19 /* a descriptor that the caller did not close */

static bool denied(long result)
{
    return result < 0 && errno == EPERM;
}

static bool has_landlock(void)
{
    _cleanup_close_ int ruleset = landlock_new();
    return ruleset >= 0;
}

static char folder[] = "/tmp/mayfly-sandbox-XXXXXX", program[64], file[64];

/* A program, and the name of a file that is not there. */
static void make_files(void)
{
    assert_non_null(mkdtemp(folder));
    snprintf(program, sizeof program, "%s/true", folder);
    snprintf(file, sizeof file, "%s/file", folder);
    assert_int_equal(process_run((const char *[]){"cp", "/bin/false", program, NULL}, 10, NULL, NULL), 0);
}

static void remove_files(void)
{
    unlink(program);
    rmdir(folder);
}

/* LVM's and the broker's, and those of the kernel. */
static bool may_write_to(const char *path)
{
    static const char *const all[] = {"/dev", "/run", "/proc", "/var/lock", "/etc/lvm", "/var/lib/lvm"};
    for (size_t i = 0; i < ARRAY_SIZE(all); i++)
        if (streq(path, all[i]))
            return true;
    return false;
}

/* No file can be made in any other folder of that one. */
static bool writes_to_none_of(const char *above)
{
    DIR *dir = opendir(above);
    bool none = true;
    for (const struct dirent *entry; none && dir && (entry = readdir(dir));) {
        char path[300], made[320];
        struct stat st;
        snprintf(path, sizeof path, "%s/%s", streq(above, "/") ? "" : above, entry->d_name);
        snprintf(made, sizeof made, "%s/mayfly-sandbox", path);
        if (streq(entry->d_name, "..") || lstat(path, &st) < 0 || !S_ISDIR(st.st_mode) || may_write_to(path))
            continue;
        int fd = open(made, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        none = fd < 0;
        if (!none)
            dprintf(STDERR_FILENO, "%s: could be made\n", made), unlink(made);
    }
    if (dir)
        closedir(dir);
    return none;
}

/* What its caller has left behind is not there: words, descriptors, signals. */
static bool begins_afresh(void)
{
    static const int ignored[] = {SIGINT, SIGQUIT, SIGHUP, SIGPIPE, SIGTSTP};
    struct sigaction now;
    if (fcntl(LEFT_OPEN, F_GETFD) >= 0 || getenv("LVM_SYSTEM_DIR") || !streq(getenv("LC_ALL"), "C") ||
        !streq(getenv("PATH"), "/usr/sbin:/usr/bin:/sbin:/bin"))
        return false;
    for (size_t i = 0; i < ARRAY_SIZE(ignored); i++)
        if (sigaction(ignored[i], NULL, &now) < 0 || now.sa_handler != SIG_IGN)
            return false;
    return sigaction(SIGCHLD, NULL, &now) == 0 && now.sa_handler == SIG_DFL;
}

/* Who runs this test may have made folders read-only, but hardly both that are tried. */
static bool cannot_make(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    return fd < 0 && (errno == EACCES || errno == EROFS);
}

/* Whoever takes it over makes no file where programs or keys are, and runs nothing that it finds elsewhere.
 */
static int try_files(void)
{
    _cleanup_close_ int null = open("/dev/null", O_RDWR), config = open("/etc/hosts", O_RDONLY);
    char *const argv[] = {program, NULL};
    if (null < 0 || config < 0)
        return 20;
    if (!cannot_make("/etc/mayfly-sandbox") || !cannot_make("/var/tmp/mayfly-sandbox"))
        return 21;
    if (open(file, O_WRONLY | O_CREAT, 0600) >= 0 || errno != EACCES || unlink(program) == 0 ||
        truncate(program, 0) == 0)
        return 22;
    static const char *const above[] = {"/", "/etc", "/usr", "/var", "/var/lib"};
    for (size_t i = 0; i < ARRAY_SIZE(above); i++)
        if (!writes_to_none_of(above[i]))
            return 24;
    (void)execv(program, argv); /* it would fail in its own way */
    if (errno != EACCES)
        return 23;
    return 0;
}

/* AddressSanitizer has mlockall() do nothing. */
static bool memory_is_locked(void)
{
#ifdef __SANITIZE_ADDRESS__
    return true;
#else
    char line[256];
    _cleanup_fclose_ FILE *f = fopen("/proc/self/status", "re");
    unsigned long locked = 0;
    while (f && locked == 0 && fgets(line, sizeof line, f))
        if (sscanf(line, "VmLck: %lu", &locked) != 1)
            locked = 0;
    return locked > 100; /* kB */
#endif
}

/* Nor gets root any back by exec, though nobody may empty the bounding set here. */
static bool mkfs_has_no_capability(void)
{
    const char *argv[] = {"grep", "-cE", "^Cap(Inh|Prm|Eff|Amb):\\s0{16}$", "/proc/self/status", NULL};
    _cleanup_free_ char *equal = NULL;
    return process_run_prepared(-1, sandbox_mkfs, argv, 10, &equal, NULL) == 0 && streq(equal, "4\n");
}

/* Calls that anybody may make, and that fail for another reason where nobody forbids them. */
static bool calls_of_anybody_are_denied(void)
{
    static const long calls[] = {
        SYS_process_vm_readv, SYS_process_vm_writev, SYS_kcmp,       SYS_pidfd_getfd,
        SYS_userfaultfd,      SYS_io_uring_setup,    SYS_move_mount, SYS_open_tree,
#ifdef SYS_modify_ldt
        SYS_modify_ldt,
#endif
    };
    for (size_t i = 0; i < ARRAY_SIZE(calls); i++)
        if (!denied(syscall(calls[i], -1, -1, -1, -1, -1, -1)))
            return dprintf(2, "system call %ld: not denied\n", calls[i]), false;
    return true;
}

/* A right that the sandbox's list does not name is none of the broker's. */
static bool capabilities_are_few(void)
{
    static const unsigned few[] = {CAP_SYS_ADMIN, CAP_DAC_OVERRIDE, CAP_CHOWN,    CAP_FOWNER,      CAP_MKNOD,
                                   CAP_IPC_LOCK,  CAP_IPC_OWNER,    CAP_SYS_NICE, CAP_SYS_RESOURCE};
    uint64_t allowed = 0, have = UINT64_MAX, bounding = UINT64_MAX;
    char line[256];
    _cleanup_fclose_ FILE *f = fopen("/proc/self/status", "re");
    for (size_t i = 0; i < ARRAY_SIZE(few); i++)
        allowed |= UINT64_C(1) << few[i];
    while (f && fgets(line, sizeof line, f)) {
        (void)!sscanf(line, "CapPrm: %" SCNx64, &have);
        (void)!sscanf(line, "CapBnd: %" SCNx64, &bounding);
    }
    return !(have & ~allowed) && !(bounding & ~allowed);
}

/* The number of the first thing that is not as it should be. */
static int try_all(void)
{
    struct error e = ERROR_NONE;
    struct rlimit core;
    const char *argv[] = {"true", NULL};

    dup2(STDERR_FILENO, LEFT_OPEN);
    setenv("LVM_SYSTEM_DIR", "/tmp", 1);
    setenv("PATH", "/tmp", 1);
    signal(SIGCHLD, SIG_IGN);
    signal(SIGINT, SIG_DFL); /* which a shell has ignored where it ran us in the background */
    signal(SIGQUIT, SIG_DFL);
    if (sandbox_harden(&e) < 0)
        return dprintf(2, "%s\n", e.text), 1;
    if (!begins_afresh())
        return 18;
    if (sandbox_enter(&e) < 0)
        return dprintf(2, "%s\n", e.text), 1;
    if (!denied(socket(AF_INET, SOCK_STREAM, 0)) || !denied(socket(AF_INET6, SOCK_DGRAM, 0)) ||
        !denied(socket(AF_NETLINK, SOCK_RAW, 0)) || !denied(socket(AF_PACKET, SOCK_RAW, 0)))
        return 2;
    if (socket(AF_UNIX, SOCK_STREAM, 0) < 0)
        return 3;
    if (!denied(ptrace(PTRACE_TRACEME, 0, 0, 0)) || !denied(unshare(CLONE_NEWUSER)))
        return 4;
    static const unsigned name_spaces[] = {CLONE_NEWNS,   CLONE_NEWCGROUP, CLONE_NEWUTS, CLONE_NEWIPC,
                                           CLONE_NEWUSER, CLONE_NEWPID,    CLONE_NEWNET};
    for (size_t i = 0; i < ARRAY_SIZE(name_spaces); i++)
        if (!denied(syscall(SYS_clone, name_spaces[i] | SIGCHLD, NULL, NULL, NULL, NULL)))
            return 11;
    if (syscall(SYS_clone3, NULL, 0) >= 0 || errno != ENOSYS)
        return 12;
    if (!denied(syscall(SYS_fsconfig, -1, 0, NULL, NULL, 0)) || !denied(personality(PER_LINUX32)))
        return 13;
    if (!memory_is_locked())
        return 14;
    if (!calls_of_anybody_are_denied())
        return 16;
    if (!capabilities_are_few())
        return 17;
    int r = has_landlock() ? try_files() : 0;
    if (r != 0)
        return r;
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
    if (process_run(argv, 10, NULL, &e) < 0)
        return 10;
    return mkfs_has_no_capability() ? 0 : 15;
}

/* What mkfs.xfs wants to do to the device, which it may not, seems to be done; nothing else does. */
static void calls_of_mkfs_seem_to_succeed(void **state)
{
    (void)state;
    int status = -1;
    pid_t pid = fork();
    if (pid == 0) {
        int fd = open("/dev/null", O_RDWR | O_CLOEXEC);
        if (ioctl(fd, BLKFLSBUF, 0) == 0 || errno != ENOTTY)
            _exit(1);
        if (sandbox_mkfs() < 0)
            _exit(2);
        if (ioctl(fd, BLKFLSBUF, 0) < 0 || ioctl(fd, BLKBSZSET, &fd) < 0)
            _exit(3);
        _exit(ioctl(fd, BLKRRPART, 0) == 0 || errno != ENOTTY ? 4 : 0);
    }
    waitpid(pid, &status, 0);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void it_holds(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip();
    int status = -1;
    char said[512] = "";
    _cleanup_close_ int err = memfd_create("stderr", MFD_CLOEXEC);
    make_files();
    pid_t pid = fork();
    if (pid == 0)
        _exit(dup2(err, STDERR_FILENO) < 0 ? 25 : try_all());
    waitpid(pid, &status, 0);
    remove_files();
    assert_true(pread(err, said, sizeof said - 1, 0) >= 0);
    assert_string_equal(said, ""); /* what did not work, or a warning */
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

/* As the profile of a container does it, whose kernel has Landlock. */
static int try_where_landlock_is_forbidden(void)
{
    struct error e = ERROR_NONE;
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
    if (!filter ||
        seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(landlock_create_ruleset), 0) < 0 ||
        seccomp_load(filter) < 0)
        return 1;
    seccomp_release(filter);
    if (sandbox_enter(&e) != -EPERM)
        return 2;
    if (!strstr(e.text, "seccomp profile") || !strstr(e.text, "landlock_restrict_self"))
        return dprintf(2, "%s\n", e.text), 3;
    return 0;
}

static void it_says_who_forbids_landlock(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip();
    int status = -1;
    pid_t pid = fork();
    if (pid == 0)
        _exit(try_where_landlock_is_forbidden());
    waitpid(pid, &status, 0);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(calls_of_mkfs_seem_to_succeed),
                                       cmocka_unit_test(it_holds),
                                       cmocka_unit_test(it_says_who_forbids_landlock)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
