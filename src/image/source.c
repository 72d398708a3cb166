/* SPDX-License-Identifier: Apache-2.0 */
/* See source.h. */
#include "image/source.h"

#include "base/fd.h"
#include "base/str.h"
#include "base/user.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* ------------------------------------------------------------------ opening */

static int check_type(int fd, const char *name, bool *ret_is_device, struct error *e)
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        return error_set(e, errno, "image %s: cannot be examined: %m", name);
    if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode))
        return error_set(e, -EINVAL,
                         "image %s: cannot be used: it is neither a regular file nor a block device", name);
    *ret_is_device = S_ISBLK(st.st_mode);
    return 0;
}

/* Opens a file by its path, with O_NONBLOCK, since opening a FIFO would wait for its writer. */
static int open_path(const char *path, const char *name, int *ret_fd, bool *ret_device, struct error *e)
{
    char user[USER_NAME_MAX];
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0 && (errno == EACCES || errno == EPERM))
        return error_set(
            e, -EACCES,
            "image %s: cannot be opened: user %s may not read it; give that user read access to it "
            "and its folders",
            name, user_name(geteuid(), user));
    if (fd < 0)
        return error_set(e, errno == ENXIO || errno == ENODEV ? -EINVAL : -errno,
                         "image %s: cannot be opened: %m", name);
    int r = check_type(fd, name, ret_device, e);
    if (r == 0)
        *ret_fd = TAKE_FD(fd);
    return r;
}

/* Opens the same file again with O_DIRECT: nothing is looked up by its name. */
static int open_direct(int fd)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    return open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_DIRECT);
}

int image_open_early(const char *path, struct image_early *ret, struct error *e)
{
    _cleanup_free_ char *name = strdup(path);
    bool device = false;
    int fd = -1;
    if (!name)
        return error_memory(e);
    str_tame(name);
    int r = open_path(path, name, &fd, &device, e);
    if (r == 0)
        *ret = (struct image_early){.is_open = true, .fd = fd, .direct_fd = open_direct(fd)};
    return r;
}

void image_early_close(struct image_early *i)
{
    if (i->is_open) {
        fd_close(i->fd);
        fd_close(i->direct_fd);
    }
    *i = (struct image_early){.is_open = false};
}

static bool is_early(const struct image_source *source)
{
    return source->early && source->early->is_open;
}

static int open_file(const struct image_source *source, const char *name, int *ret_fd, bool *ret_is_device,
                     struct error *e)
{
    if (!is_early(source))
        return open_path(source->path, name, ret_fd, ret_is_device, e);
    _cleanup_close_ int fd = fcntl(source->early->fd, F_DUPFD_CLOEXEC, 0);
    if (fd < 0)
        return error_set(e, errno, "image %s: cannot be opened once more: %m", name);
    int r = check_type(fd, name, ret_is_device, e);
    if (r == 0)
        *ret_fd = TAKE_FD(fd);
    return r;
}

/* ------------------------------------------------------------- the format */

/* Refuses an encrypted image without a key, and a key for any other image. */
static int check_key(const char *name, enum image_format format, const struct secret *key, struct error *e)
{
    if (format == IMAGE_LUKS && !key)
        return error_set(e, -EINVAL,
                         "image %s: cannot be used: it is encrypted; name its key by --image-key, or decrypt "
                         "it by qemu-img convert",
                         name);
    if (format != IMAGE_LUKS && key)
        return error_set(e, -EINVAL,
                         "image %s: cannot be used: it is not a qcow2 encrypted by LUKS, but a key was named "
                         "for it; leave that out if it is the right image",
                         name);
    return 0;
}

/* Finds the format. `wanted`: the format that the user has stated, or NULL. */
static int find_format(struct source_file *f, const char *name, const char *wanted, struct error *e)
{
    uint8_t head[IMAGE_HEAD_BYTES], tail[IMAGE_TAIL_BYTES];
    struct image_ends ends = {.head = head, .tail = tail};
    off_t end = lseek(f->fd, 0, SEEK_END);
    if (end < 0)
        return error_set(e, errno, "image %s: its size cannot be found: %m", name);

    ends.file_bytes = (uint64_t)end;
    ends.head_bytes = ends.file_bytes < sizeof head ? (size_t)end : sizeof head;
    ends.tail_bytes = ends.file_bytes < sizeof tail ? (size_t)end : sizeof tail;
    int r = fd_pread_all(f->fd, head, ends.head_bytes, 0);
    if (r == 0)
        r = fd_pread_all(f->fd, tail, ends.tail_bytes, ends.file_bytes - ends.tail_bytes);
    if (r < 0)
        return error_set(e, r, "image %s: cannot be read: %s", name, strerrordesc_np(-r));
    r = image_format_detect(&ends, wanted, &f->format, e);
    if (r < 0)
        error_prefix(e, "image %s: cannot be used: ", name);
    else if (f->format == IMAGE_RAW && !wanted && !image_shows_disk(&ends))
        f->doubt = "it begins with no boot sector, partition table or file system that is known; it is "
                   "written as it is, as a raw image";
    return r;
}

static int open_file_direct(const struct image_source *source, const struct source_file *f)
{
    if (!f->is_early)
        return open_direct(f->fd);
    return source->early->direct_fd < 0 ? -1 : fcntl(source->early->direct_fd, F_DUPFD_CLOEXEC, 0);
}

int source_open(const struct image_source *source, const char *name, struct source_file *ret, struct error *e)
{
    struct source_file f = {.fd = -1, .direct_fd = -1, .is_early = is_early(source)};
    int r = open_file(source, name, &f.fd, &f.is_device, e);
    if (r == 0)
        r = find_format(&f, name, source->format, e);
    if (r == 0)
        r = check_key(name, f.format, source->key, e);
    if (r < 0) {
        fd_close(f.fd);
        return r;
    }
    if (f.format == IMAGE_RAW)
        f.direct_fd = open_file_direct(source, &f);
    *ret = f;
    return 0;
}
