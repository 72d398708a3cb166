/* SPDX-License-Identifier: Apache-2.0 */
/* The broker's sandbox: stages, each of which only takes rights away. See sandbox.h.
 *
 *     harden            limits, signals, environment
 *     capabilities      root's name, but few of its rights
 *     memory            nothing of this process is swapped
 *     no_new_privs      no set-uid program gives them back
 *     Landlock          (Linux 5.13) writes below /dev, /run and LVM's folders, runs programs of the system
 *     system calls      no network, no tracing, no mounts or name spaces, no modules, no other kernel
 *
 * The filter is a deny-list: lvm and mkfs of all distributions run under it, and nobody knows what they will
 * need tomorrow. Denied calls fail with EPERM. Its limit: an attacker who takes this process over has
 * device-mapper, and so every disk of the host.
 */
#include "broker/sandbox.h"

#include "base/fd.h"
#include "base/landlock.h"
#include "base/log.h"
#include "base/process.h"

#include <cap-ng.h>
#include <linux/fs.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct {
    unsigned number;
    bool without_udev; /* kept only where libdevmapper makes the device nodes, for lack of udevd */
} capabilities[] = {
    {CAP_SYS_ADMIN, false},    /* device-mapper's ioctls */
    {CAP_DAC_OVERRIDE, false}, /* a mayfly.conf or /dev that root does not own alone */
    {CAP_CHOWN, true},         /* gives device nodes to group disk */
    {CAP_FOWNER, true},        /* sets modes of device nodes */
    {CAP_MKNOD, true},         /* makes device nodes */
    {CAP_IPC_LOCK, false},     /* keys, and lvm in its critical sections, are locked into RAM */
    {CAP_IPC_OWNER, false},    /* udev's cookies are semaphores */
    {CAP_SYS_NICE, false},     /* lvm raises its priority while devices are suspended */
    {CAP_SYS_RESOURCE, false}, /* lvm may write a group's metadata to a full file system */
};

static const int denied[] = {
    /* other processes */
    SCMP_SYS(ptrace),
    SCMP_SYS(process_vm_readv),
    SCMP_SYS(process_vm_writev),
    SCMP_SYS(kcmp),
    SCMP_SYS(pidfd_getfd),
    /* the kernel itself */
    SCMP_SYS(init_module),
    SCMP_SYS(finit_module),
    SCMP_SYS(delete_module),
    SCMP_SYS(kexec_load),
    SCMP_SYS(kexec_file_load),
    SCMP_SYS(bpf),
    SCMP_SYS(perf_event_open),
    SCMP_SYS(userfaultfd),
    SCMP_SYS(iopl),
    SCMP_SYS(ioperm),
    SCMP_SYS(modify_ldt),
    SCMP_SYS(syslog),
    SCMP_SYS(reboot),
    /* file systems and name spaces */
    SCMP_SYS(mount),
    SCMP_SYS(umount2),
    SCMP_SYS(pivot_root),
    SCMP_SYS(chroot),
    SCMP_SYS(move_mount),
    SCMP_SYS(open_tree),
    SCMP_SYS(fsopen),
    SCMP_SYS(fsconfig),
    SCMP_SYS(fsmount),
    SCMP_SYS(fspick),
    SCMP_SYS(mount_setattr),
    SCMP_SYS(unshare),
    SCMP_SYS(setns),
    SCMP_SYS(open_by_handle_at),
    SCMP_SYS(quotactl),
    SCMP_SYS(quotactl_fd),
    SCMP_SYS(fanotify_init),
    SCMP_SYS(swapon),
    SCMP_SYS(swapoff),
    SCMP_SYS(acct),
    /* the machine */
    SCMP_SYS(settimeofday),
    SCMP_SYS(clock_settime),
    SCMP_SYS(adjtimex),
    SCMP_SYS(clock_adjtime),
    SCMP_SYS(sethostname),
    SCMP_SYS(setdomainname),
    SCMP_SYS(vhangup),
    SCMP_SYS(personality),
    SCMP_SYS(truncate), /* by name, of any file: Landlock sees it only since Linux 6.2 */
    /* a way around a filter of system calls */
    SCMP_SYS(io_uring_setup),
};

/* What clone() could make: see deny_name_spaces(). */
static const unsigned name_spaces[] = {CLONE_NEWNS,   CLONE_NEWCGROUP, CLONE_NEWUTS, CLONE_NEWIPC,
                                       CLONE_NEWUSER, CLONE_NEWPID,    CLONE_NEWNET};

/* Folders below which files are written, made and removed: device nodes; locks and sockets; LVM's backups and
 * its file of devices, where distributions have them. */
static const char *const written[] = {"/dev", "/run", "/var/lock", "/etc/lvm", "/var/lib/lvm"};
static const char *const programs[] = {"/usr", "/bin", "/sbin", "/lib", "/lib64"};

static void clean_environment(void)
{
    clearenv();
    for (size_t i = 0; process_environment[i]; i++)
        putenv((char *)process_environment[i]);
}

int sandbox_harden(struct error *e)
{
    static const int ignored[] = {SIGINT, SIGQUIT, SIGHUP, SIGPIPE, SIGTSTP};
    static const struct rlimit none = {0, 0};

    process_close_from(3); /* systemd gives the socket as 3 too */
    clean_environment();
    umask(077);
    setsid(); /* fails if we lead a session already, which is as good */
    for (size_t i = 0; i < ARRAY_SIZE(ignored); i++)
        signal(ignored[i], SIG_IGN);
    signal(SIGCHLD, SIG_DFL); /* if our parent ignored it, we could not wait for children */
    if (prctl(PR_SET_DUMPABLE, 0) < 0 || setrlimit(RLIMIT_CORE, &none) < 0)
        return error_set(e, errno, "mayfly-broker: cannot be hardened: %m");
    return 0;
}

