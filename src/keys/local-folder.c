/* SPDX-License-Identifier: Apache-2.0 */
/* The folder of the local key manager. It knows names and bytes, and nothing of keys.
 *
 *     add     fd_add_file()                                      a power cut leaves the whole file or none
 *     erase   rename to .doomed, overwrite, fdatasync, unlink    can be finished later from each step
 *
 * Overwriting in place reaches the old bytes on XFS over a plain disk, and on ext4 without data=journal and
 * inline_data. A file system that copies on write, a flash drive or a snapshot may keep them: there the
 * sealing key has to be destroyed (see mayfly.conf(5)).
 */
#include "keys/local-folder.h"

#include "base/fd.h"
#include "base/str.h"
#include "base/user.h"
#include "build-config.h"

#include <dirent.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define HOST_FOLDER "/var/lib/mayfly/keys"
#define DOOMED      ".doomed"
#define NAME_BUFFER (UUID_TEXT + sizeof DOOMED)

/* Finds the host's own keys for root's program, which runs as MAYFLY_USER once it has dropped its rights. */
int local_folder_path(const struct config *c, char **ret_path, struct error *e)
{
    _cleanup_free_ char *data = NULL;
    char *path = NULL;
    const struct passwd *user = getpwuid(geteuid());
    bool own = geteuid() != 0 && !(user && streq(user->pw_name, MAYFLY_USER));
    int r = own && !*c->local_directory ? user_data_folder(&data) : 0;

    if (r == -ENOENT)
        return error_set(e, r, "key folder: user %u has no home folder for it; set [local] directory",
                         geteuid());
    if (*c->local_directory)
        path = strdup(c->local_directory);
    else if (!own)
        path = strdup(HOST_FOLDER);
    else if (data)
        path = str_format("%s/mayfly/keys", data);
    if (!path)
        return error_memory(e);
    *ret_path = path;
    return 0;
}

int local_folder_open(const char *path, bool make, int *ret_fd, struct error *e)
{
    int r = make ? fd_make_folder(path) : 0;
    if (r < 0)
        return error_set(e, local_errno(r), "key folder %s: cannot be made: %s; see [local] directory", path,
                         strerror(-r));
    _cleanup_close_ int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT) {
        *ret_fd = -1;
        return 0;
    }
    if (fd < 0)
        return error_set(e, local_errno(-errno), "key folder %s: cannot be opened: %m; see [local] directory",
                         path);
    r = user_check_folder(fd, "key folder", path, "see [local] directory", e);
    if (r == 0)
        *ret_fd = TAKE_FD(fd);
    return r;
}

int local_folder_read(int folder_fd, const char *name, void *bytes, size_t room, size_t *ret_size)
{
    _cleanup_close_ int fd = openat(folder_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    _cleanup_free_ char *text = NULL;
    int r = fd < 0 ? -errno : fd_read_text(fd, room, &text, ret_size);
    if (r == 0)
        memcpy(bytes, text, *ret_size);
    return r;
}

/* Overwrites the whole file with random bytes, and syncs them to the disk. */
static int overwrite(int fd)
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        return -errno;
    for (off_t at = 0; at < st.st_size;) {
        uint8_t noise[256]; /* getrandom(2) gives as many at once, never fewer */
        off_t left = st.st_size - at;
        size_t n = left < (off_t)sizeof noise ? (size_t)left : sizeof noise;
        if (getrandom(noise, n, 0) < 0)
            return -errno;
        int r = fd_pwrite_all(fd, noise, n, (uint64_t)at);
        if (r < 0)
            return r;
        at += (off_t)n;
    }
    return fdatasync(fd) < 0 ? -errno : 0;
}

