/* SPDX-License-Identifier: Apache-2.0 */
/* See files.h. Owner and mode are those of the open descriptor: the file that was checked is the file that is
 * read. */
#include "config/files.h"

#include "base/fd.h"
#include "base/str.h"
#include "build-config.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_LIMIT_BYTES (1 << 20) /* twice the size of nova.conf with all its comments */

static int check_owner(const struct stat *st, const char *path, struct error *e)
{
    if (st->st_uid != 0)
        return error_set(e, -EPERM, "%s: is not trusted: it belongs to user %u; chown it to root", path,
                         st->st_uid);
    if (st->st_mode & 0022)
        return error_set(e, -EPERM, "%s: is not trusted: others than root can write to it; chmod go-w it",
                         path);
    return 0;
}

static int check_root_owned(int fd, const char *path, struct error *e)
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        return error_set(e, errno, "%s: cannot be read: %m", path);
    return check_owner(&st, path, e);
}

/* Checks the folders above: a user who can write to one could replace this folder. In a sticky folder, such
 * as /tmp, only root can rename what root owns. */
static int check_above(int folder_fd, struct error *e)
{
    struct stat st, below;
    _cleanup_close_ int fd = fcntl(folder_fd, F_DUPFD_CLOEXEC, 0);
    if (fd < 0 || fstat(fd, &st) < 0)
        return error_set(e, errno, "configuration: its folder cannot be examined: %m");
    do {
        char name[64], path[PATH_MAX] = "a folder above";
        _cleanup_close_ int child = TAKE_FD(fd);
        below = st;
        fd = openat(child, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0 || fstat(fd, &st) < 0)
            return error_set(e, errno, "configuration: a folder above it cannot be examined: %m");
        snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
        ssize_t n = readlink(name, path, sizeof path - 1);
        path[n > 0 ? n : 0] = '\0';
        if (st.st_mode & S_ISVTX)
            st.st_mode &= ~(mode_t)0022;
        int r = check_owner(&st, path, e);
        if (r < 0)
            return r;
    } while (st.st_ino != below.st_ino || st.st_dev != below.st_dev);
    return 0;
}

static int open_folder(const char *path, enum config_trust trust, int *ret_fd, struct error *e)
{
    _cleanup_close_ int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT)
        return FILES_ABSENT;
    if (fd < 0)
        return error_set(e, errno, "%s: cannot be read: %m", path);
    int r = trust == CONFIG_ROOT_OWNED ? check_root_owned(fd, path, e) : 0;
    if (r == 0 && trust == CONFIG_ROOT_OWNED)
        r = check_above(fd, e);
    if (r < 0)
        return r;
    *ret_fd = TAKE_FD(fd);
    return 0;
}

/* Refuses a pipe or a device, which may have no end. */
static int check_regular(int fd, const char *path, struct error *e)
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        return error_set(e, errno, "%s: cannot be read: %m", path);
    if (S_ISREG(st.st_mode))
        return 0;
    return error_set(e, S_ISDIR(st.st_mode) ? -EISDIR : -EINVAL,
                     "%s: cannot be read: it is not a regular file", path);
}

/* Reads `path`: its last part is opened below `folder_fd`. With CONFIG_ROOT_OWNED the caller has checked that
 * folder, since a user who can write to it could move another file of root into it. Links are then not
 * followed, since the folder of their target was not checked. */
static int add_file(struct config_reading *reading, int folder_fd, const char *path, enum config_trust trust,
                    struct error *e)
{
    const char *slash = strrchr(path, '/');
    int follow = trust == CONFIG_ROOT_OWNED ? O_NOFOLLOW : 0;
    _cleanup_close_ int fd =
        openat(folder_fd, slash ? slash + 1 : path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | follow);
    if (fd < 0 && errno == ENOENT)
        return FILES_ABSENT;
    if (fd < 0 && errno == ELOOP && follow)
        return error_set(e, -EPERM, "%s: is not trusted: it is a symbolic link; put the file itself there",
                         path);
    if (fd < 0)
        return error_set(e, errno, "%s: cannot be read: %m", path);

