/* SPDX-License-Identifier: Apache-2.0 */
/* See file.h. */
#include "image/file.h"

#include "base/fd.h"
#include "base/str.h"
#include "base/user.h"
#include "image/keeper.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct image_file {
    char *path;      /* the path, fit for a sentence */
    char *name;      /* its final name in the folder */
    char *temporary; /* its name in the folder now; NULL: it has none, or the final one */
    int folder, fd;
    struct image_keeper *keeper; /* process that makes and names the file for us, borrowed; NULL: we do */
};

static int file_failed(const struct image_file *f, int errnum, const char *what, struct error *e)
{
    char user[USER_NAME_MAX];
    if (errnum == EACCES || errnum == EPERM)
        return error_set(e, -EACCES,
                         "file %.200s: %s: user %s may not write to its folder; give it one that this user "
                         "owns: install -d -o USER FOLDER",
                         f->path, what, user_name(geteuid(), user));
    if (errnum == EOPNOTSUPP)
        return error_set(e, -EOPNOTSUPP,
                         "file %.200s: %s: its file system cannot name a file without the risk of replacing "
                         "another; make it on ext4 or XFS, and copy it",
                         f->path, what);
    return error_set(e, errnum, "file %.200s: %s: %s", f->path, what, strerrordesc_np(errnum));
}

static int check_free(const struct image_file *f, struct error *e)
{
    struct stat st;
    if (fstatat(f->folder, f->name, &st, AT_SYMLINK_NOFOLLOW) == 0)
        return error_set(e, -EEXIST, "file %.200s: is there already, and is not replaced", f->path);
    return errno == ENOENT ? 0 : file_failed(f, errno, "cannot be made", e);
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
        return error_set(e, -EINVAL, "file %.200s: cannot be made: its path has no file name", f->path);
    f->folder = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return f->folder < 0 ? file_failed(f, errno, "cannot be made", e) : 0;
}

/* Renames a file within the folder, and never replaces another. NFS has hard links, but no such rename; vfat
 * and CIFS have such a rename, but no hard links. */
static int rename_new(const struct image_file *f, const char *from, const char *to)
{
    if (renameat2(f->folder, from, f->folder, to, RENAME_NOREPLACE) == 0)
        return 0;
    if (errno != EINVAL && errno != ENOSYS)
        return -errno;
    if (linkat(f->folder, from, f->folder, to, 0) < 0)
        return errno == EPERM || errno == ENOSYS || errno == EMLINK ? -EOPNOTSUPP : -errno;
    return unlinkat(f->folder, from, 0) < 0 ? -errno : 0;
}

static int make_temporary_name(struct image_file *f, char **ret, struct error *e)
{
    char random[UUID_TEXT];
    uuid_make(random);
    *ret = str_format(".%.200s.mayfly-%.8s", f->name, random);
    return *ret ? 0 : error_memory(e);
}

/* Makes a file with a temporary name, for a file system that makes no files without a name. Renames it once
 * at first: if that fails, the user hears of it before hours are spent on writing. */
static int make_temporary(struct image_file *f, struct error *e)
{
    _cleanup_free_ char *first = NULL;
    int r = make_temporary_name(f, &first, e);
    if (r == 0)
        r = make_temporary_name(f, &f->temporary, e);
    if (r < 0)
        return r;
    f->fd = openat(f->folder, first, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (f->fd < 0) {
        free(TAKE_PTR(f->temporary));
        return file_failed(f, errno, "cannot be made", e);
    }
    r = rename_new(f, first, f->temporary);
    if (r == 0)
        return 0;
    unlinkat(f->folder, first, 0);
    free(TAKE_PTR(f->temporary));
    return file_failed(f, -r, "cannot be made", e);
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
    if (f->fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL || errno == ENOSYS))
        r = make_temporary(f, e);
    else if (f->fd < 0)
        r = file_failed(f, errno, "cannot be made", e);
    if (r < 0)
        return r;
    *ret = TAKE_PTR(f);
    return 0;
}

int image_file_new_by(struct image_keeper *k, const char *path, struct image_file **ret, struct error *e)
{
    _cleanup_image_file_ struct image_file *f = calloc(1, sizeof *f);
    if (!f)
        return error_memory(e);
    f->folder = f->fd = -1;
    f->keeper = k;
    int r = image_keeper_ask(k, KEEPER_NEW, path, &f->fd, e);
    if (r == 0)
        *ret = TAKE_PTR(f);
    return r;
}

int image_file_fd(const struct image_file *f)
{
    return f->fd;
}

static int give_name(struct image_file *f)
{
    if (!f->temporary)
        return fd_link(f->fd, f->folder, f->name);
    int r = rename_new(f, f->temporary, f->name);
    if (r == 0)
        free(TAKE_PTR(f->temporary));
    return r;
}

/* Syncs the folder. EINVAL is no failure: the file system syncs no folders. */
static int sync_folder(const struct image_file *f)
{
    return fsync(f->folder) < 0 && errno != EINVAL ? -errno : 0;
}

int image_file_link(struct image_file *f, struct error *e)
{
    if (f->keeper)
        return image_keeper_ask(f->keeper, KEEPER_LINK, NULL, NULL, e);
    int r = fsync(f->fd) < 0 ? -errno : give_name(f);
    if (r == 0)
        r = sync_folder(f);
    return r < 0 ? file_failed(f, -r, "cannot be given its name", e) : 0;
}

/* Removes the name only if it is still the name of this file. */
int image_file_unlink(struct image_file *f, struct error *e)
{
    struct stat ours, named;
    if (f->keeper)
        return image_keeper_ask(f->keeper, KEEPER_UNLINK, NULL, NULL, e);
    if (fstat(f->fd, &ours) < 0)
        return file_failed(f, errno, "cannot be examined", e);
    if (fstatat(f->folder, f->name, &named, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? 0 : file_failed(f, errno, "cannot be examined", e);
    if (ours.st_dev != named.st_dev || ours.st_ino != named.st_ino)
        return 0;
    int r = unlinkat(f->folder, f->name, 0) < 0 ? -errno : sync_folder(f);
    return r < 0 ? file_failed(f, -r, "cannot be removed", e) : 0;
}

struct image_file *image_file_free(struct image_file *f)
{
    if (f) {
        if (f->temporary)
            unlinkat(f->folder, f->temporary, 0);
        free(f->temporary);
        fd_close(f->fd);
        fd_close(f->folder);
        free(f->name);
        free(f->path);
        free(f);
    }
    return NULL;
}