static bool absent(int folder_fd, const char *name)
{
    return faccessat(folder_fd, name, F_OK, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT;
}

bool local_folder_has(int folder_fd, const char *id)
{
    char doomed[NAME_BUFFER];
    snprintf(doomed, sizeof doomed, "%s%s", id, DOOMED);
    return !absent(folder_fd, id) || !absent(folder_fd, doomed);
}

/* Gives the file `id` its doomed name. *ret_name is the name that the file has then: a full disk may have no
 * room for the longer name, so the file keeps its own, and a power cut in the middle of the erasure leaves a
 * damaged key instead of a doomed one. */
static int rename_doomed(int folder_fd, const char *id, const char *doomed, const char **ret_name)
{
    *ret_name = doomed;
    if (renameat(folder_fd, id, folder_fd, doomed) < 0) {
        if (errno == ENOSPC || errno == EDQUOT)
            *ret_name = id;
        else if (errno != ENOENT)
            return -errno;
    }
    return fsync(folder_fd) < 0 ? -errno : 0; /* else a power cut could leave noise under the old name */
}

/* Does what local_folder_erase() promises, with a bare errno. */
static int erase(int folder_fd, const char *id, bool *ret_was_there)
{
    char doomed[NAME_BUFFER];
    const char *name = NULL;
    snprintf(doomed, sizeof doomed, "%s%s", id, DOOMED);
    int r = rename_doomed(folder_fd, id, doomed, &name);
    if (r < 0)
        return r;
    _cleanup_close_ int fd = openat(folder_fd, name, O_WRONLY | O_NOFOLLOW | O_CLOEXEC);
    *ret_was_there = fd >= 0 || errno != ENOENT;
    if (fd < 0)
        return errno == ENOENT ? 0 : -errno;
    r = overwrite(fd);
    if (r < 0)
        return r;
    if (unlinkat(folder_fd, name, 0) < 0 && errno != ENOENT) /* another mayfly may have finished it */
        return -errno;
    if (fsync(folder_fd) < 0)
        return -errno;
    return absent(folder_fd, id) && absent(folder_fd, doomed) ? 0 : -EEXIST;
}

int local_folder_erase(int folder_fd, const char *id, bool *ret_was_there, struct error *e)
{
    int r = erase(folder_fd, id, ret_was_there);
    if (r < 0)
        return error_set(e, local_errno(r), "key local:%s: its file cannot be destroyed: %s; try again", id,
                         strerror(-r));
    return 0;
}

/* Whether the name is "<uuid>" or "<uuid>.doomed"; `id` gets the uuid. */
static bool is_key_file(const char *name, char id[UUID_TEXT], bool *ret_doomed)
{
    size_t n = strnlen(name, UUID_TEXT - 1);
    memcpy(id, name, n);
    id[n] = '\0';
    *ret_doomed = streq(name + n, DOOMED);
    return uuid_valid(id) && (*ret_doomed || !name[n]);
}

static int only_key_files(const struct dirent *entry)
{
    char id[UUID_TEXT];
    bool doomed = false;
    return is_key_file(entry->d_name, id, &doomed);
}

/* Puts the ids of `n` entries into `ids`, but erases doomed files. */
static int take_entries(int folder_fd, struct dirent *const *entries, size_t n, char (*ids)[UUID_TEXT],
                        size_t *ret_n, struct error *e)
{
    size_t live = 0;
    for (size_t i = 0; i < n; i++) {
        bool doomed = false, was_there = false;
        is_key_file(entries[i]->d_name, ids[live], &doomed);
        int r = doomed ? local_folder_erase(folder_fd, ids[live], &was_there, e) : 0;
        if (r < 0)
            return r;
        live += !doomed;
    }
    *ret_n = live;
    return 0;
}

int local_folder_list(int folder_fd, char (**ret_ids)[UUID_TEXT], size_t *ret_n, struct error *e)
{
    struct dirent **entries = NULL;
    int n = scandirat(folder_fd, ".", &entries, only_key_files, alphasort);
    if (n < 0)
        return error_set(e, local_errno(-errno), "key folder: cannot be read: %m");

    _cleanup_free_ void *ids = calloc((size_t)n + 1, UUID_TEXT);
    int r = ids ? take_entries(folder_fd, entries, (size_t)n, ids, ret_n, e) : error_memory(e);
    for (int i = 0; i < n; i++)
        free(entries[i]);
    free(entries);
    if (r < 0)
        return r;
    *ret_ids = TAKE_PTR(ids);
    return 0;
}
