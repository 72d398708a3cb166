/* SPDX-License-Identifier: Apache-2.0 */
/* See state.h. */
#include "disks/state.h"

#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

int state_write(int fd, const struct state *s)
{
    return fd_pwrite_all(fd, s, offsetof(struct state, connections), 0);
}

int state_read(int fd, struct state *ret)
{
    struct state s;
    int r = fd_pread_all(fd, &s, sizeof s, 0);
    if (r < 0)
        return r;
    if (memcmp(s.magic, STATE_MAGIC, sizeof s.magic) != 0 || !memchr(s.map, '\0', sizeof s.map))
        return -EPROTO;
    *ret = s;
    return 0;
}

int state_take(int fd)
{
    const struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    return fcntl(fd, F_SETLK, &whole) < 0 ? -errno : 0;
}

int state_set_connections(int fd, uint32_t connections)
{
    return fd_pwrite_all(fd, &connections, sizeof connections, offsetof(struct state, connections));
}

/* Looks for a lock that excludes readers. Whoever may only read the file can have a reader's lock, which is
 * no keeper's. */
int state_holder(int fd, pid_t *ret)
{
    struct flock whole = {.l_type = F_RDLCK, .l_whence = SEEK_SET};
    if (fcntl(fd, F_GETLK, &whole) < 0)
        return -errno;
    *ret = whole.l_type == F_UNLCK ? 0 : whole.l_pid;
    return 0;
}
