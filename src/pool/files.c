/* SPDX-License-Identifier: Apache-2.0 */
/* The files that are disks. A file gets its name once it is whole and synced. */
#include "pool/pool-internal.h"

#include "base/clock.h"
#include "base/fd.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

/* Ten seconds: after the end of a process, the kernel takes a while to end its io_uring, which has the file
 * open. */
#define TRIES        100
#define BETWEEN_MSEC 100

static int open_folder(const struct pool *p, const struct volume *v, int *ret_fd, struct error *e)
{
    char instance[UUID_TEXT];
    snprintf(instance, sizeof instance, "%.36s", v->lv);
    int r = records_folder(p->folder_fd, instance, ret_fd);
    return r < 0 ? error_set(e, r, "disk %s: its folder cannot be opened: %s", v->lv, strerror(-r)) : 0;
}

static int write_to_file(void *fd, const void *bytes, size_t n, uint64_t at)
{
    return fd_pwrite_all(*(int *)fd, bytes, n, at);
}

/* Copies a file that nobody writes to. It holds ciphertext; holes stay holes. */
static int copy_contents(int fd, int from_fd)
{
    off_t size = lseek(from_fd, 0, SEEK_END);
    int r = size < 0 || ftruncate(fd, size) < 0 ? -errno : 0;
    return r < 0 ? r : fd_each_data(from_fd, write_to_file, &fd);
}

static bool cannot_share(int r)
{
    return r == -EOPNOTSUPP || r == -EINVAL || r == -ENOTTY || r == -EXDEV;
}

/* Fills a new file. It is one hole, or a copy that shares its blocks with the original if the file system
 * can. */
static int fill_file(int fd, const struct copied *from, uint64_t size_bytes)
{
    if (!from)
        return ftruncate(fd, (off_t)size_bytes) < 0 ? -errno : 0;
    int r = ioctl(fd, FICLONE, from->fd) < 0 ? -errno : 0;
    return cannot_share(r) && from->is_idle ? copy_contents(fd, from->fd) : r;
}

int file_make(const struct pool *p, const struct volume *v, const struct copied *from, struct error *e)
{
    _cleanup_close_ int folder_fd = -1, fd = -1;
    int r = open_folder(p, v, &folder_fd, e);
    if (r < 0)
        return r;
    fd = openat(folder_fd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    r = fd < 0 ? -errno : fill_file(fd, from, v->size_bytes);
    if (r == 0)
        r = fd_link_durably(fd, folder_fd, record_file(v));
    if (from && !from->is_idle && cannot_share(r))
        return error_set(
            e, -EOPNOTSUPP,
            "disk %s: cannot be copied while its guest runs: the file system of the pool cannot share "
            "blocks between files, as XFS can; shut the instance down first",
            v->lv);
    return r < 0 ? error_set(e, r, "disk %s: its file cannot be made: %s", v->lv, strerror(-r)) : 0;
}

int file_open(const struct pool *p, const struct volume *v, int flags, int *ret_fd, struct error *e)
{
    _cleanup_close_ int folder_fd = -1;
    int r = open_folder(p, v, &folder_fd, e);
    if (r < 0)
        return r;
    int fd = openat(folder_fd, record_file(v), flags | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 && flags & O_DIRECT && errno == EINVAL) /* the file system has no O_DIRECT */
        fd = openat(folder_fd, record_file(v), (flags & ~O_DIRECT) | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return error_set(e, errno, "disk %s: its file cannot be opened: %m", v->lv);
    *ret_fd = fd;
    return 0;
}

int file_remove(const struct pool *p, const struct volume *v, struct error *e)
{
    _cleanup_close_ int folder_fd = -1;
    int r = open_folder(p, v, &folder_fd, e);
    if (r == 0 && ((unlinkat(folder_fd, record_file(v), 0) < 0 && errno != ENOENT) || fsync(folder_fd) < 0))
        r = error_set(e, errno, "disk %s: its file cannot be removed: %m", v->lv);
    return r;
}

/* Gives back all blocks of the file, which becomes one hole. */
int file_empty(int fd)
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        return -errno;
    if (fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, st.st_size) < 0 &&
        (ftruncate(fd, 0) < 0 || ftruncate(fd, st.st_size) < 0))
        return -errno;
    return fsync(fd) < 0 ? -errno : 0;
}

/* True if `fd` is the only descriptor of the file. The kernel leases a file for writing only to its sole
 * opener. It tells of another opener by a signal, for which one is chosen that is ignored. Without leases
 * nothing can be known, and the file counts as unused. */
static bool is_unused(int fd)
{
    bool leased = fcntl(fd, F_SETSIG, SIGURG) == 0 && fcntl(fd, F_SETLEASE, F_WRLCK) == 0;
    bool held = !leased && errno == EAGAIN;
    if (leased)
        (void)!fcntl(fd, F_SETLEASE, F_UNLCK);
    return !held;
}

int file_check_unused(int fd, const struct volume *v, struct error *e)
{
    for (int tries = 1; !is_unused(fd); tries++) {
        if (tries == TRIES)
            return error_set(e, -EBUSY,
                             "disk %s: is left as it is, since a process has its file open; see fuser(1)",
                             v->lv);
        clock_sleep_msec(BETWEEN_MSEC);
    }
    return 0;
}
