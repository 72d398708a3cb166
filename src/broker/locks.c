/* SPDX-License-Identifier: Apache-2.0 */
/* One file for all locks: 62 bits of a uuid are the offset of its byte, which an "open file description" lock
 * covers. Such a lock goes when the last descriptor of its opening is closed, however the process ends, and
 * the file stays empty: nothing piles up, nothing has to be cleaned.
 *
 * Never deletes the file: two openings of two files of one name would both get their lock.
 */
#include "broker/locks.h"

#include "base/fd.h"

#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdint.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uuid/uuid.h>

/* The folder must be ours alone: whoever can write there could put another file in place of the locks. */
static int check_folder(const char *path, struct error *e)
{
    char copy[PATH_MAX];
    struct stat st;
    int r = str_copy(copy, sizeof copy, path);
    if (r < 0)
        return error_set(e, r, "locks: the name of their file is too long");

    const char *folder = dirname(copy);
    if (mkdir(folder, 0755) == 0)
        r = chmod(folder, 0755); /* whatever our umask: the broker's socket is there too */
    else
        r = errno == EEXIST ? 0 : -1;
    if (r < 0 || lstat(folder, &st) < 0)
        return error_set(e, errno, "%s: cannot be made, for the locks: %m", folder);
    if (!S_ISDIR(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & 022))
        return error_set(e, -EPERM,
                         "%s: the locks cannot be there, since others may write to it; chown it to "
                         "root, chmod it to 755",
                         folder);
    return 0;
}

static int open_file(struct locks *l, const char *path, struct error *e)
{
    int r = check_folder(path, e);
    if (r < 0)
        return r;
    l->fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    return l->fd < 0 ? error_set(e, errno, "%s: cannot be opened, for the locks: %m", path) : 0;
}

static off_t offset_of(const char *uuid)
{
    uuid_t binary;
    uint64_t offset = 0;
    uuid_parse(uuid, binary);                  /* checked by the caller */
    for (size_t i = 0; i < sizeof binary; i++) /* both halves, since either may be alike in many */
        offset = (offset << 8 | offset >> 56) ^ binary[i];
    return (off_t)(offset & (UINT64_MAX >> 2));
}

bool locks_held(const struct locks *l, const char *uuid)
{
    for (size_t i = 0; i < l->n; i++)
        if (streq(l->held[i], uuid))
            return true;
    return false;
}

int locks_take(struct locks *l, const char *path, const char *uuid, struct error *e)
{
    if (locks_held(l, uuid))
        return 0;
    if (l->n == LOCKS_MAX)
        return error_set(e, -ENOLCK, "%s: cannot be locked: this connection holds %d locks already", uuid,
                         LOCKS_MAX);
    int r = l->fd < 0 ? open_file(l, path, e) : 0;
    if (r < 0)
        return r;
    char(*held)[UUID_TEXT] = realloc(l->held, (l->n + 1) * sizeof *held);
    if (!held)
        return error_memory(e);
    l->held = held;

    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = offset_of(uuid), .l_len = 1};
    if (fcntl(l->fd, F_OFD_SETLK, &lock) < 0) {
        if (errno == EAGAIN || errno == EACCES)
            return error_set(e, -EBUSY, "%s: another mayfly works on it; try again when that one is done",
                             uuid);
        return error_set(e, errno, "%s: cannot be locked in %s: %m", uuid, path);
    }
    memcpy(held[l->n++], uuid, UUID_TEXT);
    return 0;
}

void locks_drop(struct locks *l)
{
    free(l->held);
    fd_close(l->fd);
    *l = LOCKS_NONE;
}
