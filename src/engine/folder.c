/* SPDX-License-Identifier: Apache-2.0 */
/* The folder of sockets, and the keepers in it. See engine-internal.h. */
#include "base/fd.h"
#include "base/user.h"
#include "engine/engine-internal.h"

#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOCK        "lock"
#define END_MSEC    10000 /* limit for a keeper, which gives its worker half of this */
#define KILLED_MSEC 2000

int engine_socket_path(const struct sockets *sockets, const struct volume *v, char path[ENGINE_PATH_MAX],
                       struct error *e)
{
    int n = snprintf(path, ENGINE_PATH_MAX, "%s/%.63s", sockets->path, v->lv);
    if (n < ENGINE_PATH_MAX)
        return 0;
    return error_set(e, -ENAMETOOLONG,
                     "disk %s: cannot be served: the path of its socket below %s would be longer than the "
                     "kernel takes; set XDG_RUNTIME_DIR to a folder with a shorter path",
                     v->lv, sockets->path);
}

static int check_folder(const struct sockets *sockets, int fd, struct error *e)
{
    struct stat st;
    if (!sockets->of_host)
        return user_check_folder(fd, "folder of sockets", sockets->path,
                                 "remove it, or set XDG_RUNTIME_DIR to a folder of your own", e);
    if (fstat(fd, &st) < 0 || st.st_mode & 022)
        return error_set(e, -EACCES,
                         "folder of sockets %s: is not used: others may write to it; chmod 2755 it",
                         sockets->path);
    return 0;
}

int engine_folder(const struct sockets *sockets, int *ret_fd, struct error *e)
{
    if (!sockets->of_host && mkdir(sockets->path, 0700) < 0 && errno != EEXIST)
        return error_set(
            e, errno,
            "folder of sockets %s: cannot be made: %m; log in, or set XDG_RUNTIME_DIR to a folder "
            "of your own",
            sockets->path);
    _cleanup_close_ int fd = open(sockets->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return error_set(e, errno, "folder of sockets %s: cannot be opened: %m; %s", sockets->path,
                         sockets->of_host ? "run mayfly as root, which makes it" : "see ls -ld");
    int r = check_folder(sockets, fd, e);
    if (r == 0)
        *ret_fd = TAKE_FD(fd);
    return r;
}

/* Finds the group that QEMU runs with, as Debian and Fedora name it. */
static gid_t qemu_group(void)
{
    static const char *const names[] = {"libvirt-qemu", "qemu"};
    const struct group *group = NULL;
    for (size_t i = 0; !group && i < ARRAY_SIZE(names); i++)
        group = getgrnam(names[i]);
    return group ? group->gr_gid : 0;
}

/* Leaves a folder as it is that has the right owner, who is set last: an operator may have given it another
 * group. */
void engine_make_folder(const struct sockets *sockets, uid_t owner)
{
    char above[PATH_MAX];
    struct stat st;
    snprintf(above, sizeof above, "%s", sockets->path);
    *strrchr(above, '/') = '\0';
    if (mkdir(above, 0700) == 0 && chmod(above, 0755) < 0)
        return;
    bool made = mkdir(sockets->path, 0700) == 0;
    _cleanup_close_ int fd = open(sockets->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0 || st.st_uid == owner)
        return;
    gid_t group = st.st_gid ? st.st_gid : qemu_group();
    if ((fchmod(fd, 02755) < 0 || fchown(fd, owner, group) < 0) && made)
        rmdir(sockets->path); /* without CAP_CHOWN, in mayfly-recover.service */
}

/* Explains who may start and end the keepers of the host. */
static int error_not_ours(const struct sockets *sockets, struct error *e)
{
    return error_set(
        e, -errno,
        "folder of sockets %s: cannot be used: %m; disks with engine user are opened and closed by "
        "root's mayfly and by libvirt's hook: run mayfly as root, or virsh start",
        sockets->path);
}

/* Takes the byte of an instance, so that a mayfly which hangs stops no other instance. Two instances may
 * share a byte, and wait for each other then. */
int engine_folder_locked(const struct sockets *sockets, const char *instance, int *ret_fd, int *ret_lock,
                         struct error *e)
{
    _cleanup_close_ int fd = -1;
    struct flock byte = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 1};
    byte.l_start = (off_t)strtoul(instance, NULL, 16); /* the 32 bits before the first dash */
    int r = engine_folder(sockets, &fd, e);
    if (r < 0)
        return r;
    _cleanup_close_ int lock = openat(fd, LOCK, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (lock < 0 && sockets->of_host)
        return error_not_ours(sockets, e);
    if (lock < 0 || fcntl(lock, F_OFD_SETLKW, &byte) < 0)
        return error_set(e, errno, "%s/" LOCK ": cannot be locked: %m", sockets->path);
    *ret_fd = TAKE_FD(fd);
    *ret_lock = TAKE_FD(lock);
    return 0;
}

int keeper_look(int folder, const char *file, int access, struct keeper_seen *ret, struct error *e)
{
    *ret = (struct keeper_seen){.state_fd = -1};
    _cleanup_close_ int fd = openat(folder, file, access | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT)
        return 0;
    int r = fd < 0 ? -errno : state_holder(fd, &ret->pid);
    if (r == 0 && ret->pid)
        r = state_read(fd, &ret->state);
    if (r < 0)
        return error_set(e, r, "keeper %s: its state cannot be read: %s; stop its guest, and end its process",
                         file, strerror(-r));
    ret->state_fd = TAKE_FD(fd);
    return 0;
}

void keeper_seen_end(struct keeper_seen *k)
{
    k->state_fd = fd_close(k->state_fd);
}

/* Signals a keeper. Looks it up again once there is a pidfd of it, which no other process can get. */
int keeper_signal(const struct keeper_seen *k, int signal, int *ret_pidfd)
{
    pid_t now = 0;
    _cleanup_close_ int pidfd = pidfd_open(k->pid, 0);
    int r = pidfd < 0 ? -errno : state_holder(k->state_fd, &now);
    if (r == 0 && now != k->pid)
        r = -ESRCH;
    if (r == 0 && pidfd_send_signal(pidfd, signal, NULL, 0) < 0)
        r = -errno;
    if (r == 0 && ret_pidfd)
        *ret_pidfd = TAKE_FD(pidfd);
    return r;
}

static bool has_ended(int pidfd, int msec)
{
    struct pollfd p = {.fd = pidfd, .events = POLLIN};
    return poll(&p, 1, msec) > 0;
}

int keeper_stop(const struct keeper_seen *k, const char *lv, struct error *e)
{
    _cleanup_close_ int pidfd = -1;
    int r = keeper_signal(k, SIGTERM, &pidfd);
    if (r == -ESRCH || (r == 0 && has_ended(pidfd, END_MSEC)))
        return 0;
    if (r == 0 && pidfd_send_signal(pidfd, SIGKILL, NULL, 0) == 0 && has_ended(pidfd, KILLED_MSEC))
        return 0;
    return error_set(e, r < 0 ? r : -EBUSY, "disk %s: cannot be closed: its keeper, process %d, does not end",
                     lv, (int)k->pid);
}