    int r = check_regular(fd, path, e);
    if (r == 0 && trust == CONFIG_ROOT_OWNED)
        r = check_root_owned(fd, path, e);
    if (r < 0)
        return r;
    _cleanup_free_ char *text = NULL;
    size_t size = 0;
    r = fd_read_text(fd, FILE_LIMIT_BYTES, &text, &size);
    if (r == -ENOMEM)
        return error_memory(e);
    if (r < 0)
        return error_set(e, r, "%s: cannot be read: %s", path, strerror(-r));
    return config_reading_add(reading, path, text, size, e);
}

static int ends_with_conf(const struct dirent *entry)
{
    return entry->d_name[0] != '.' && str_ends(entry->d_name, ".conf");
}

/* Compares bytes: the order must not depend on the locale. */
static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static int add_entry(struct config_reading *reading, int folder_fd, const char *folder, const char *name,
                     enum config_trust trust, struct error *e)
{
    _cleanup_free_ char *path = str_format("%s/%s", folder, name);
    return path ? add_file(reading, folder_fd, path, trust, e) : error_memory(e);
}

/* Reads every file of mayfly.conf.d. */
static int add_drop_ins(struct config_reading *reading, const char *folder, enum config_trust trust,
                        struct error *e)
{
    _cleanup_close_ int fd = -1;
    int r = open_folder(folder, trust, &fd, e);
    if (r != 0)
        return r;
    struct dirent **entries = NULL;
    int n = scandirat(fd, ".", &entries, ends_with_conf, by_name);
    if (n < 0)
        return error_set(e, errno, "%s: cannot be read: %m", folder);
    for (int i = 0; i < n; i++) {
        if (r >= 0)
            r = add_entry(reading, fd, folder, entries[i]->d_name, trust, e);
        free(entries[i]);
    }
    free(entries);
    return r;
}

int files_add_folder(struct config_reading *reading, const char *folder, enum config_trust trust,
                     struct error *e)
{
    _cleanup_close_ int fd = -1;
    int r = open_folder(folder, trust, &fd, e);
    if (r != 0)
        return r;
    r = add_entry(reading, fd, folder, "mayfly.conf", trust, e);
    if (r < 0)
        return r;
    _cleanup_free_ char *drop_ins = str_format("%s/mayfly.conf.d", folder);
    return drop_ins ? add_drop_ins(reading, drop_ins, trust, e) : error_memory(e);
}

int files_add_named(struct config_reading *reading, const char *path, enum config_trust trust,
                    struct error *e)
{
    const char *slash = strrchr(path, '/');
    _cleanup_free_ char *folder = slash ? str_format("%.*s/", (int)(slash - path), path) : str_format("./");
    if (!folder)
        return error_memory(e);
    _cleanup_close_ int fd = -1;
    int r = open_folder(folder, trust, &fd, e);
    if (r == 0)
        r = add_file(reading, fd, path, trust, e);
    if (r == FILES_ABSENT)
        return error_set(e, -ENOENT, "%s: cannot be read: there is no such file", path);
    return r;
}

int config_files(const char *path, char **ret, struct error *e)
{
    const char *file = MAYFLY_SYSCONFDIR "/mayfly/mayfly.conf",
               *folder = MAYFLY_SYSCONFDIR "/mayfly/mayfly.conf.d";
    struct dirent **entries = NULL;
    char *all = strdup(path ? path : access(file, F_OK) == 0 ? file : "");
    int n = path ? 0 : scandir(folder, &entries, ends_with_conf, by_name);
    for (int i = 0; i < n; i++) {
        char *longer =
            all ? str_format("%s%s%s/%s", all, *all ? ", " : "", folder, entries[i]->d_name) : NULL;
        free(all);
        all = longer;
        free(entries[i]);
    }
    free(entries);
    if (!all)
        return error_memory(e);
    *ret = all;
    return 0;
}
