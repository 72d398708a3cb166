/* SPDX-License-Identifier: Apache-2.0 */
/* The calls by which src/pool changes its folder (linked with --wrap): the process may be cut at each of
 * them. See world-pool.h. */
#include "world-pool.h"

#include "broker/format.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

bool cut_spares;

static struct world *at_work(void)
{
    struct world *w = fake_world();
    return w && w->storage == &pool_storage && !cut_spares ? w : NULL;
}

/* A process that has crashed reads nothing either, and so does not find that its work is done. */
static bool is_dead(void)
{
    const struct world *w = at_work();
    bool dead = w && w->crashed;
    if (dead)
        errno = EIO;
    return dead;
}

/* True: the call is not made, and returns *ret. */
static bool cut(const char *call, int *ret)
{
    struct world *w = at_work();
    int r = w ? world_enter(w, call, NULL) : 0;
    if (r == 0 && w)
        folder_changed();
    *ret = r < 0 ? -1 : 0;
    if (r < 0)
        errno = EIO;
    return r != 0;
}

/* The call was made, and returned r: perhaps that it has nothing to do. */
static int cut_after(int r)
{
    struct world *w = at_work();
    int errnum = errno;
    bool lost = w && world_leave(w, 0, NULL) < 0;
    errno = lost ? EIO : errnum;
    return lost ? -1 : r;
}

#define CUT(name, parameters, arguments)                                                                     \
    int __real_##name parameters;                                                                            \
    int __wrap_##name parameters;                                                                            \
    int __wrap_##name parameters                                                                             \
    {                                                                                                        \
        int r;                                                                                               \
        return cut(#name, &r) ? r : cut_after(__real_##name arguments);                                      \
    }

CUT(mkdirat, (int fd, const char *name, mode_t mode), (fd, name, mode))
CUT(linkat, (int from_fd, const char *from, int to_fd, const char *to, int flags),
    (from_fd, from, to_fd, to, flags))
CUT(renameat, (int from_fd, const char *from, int to_fd, const char *to), (from_fd, from, to_fd, to))
CUT(unlinkat, (int fd, const char *name, int flags), (fd, name, flags))
CUT(ftruncate64, (int fd, off_t size), (fd, size))
CUT(fallocate64, (int fd, int mode, off_t at, off_t n), (fd, mode, at, n))

int __wrap_fsync(int fd);
int __wrap_fsync(int fd)
{
    int r;
    (void)fd;
    return cut("fsync", &r) ? r : cut_after(0);
}

int __real_openat64(int fd, const char *name, int flags, mode_t mode);
int __wrap_openat64(int fd, const char *name, int flags, ...);
int __wrap_openat64(int fd, const char *name, int flags, ...)
{
    va_list ap;
    va_start(ap, flags);
    mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(ap, mode_t) : 0;
    va_end(ap);
    int r;
    if (!(flags & O_CREAT) && (flags & O_TMPFILE) != O_TMPFILE)
        return is_dead() ? -1 : __real_openat64(fd, name, flags, mode);
    if (cut("openat", &r))
        return r < 0 ? r : open("/dev/null", O_RDWR | O_CLOEXEC);
    int made = __real_openat64(fd, name, flags, mode);
    r = cut_after(made);
    if (r < 0 && made >= 0) {
        close(made);
        errno = EIO;
    }
    return r;
}

/* What others than src/pool write is no file. */
ssize_t __real_write(int fd, const void *data, size_t size);
ssize_t __wrap_write(int fd, const void *data, size_t size);
ssize_t __wrap_write(int fd, const void *data, size_t size)
{
    struct stat st;
    int r;
    if (!at_work() || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
        return __real_write(fd, data, size);
    if (cut("write", &r))
        return r < 0 ? r : (ssize_t)size;
    return cut_after((int)__real_write(fd, data, size));
}

/* The file system shares blocks. */
int __real_ioctl(int fd, unsigned long request, void *argument);
int __wrap_ioctl(int fd, unsigned long request, ...);
int __wrap_ioctl(int fd, unsigned long request, ...)
{
    va_list ap;
    va_start(ap, request);
    int from_fd = request == FICLONE ? va_arg(ap, int) : -1, r;
    void *argument = request == FICLONE ? NULL : va_arg(ap, void *);
    va_end(ap);
    if (request != FICLONE)
        return __real_ioctl(fd, request, argument);
    if (cut("clone", &r))
        return r;
    folder_copy(from_fd, fd);
    return cut_after(0);
}

/* It is never full. */
int __wrap_fstatvfs64(int fd, struct statvfs *ret);
int __wrap_fstatvfs64(int fd, struct statvfs *ret)
{
    (void)fd;
    *ret = (struct statvfs){.f_frsize = 4096, .f_blocks = 1 << 30, .f_bfree = 1 << 29, .f_bavail = 1 << 29};
    return 0;
}

/* No mkfs runs: the disk gets a mark. */
int __wrap_format_make(const struct opened *disk, const char *fs, const char *label, struct error *e);
int __wrap_format_make(const struct opened *disk, const char *fs, const char *label, struct error *e)
{
    struct world *w = fake_world();
    int r = world_enter(w, "format", e);
    struct world_volume *v = r == 0 ? world_volume_at(w, disk->fd) : NULL;
    if (v) {
        snprintf(v->fs, sizeof v->fs, "%.7s", fs);
        snprintf(v->label, sizeof v->label, "%.11s", label);
        folder_wrote(v, disk->fd);
    }
    return r < 0 ? r : world_leave(w, 0, e);
}
