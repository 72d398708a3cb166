/* SPDX-License-Identifier: Apache-2.0 */
/* See file.h. */
#include "image/file.h"

#include "base/fd.h"
#include "base/str.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct image_file {
    char *path; /* fit for a sentence */
    char *name; /* in the folder */
    int folder, fd;
};

static int explain(const struct image_file *f, int errnum, const char *what, struct error *e)
{
    if (errnum == EACCES || errnum == EPERM)
        return error_set(e, -EACCES,
                         "file %.200s: %s: user %u may not write to its folder; give it one that this user "
                         "owns: install -d -o USER FOLDER",
                         f->path, what, geteuid());
    if (errnum == EOPNOTSUPP || errnum == EISDIR)
        return error_set(e, -EOPNOTSUPP,
                         "file %.200s: %s: its file system cannot make files that are whole or not there "
                         "(O_TMPFILE); make it on ext4 or XFS, and copy it",
                         f->path, what);
    return error_set(e, errnum, "file %.200s: %s: %s", f->path, what, strerrordesc_np(errnum));
}

static int check_free(const struct image_file *f, struct error *e)
{
    struct stat st;
    if (fstatat(f->folder, f->name, &st, AT_SYMLINK_NOFOLLOW) == 0)
        return error_set(e, -EEXIST, "file %.200s: is there already, and is not replaced", f->path);
    return errno == ENOENT ? 0 : explain(f, errno, "cannot be made", e);
}

static int open_folder(struct image_file *f, const char *path, struct error *e)
{
    const char *slash = strrchr(path, '/');
    _cleanup_free_ char *folder = slash ? strndup(path, (size_t)(slash - path) + 1) : strdup(".");
    f->path = strdup(path);
    f->name = strdup(slash ? slash + 1 : path);
    if (!folder || !f->path || !f->name)
        return error_memory(e);
    str_tame(f->path);
    if (!*f->name || streq(f->name, ".") || streq(f->name, ".."))
        return error_set(e, -EINVAL, "file %.200s: this is no name of a file", f->path);
    f->folder = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return f->folder < 0 ? explain(f, errno, "cannot be made", e) : 0;
}

int image_file_new(const char *path, struct image_file **ret, struct error *e)
{
    _cleanup_image_file_ struct image_file *f = calloc(1, sizeof *f);
    if (!f)
        return error_memory(e);
    f->folder = f->fd = -1;
    int r = open_folder(f, path, e);
    if (r == 0)
        r = check_free(f, e);
    if (r < 0)
        return r;
    f->fd = openat(f->folder, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (f->fd < 0)
        return explain(f, errno, "cannot be made", e);
    *ret = TAKE_PTR(f);
    return 0;
}

int image_file_fd(const struct image_file *f)
{
    return f->fd;
}

int image_file_link(struct image_file *f, struct error *e)
{
    char self[32];
    snprintf(self, sizeof self, "/proc/self/fd/%d", f->fd);
    if (fsync(f->fd) < 0 || linkat(AT_FDCWD, self, f->folder, f->name, AT_SYMLINK_FOLLOW) < 0 ||
        fsync(f->folder) < 0)
        return explain(f, errno, "cannot be given its name", e);
    return 0;
}

/* Only what is this very file: what else has its name is somebody else's. */
int image_file_unlink(struct image_file *f, struct error *e)
{
    struct stat ours, named;
    if (fstat(f->fd, &ours) < 0)
        return explain(f, errno, "cannot be examined", e);
    if (fstatat(f->folder, f->name, &named, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? 0 : explain(f, errno, "cannot be examined", e);
    if (ours.st_dev != named.st_dev || ours.st_ino != named.st_ino)
        return 0;
    if (unlinkat(f->folder, f->name, 0) < 0 || fsync(f->folder) < 0)
        return explain(f, errno, "cannot be removed", e);
    return 0;
}

struct image_file *image_file_free(struct image_file *f)
{
    if (f) {
        fd_close(f->fd);
        fd_close(f->folder);
        free(f->name);
        free(f->path);
        free(f);
    }
    return NULL;
}
