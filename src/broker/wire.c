/* SPDX-License-Identifier: Apache-2.0 */
/* Packets and descriptors over the broker's socket, and the names in them; both ends use this. See wire.h.
 *
 * It never trusts the other end: what does not fit is refused, and every descriptor that came with it is
 * closed at once, so that nobody can fill our table of descriptors.
 */
#include "broker/wire.h"

#include "base/fd.h"

#include <sys/socket.h>
#include <sys/uio.h>

#define FDS_ROOM 8 /* descriptors that a packet may bring before the kernel itself drops the rest */

union control {
    struct cmsghdr header;
    char room[CMSG_SPACE(sizeof(int) * FDS_ROOM)];
};

static int send_parts(int socket, struct iovec parts[], size_t n, int fd)
{
    union control control = {0};
    struct msghdr m = {.msg_iov = parts, .msg_iovlen = n};

    if (fd >= 0) {
        m.msg_control = &control;
        m.msg_controllen = CMSG_SPACE(sizeof fd);
        struct cmsghdr *c = CMSG_FIRSTHDR(&m);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof fd);
        memcpy(CMSG_DATA(c), &fd, sizeof fd);
    }
    while (sendmsg(socket, &m, MSG_NOSIGNAL) < 0)
        if (errno != EINTR)
            return errno == EPIPE ? -ECONNRESET : -errno;
    return 0;
}

int wire_send(int socket, const void *packet, size_t size, int fd)
{
    struct iovec part = {.iov_base = (void *)packet, .iov_len = size};
    return send_parts(socket, &part, 1, fd);
}

int wire_send_request(int socket, enum op op, const void *request, size_t size, int fd)
{
    struct wire_header header = {.version = WIRE_VERSION, .op = op};
    struct iovec parts[] = {{.iov_base = &header, .iov_len = sizeof header},
                            {.iov_base = (void *)request, .iov_len = size}};
    return send_parts(socket, parts, ARRAY_SIZE(parts), fd);
}

/* Takes the descriptors out of `m`: -1 or the one that came, -EPROTO for more. */
static int take_fds(struct msghdr *m)
{
    int first = -1;
    size_t n = 0;

    for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        size_t here = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < here; i++, n++) {
            int fd;
            memcpy(&fd, CMSG_DATA(c) + i * sizeof fd, sizeof fd);
            if (n == 0)
                first = fd;
            else
                fd_close(fd);
        }
    }
    if (n > 1 || (m->msg_flags & MSG_CTRUNC)) {
        fd_close(first);
        return -EPROTO;
    }
    return first;
}

int wire_receive(int socket, void *packet, size_t size, size_t *ret_size, int *ret_fd)
{
    union control control;
    struct iovec part = {.iov_base = packet, .iov_len = size};
    struct msghdr m = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    ssize_t got;

    while ((got = recvmsg(socket, &m, MSG_CMSG_CLOEXEC)) < 0)
        if (errno != EINTR)
            return -errno;
    int fd = take_fds(&m);
    if (fd == -EPROTO)
        return -EPROTO;
    if (got == 0 || (m.msg_flags & MSG_TRUNC)) {
        fd_close(fd);
        return got == 0 ? -ECONNRESET : -EPROTO;
    }
    *ret_size = (size_t)got;
    *ret_fd = fd;
    return 0;
}

/* As LVM wants them, and no longer than ours may be. */
static bool group_name_valid(const char *vg)
{
    return *vg && *vg != '-' && !streq(vg, ".") && !streq(vg, "..") && str_made_of(vg, "+_.-");
}

static bool volume_name_valid(const char *lv)
{
    char instance[UUID_TEXT] = "";
    if (strlen(lv) < UUID_TEXT - 1)
        return false;
    memcpy(instance, lv, UUID_TEXT - 1);

    const char *rest = lv + UUID_TEXT - 1;
    if (!uuid_valid(instance) || !str_starts(rest, "_disk"))
        return false;
    rest += strlen("_disk");
    return !*rest || (*rest == '.' && rest[1] && str_made_of(rest + 1, ""));
}

int volume_ref_check(const struct volume_ref *ref, struct error *e)
{
    if (!memchr(ref->vg, '\0', sizeof ref->vg) || !memchr(ref->lv, '\0', sizeof ref->lv))
        return error_set(e, -EPROTO, "request: a name in it has no end");
    if (!group_name_valid(ref->vg))
        return error_set(e, -EINVAL, "request: the name of its volume group is none");
    if (!volume_name_valid(ref->lv))
        return error_set(e, -EINVAL, "request: a volume's name in it is not of the form <uuid>_disk[.role]");
    return 0;
}

void volume_ref_instance(const struct volume_ref *ref, char instance[UUID_TEXT])
{
    memcpy(instance, ref->lv, UUID_TEXT - 1);
    instance[UUID_TEXT - 1] = '\0';
}
