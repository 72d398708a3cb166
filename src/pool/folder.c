/* SPDX-License-Identifier: Apache-2.0 */
/* The folder of a pool, and its identity. See pool.h. */
#include "pool/pool-internal.h"

#include "base/fd.h"
#include "base/user.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#define IDENTITY "pool"

/* Makes an identity. If two processes do so at the same time, that of the first one counts. */
static int make_identity(int folder_fd)
{
    char line[UUID_TEXT];
    uuid_make(line);
    line[UUID_TEXT - 1] = '\n';
    int r = fd_add_file(folder_fd, IDENTITY, line, sizeof line);
    if (r == -EEXIST) /* the winner may not have synced the folder yet */
        r = fsync(folder_fd) < 0 ? -errno : 0;
    return r;
}

static int read_identity(int folder_fd, char ret_name[VG_NAME_MAX])
{
    _cleanup_close_ int fd = openat(folder_fd, IDENTITY, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    _cleanup_free_ char *text = NULL;
    size_t size = 0;
    char uuid[UUID_TEXT];
    int r = fd < 0 ? -errno : fd_read_text(fd, 2 * UUID_TEXT, &text, &size);
    if (r < 0)
        return r;
    snprintf(uuid, sizeof uuid, "%s", text);
    if (size != UUID_TEXT || text[UUID_TEXT - 1] != '\n' || !uuid_valid(uuid))
        return -EINVAL;
    /* the first 12 digits, without the '-' between them */
    snprintf(ret_name, VG_NAME_MAX, VOLUME_FOLDER_PREFIX "%.8s%.4s", uuid, uuid + 9);
    return 0;
}

int folder_open(const char *path, int *ret_fd, char ret_name[VG_NAME_MAX], struct error *e)
{
    int r = fd_make_folder(path);
    if (r < 0)
        return error_set(e, r, "pool %s: cannot be made: %s; see [pool] path", path, strerror(-r));
    _cleanup_close_ int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return error_set(e, errno, "pool %s: cannot be opened: %m; see [pool] path", path);
    r = user_check_folder(fd, "pool", path, "see [pool] path", e); /* its tags and locks are believed */
    if (r < 0)
        return r;
    r = read_identity(fd, ret_name);
    if (r == -ENOENT) {
        r = make_identity(fd);
        if (r == 0)
            r = read_identity(fd, ret_name);
    }
    if (r < 0)
        return error_set(e, r, "pool %s: its identity cannot be read from its file " IDENTITY ": %s", path,
                         r == -EINVAL ? "it is damaged" : strerror(-r));
    *ret_fd = TAKE_FD(fd);
    return 0;
}
