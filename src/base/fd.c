/* SPDX-License-Identifier: Apache-2.0 */
/* See fd.h. Handles short reads and EINTR, so that no caller needs a loop. */
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U /* sys/mman.h since glibc 2.38 */
#endif

int fd_close(int fd)
{
    if (fd >= 0) {
        int saved = errno;
        close(fd);
        errno = saved;
    }
    return -1;
}

/* Reads once, at `offset_bytes` or, if that is negative, at the file's own position. */
static ssize_t read_once(int fd, void *buffer, size_t size, off_t offset_bytes)
{
    return offset_bytes < 0 ? read(fd, buffer, size) : pread(fd, buffer, size, offset_bytes);
}

static ssize_t write_once(int fd, const void *buffer, size_t size, off_t offset_bytes)
{
    return offset_bytes < 0 ? write(fd, buffer, size) : pwrite(fd, buffer, size, offset_bytes);
}

static int read_loop(int fd, char *buffer, size_t size, off_t offset_bytes)
{
    for (size_t done = 0; done < size;) {
        ssize_t n =
            read_once(fd, buffer + done, size - done, offset_bytes < 0 ? -1 : offset_bytes + (off_t)done);
        if (n < 0 && errno != EINTR)
            return -errno;
        if (n == 0)
            return -EIO;
        done += n > 0 ? (size_t)n : 0;
    }
    return 0;
}

static int write_loop(int fd, const char *buffer, size_t size, off_t offset_bytes)
{
    for (size_t done = 0; done < size;) {
        ssize_t n =
            write_once(fd, buffer + done, size - done, offset_bytes < 0 ? -1 : offset_bytes + (off_t)done);
        if (n < 0 && errno != EINTR)
            return -errno;
        done += n > 0 ? (size_t)n : 0;
    }
    return 0;
}

int fd_read_all(int fd, void *buffer, size_t size)
{
    return read_loop(fd, buffer, size, -1);
}

int fd_write_all(int fd, const void *buffer, size_t size)
{
    return write_loop(fd, buffer, size, -1);
}

int fd_pread_all(int fd, void *buffer, size_t size, uint64_t offset_bytes)
{
    return read_loop(fd, buffer, size, (off_t)offset_bytes);
}

int fd_pwrite_all(int fd, const void *buffer, size_t size, uint64_t offset_bytes)
{
    return write_loop(fd, buffer, size, (off_t)offset_bytes);
}

int fd_each_data(int fd, fd_writer *writer, void *context)
{
    char buffer[65536];
    for (off_t at = 0, hole; (at = lseek(fd, at, SEEK_DATA)) >= 0; at = hole) {
        hole = lseek(fd, at, SEEK_HOLE);
        if (hole < 0)
            return -errno;
        for (off_t done = at; done < hole;) {
            size_t n = hole - done < (off_t)sizeof buffer ? (size_t)(hole - done) : sizeof buffer;
            int r = fd_pread_all(fd, buffer, n, (uint64_t)done);
            if (r == 0)
                r = writer(context, buffer, n, (uint64_t)done);
            if (r < 0)
                return r;
            done += (off_t)n;
        }
    }
    return errno == ENXIO ? 0 : -errno; /* no more data */
}

int fd_read_text(int fd, size_t limit, char **ret_text, size_t *ret_size)
{
    _cleanup_free_ char *text = NULL;
    size_t used = 0, room = 0;

    lseek(fd, 0, SEEK_SET); /* fails on a pipe, which is always at its beginning */
    for (;;) {
        if (room - used < 2) {
            room = room ? room * 2 : 4096;
            char *bigger = realloc(text, room);
            if (!bigger)
                return -ENOMEM;
            text = bigger;
        }
        ssize_t n = read(fd, text + used, room - used - 1);
        if (n < 0 && errno != EINTR)
            return -errno;
        if (n == 0)
            break;
        used += n > 0 ? (size_t)n : 0;
        if (used > limit)
            return -EFBIG;
    }
    text[used] = '\0';
    *ret_text = TAKE_PTR(text);
    if (ret_size)
        *ret_size = used;
    return 0;
}

void file_line(const char *path, char *line, size_t size)
{
    _cleanup_fclose_ FILE *f = fopen(path, "re");
    line[0] = '\0';
    if (f && fgets(line, (int)size, f))
        line[strcspn(line, "\n")] = '\0';
}

/* Tries again without the flag, which Linux before 6.3 does not know and refuses. */
int fd_memfd_empty(const char *name, unsigned flags)
{
    int fd = memfd_create(name, flags | MFD_CLOEXEC | MFD_NOEXEC_SEAL);
    if (fd < 0 && errno == EINVAL)
        fd = memfd_create(name, flags | MFD_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

int fd_memfd(const char *name, const void *data, size_t size, int *ret_fd)
{
    _cleanup_close_ int fd = fd_memfd_empty(name, 0);
    if (fd < 0)
        return fd;
    int r = fd_pwrite_all(fd, data, size, 0);
    if (r < 0)
        return r;
    *ret_fd = TAKE_FD(fd);
    return 0;
}

int fd_keep_standard(void)
{
    for (int fd = 0; fd <= 2; fd++)
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) != fd) /* the lowest that is free */
            return -errno;
    return 0;
}

int fd_temporary_folder(char *path, size_t size)
{
    const char *const bases[] = {secure_getenv("TMPDIR"), "/tmp"};
    for (size_t i = 0; i < ARRAY_SIZE(bases); i++)
        if (bases[i] && snprintf(path, size, "%s/mayfly-XXXXXX", bases[i]) < (int)size && mkdtemp(path))
            return 0;
    return -errno;
}

int fd_move_high(int fd)
{
    int high = fcntl(fd, F_DUPFD_CLOEXEC, 10);
    return high < 0 ? -errno : high;
}

int fd_link(int fd, int folder_fd, const char *name)
{
    char self[32];
    snprintf(self, sizeof self, "/proc/self/fd/%d", fd);
    return linkat(AT_FDCWD, self, folder_fd, name, AT_SYMLINK_FOLLOW) < 0 ? -errno : 0;
}

int fd_link_durably(int fd, int folder_fd, const char *name)
{
    int r = fsync(fd) < 0 ? -errno : fd_link(fd, folder_fd, name);
    return r == 0 && fsync(folder_fd) < 0 ? -errno : r;
}

int fd_add_file(int folder_fd, const char *name, const void *data, size_t size)
{
    _cleanup_close_ int fd = openat(folder_fd, ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
    if (fd < 0)
        return -errno;
    int r = fd_write_all(fd, data, size);
    return r < 0 ? r : fd_link_durably(fd, folder_fd, name);
}

static int sync_folder(const char *path)
{
    _cleanup_close_ int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 || fsync(fd) < 0 ? -errno : 0;
}

int fd_make_folder(const char *path)
{
    const char *slash = strrchr(path, '/');
    if (!slash)
        return -EINVAL;
    _cleanup_free_ char *parent = slash == path ? strdup("/") : strndup(path, (size_t)(slash - path));
    if (!parent)
        return -ENOMEM;
    int r = mkdir(path, 0700);
    if (r < 0 && errno == ENOENT) {
        r = fd_make_folder(parent);
        if (r < 0)
            return r;
        r = mkdir(path, 0700);
    }
    if (r < 0)
        return errno == EEXIST ? 0 : -errno;
    return sync_folder(parent);
}
