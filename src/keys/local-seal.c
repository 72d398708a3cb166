/* SPDX-License-Identifier: Apache-2.0 */
/* The sealing key. It goes from its file straight into a struct secret, and is never replaced: a second one
 * could unseal no key that the first has sealed. */
#include "keys/local-seal.h"

#include "base/fd.h"
#include "base/str.h"
#include "base/user.h"
#include "keys/local-file.h"
#include "keys/local-folder.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

/* Whether the key's file has the right owner and mode. Outside of the folder root may own it, and let a group
 * read it. */
static bool kept_well(const struct stat *st)
{
    if (st->st_uid == geteuid())
        return !(st->st_mode & 0077);
    return st->st_uid == 0 && !(st->st_mode & 0037);
}

int local_seal_read(int folder_fd, const char *name, struct secret **ret, struct error *e)
{
    _cleanup_close_ int fd = openat(folder_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    *ret = NULL;
    if (fd < 0 && errno == ENOENT)
        return 0;
    struct stat st;
    char user[USER_NAME_MAX];
    if (fd < 0 || fstat(fd, &st) < 0)
        return error_set(e, local_errno(-errno), "sealing key %s: cannot be read: %m", name);
    if (!kept_well(&st))
        return error_set(e, -EACCES,
                         "sealing key %s: is not used: others than user %s may read it; chown it and chmod "
                         "600 it",
                         name, user_name(geteuid(), user));
    if (!S_ISREG(st.st_mode) || st.st_size != LOCAL_SEALING_BYTES)
        return error_set(e, -EKEYREJECTED,
                         "sealing key %s: is damaged: it is not a file of %d bytes; restore it", name,
                         LOCAL_SEALING_BYTES);

    _cleanup_secret_ struct secret *key = NULL;
    int r = secret_new(LOCAL_SEALING_BYTES, &key, e);
    if (r < 0)
        return r;
    r = fd_read_all(fd, secret_bytes(key), LOCAL_SEALING_BYTES);
    if (r < 0)
        return error_set(e, local_errno(r), "sealing key %s: cannot be read: %s", name, strerror(-r));
    *ret = TAKE_PTR(key);
    return 0;
}

/* Opens the folder that `name` is in; *ret_last is the last part of the name. */
static int open_parent(int folder_fd, const char *name, const char **ret_last)
{
    const char *slash = strrchr(name, '/');
    *ret_last = slash ? slash + 1 : name;
    _cleanup_free_ char *parent = slash ? strndup(name, (size_t)(slash - name) + 1) : strdup(".");
    if (!parent)
        return -ENOMEM;
    int fd = openat(folder_fd, parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

static int make_sealing_key(int folder_fd, const char *name, struct error *e)
{
    _cleanup_secret_ struct secret *key = NULL;
    int r = secret_random(LOCAL_SEALING_BYTES, &key, e);
    if (r < 0)
        return r;
    const char *last = NULL;
    _cleanup_close_ int parent_fd = open_parent(folder_fd, name, &last);
    r = parent_fd < 0 ? parent_fd : fd_add_file(parent_fd, last, secret_peek(key), LOCAL_SEALING_BYTES);
    if (r < 0 && r != -EEXIST) /* -EEXIST: another mayfly was quicker, so there is one */
        return error_set(e, local_errno(r),
                         "sealing key %s: cannot be made: %s; see [local] sealing_key_file", name,
                         strerror(-r));
    return 0;
}

int local_seal_ensure(int folder_fd, const char *name, struct secret **ret, struct error *e)
{
    int r = local_seal_read(folder_fd, name, ret, e);
    if (r < 0 || *ret)
        return r;

    _cleanup_free_ char(*ids)[UUID_TEXT] = NULL;
    size_t n = 0;
    r = local_folder_list(folder_fd, &ids, &n, e);
    if (r == 0 && n == 0)
        r = make_sealing_key(folder_fd, name, e);
    if (r < 0)
        return r;
    /* Keys that appeared since the first look were sealed by a key that another mayfly has made since. */
    r = local_seal_read(folder_fd, name, ret, e);
    if (r == 0 && !*ret)
        return error_set(
            e, -EKEYREJECTED,
            "sealing key %s: is missing, and %zu keys are sealed by it; restore it, or mount the "
            "file system that it is on",
            name, n);
    return r;
}
