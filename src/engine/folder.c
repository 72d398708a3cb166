/* SPDX-License-Identifier: Apache-2.0 */
/* The folder of sockets, and the keepers in it. See engine-internal.h. */
#include "base/fd.h"
#include "base/user.h"
#include "engine/engine-internal.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <unistd.h>

#define FOLDER      "mayfly"
#define LOCK        "lock"
#define END_MSEC    10000 /* limit for a keeper, which gives its worker half of this */
#define KILLED_MSEC 2000

int engine_socket_path(const char *runtime_dir, const struct volume *v, char path[ENGINE_PATH_MAX],
                       struct error *e)
{
    int n = snprintf(path, ENGINE_PATH_MAX, "%s/" FOLDER "/%.63s", runtime_dir, v->lv);
    if (n < ENGINE_PATH_MAX)
        return 0;
    return error_set(e, -ENAMETOOLONG,
                     "disk %s: cannot be served: the path of its socket below %s would be longer than the "
                     "kernel takes; set XDG_RUNTIME_DIR to a folder with a shorter path",
                     v->lv, runtime_dir);
}

static int check_folder(int fd, const char *runtime_dir, struct error *e)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/" FOLDER, runtime_dir);
    return user_check_folder(fd, "folder of sockets", path,
                             "remove it, or set XDG_RUNTIME_DIR to a folder of your own", e);
}

int engine_folder(const char *runtime_dir, int *ret_fd, struct error *e)
{
    _cleanup_close_ int above = open(runtime_dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (above < 0)
        return error_set(e, errno,
                         "folder %s: cannot be opened for the sockets of disks: %m; log in, or set "
                         "XDG_RUNTIME_DIR to a folder of your own",
                         runtime_dir);
    if (mkdirat(above, FOLDER, 0700) < 0 && errno != EEXIST)
        return error_set(e, errno, "%s/" FOLDER ": cannot be made: %m", runtime_dir);
    _cleanup_close_ int fd = openat(above, FOLDER, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return error_set(e, errno, "%s/" FOLDER ": cannot be opened: %m", runtime_dir);
    int r = check_folder(fd, runtime_dir, e);
    if (r == 0)
        *ret_fd = TAKE_FD(fd);
    return r;
}

int engine_folder_locked(const char *runtime_dir, int *ret_fd, int *ret_lock, struct error *e)
{
    _cleanup_close_ int fd = -1;
    int r = engine_folder(runtime_dir, &fd, e);
    if (r < 0)
        return r;
    _cleanup_close_ int lock = openat(fd, LOCK, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (lock < 0 || flock(lock, LOCK_EX) < 0)
        return error_set(e, errno, "%s/" FOLDER "/" LOCK ": cannot be locked: %m", runtime_dir);
    *ret_fd = TAKE_FD(fd);
    *ret_lock = TAKE_FD(lock);
    return 0;
}

int keeper_look(int folder, const char *file, struct keeper_seen *ret, struct error *e)
{
    *ret = (struct keeper_seen){.state_fd = -1};
    _cleanup_close_ int fd = openat(folder, file, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT)
        return 0;
    int r = fd < 0 ? -errno : state_holder(fd, &ret->pid);
    if (r == 0 && ret->pid)
        r = state_read(fd, &ret->state);
    if (r < 0)
        return error_set(e, r, "keeper %s: its state cannot be read: %s; see mayfly doctor", file,
                         strerror(-r));
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