/* Keeps only the capabilities above, as far as they are there: in a container some may be missing. */
static int drop_capabilities(struct error *e)
{
    bool have[ARRAY_SIZE(capabilities)], udev = access("/run/udev/control", F_OK) == 0;
    for (size_t i = 0; i < ARRAY_SIZE(capabilities); i++)
        have[i] = !(udev && capabilities[i].without_udev) &&
                  capng_have_capability(CAPNG_PERMITTED, capabilities[i].number) != 0;

    capng_clear(CAPNG_SELECT_BOTH);
    for (size_t i = 0; i < ARRAY_SIZE(capabilities); i++)
        if (have[i])
            capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED | CAPNG_BOUNDING_SET,
                         capabilities[i].number);
    if (capng_apply(CAPNG_SELECT_BOTH) < 0)
        return error_set(e, -EPERM, "mayfly-broker: capabilities cannot be dropped; it must be run by root");
    return 0;
}

/* Locks all memory, since keys pass through OpenSSL's heap and through stacks, too. ONFAULT: pages that are
 * never touched cost nothing. */
static void lock_memory(void)
{
    if (mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) < 0)
        log_warning("memory cannot be locked into RAM (%m): encrypt the swap of this host");
}

static int allow_folders(int ruleset, const char *const folders[], size_t n, uint64_t rights)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < n; i++)
        r = landlock_allow(ruleset, folders[i], rights);
    return r;
}

/* Confines writes and programs. Reading is allowed everywhere: mayfly.conf may be anywhere. */
static int confine_files(struct error *e)
{
    _cleanup_close_ int ruleset = landlock_new();
    if (ruleset == -EOPNOTSUPP)
        return 0;
    int r = ruleset < 0 ? ruleset : landlock_allow(ruleset, "/", LANDLOCK_READ_TREE);
    if (r == 0)
        r = allow_folders(ruleset, programs, ARRAY_SIZE(programs), LANDLOCK_READ_PROGRAMS);
    if (r == 0)
        r = allow_folders(ruleset, written, ARRAY_SIZE(written), LANDLOCK_WRITE_TREE);
    if (r == 0)
        r = landlock_allow(ruleset, "/proc", LANDLOCK_READ_TREE | LANDLOCK_ACCESS_FS_WRITE_FILE);
    if (r == 0)
        r = landlock_enter(ruleset);
    return r < 0 ? landlock_failed("mayfly-broker", r, e) : 0;
}

/* Denies clone3, whose flags are in memory, where a filter cannot see them; without it glibc uses clone. */
static int deny_name_spaces(scmp_filter_ctx filter)
{
    int r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
    for (size_t i = 0; r == 0 && i < ARRAY_SIZE(name_spaces); i++)
        r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(clone), 1,
                             SCMP_A0(SCMP_CMP_MASKED_EQ, name_spaces[i], name_spaces[i]));
    return r;
}

/* Denies all sockets except local ones: root does nothing with a network here. */
static int deny_all(scmp_filter_ctx filter)
{
    int r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(socket), 1,
                             SCMP_A0(SCMP_CMP_NE, AF_UNIX, 0));
    for (size_t i = 0; r == 0 && i < ARRAY_SIZE(denied); i++)
        r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), denied[i], 0);
    return r < 0 ? r : deny_name_spaces(filter);
}

static int filter_calls(struct error *e)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
    if (!filter)
        return error_memory(e);
    int r = deny_all(filter);
    if (r == 0)
        r = seccomp_load(filter);
    seccomp_release(filter);
    return r < 0 ? error_set(e, r,
                             "mayfly-broker: system calls cannot be filtered (error %d); the kernel needs "
                             "CONFIG_SECCOMP_FILTER",
                             -r)
                 : 0;
}

int sandbox_enter(struct error *e)
{
    int r = drop_capabilities(e);
    if (r < 0)
        return r;
    lock_memory();
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return error_set(e, errno, "mayfly-broker: cannot be hardened: %m");
    r = confine_files(e);
    return r < 0 ? r : filter_calls(e);
}

/* Lets two calls seem to succeed that mkfs.xfs makes and that need CAP_SYS_ADMIN: it ends if the first one
 * fails, and neither changes the disk. */
static int pretend_calls(void)
{
    static const unsigned pretended[] = {BLKBSZSET, BLKFLSBUF};
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
    int r = filter ? 0 : -ENOMEM;
    for (size_t i = 0; r == 0 && i < ARRAY_SIZE(pretended); i++)
        r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(0), SCMP_SYS(ioctl), 1,
                             SCMP_A1(SCMP_CMP_MASKED_EQ, UINT32_MAX, pretended[i]));
    if (r == 0)
        r = seccomp_load(filter);
    seccomp_release(filter);
    return r;
}

/* Leaves the bounding set: with no_new_privs exec gives root nothing that it did not have before. */
int sandbox_mkfs(void)
{
    capng_clear(CAPNG_SELECT_CAPS);
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || capng_apply(CAPNG_SELECT_CAPS) < 0)
        return -EPERM;
    return pretend_calls();
}
