/* SPDX-License-Identifier: Apache-2.0 */
/* See packet.h. It never trusts the other end: a packet that does not fit is refused, and its descriptors are
 * closed at once, so that nobody can fill our table of descriptors. */
#include "base/packet.h"

#include "base/fd.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#define FDS_ROOM 8 /* descriptors that a packet may bring before the kernel itself drops the rest */

union control {
    struct cmsghdr header;
    char room[CMSG_SPACE(sizeof(int) * FDS_ROOM)];
};

int packet_send_parts(int socket, struct iovec parts[], size_t n, int fd)
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

int packet_send(int socket, const void *packet, size_t size, int fd)
{
    struct iovec part = {.iov_base = (void *)packet, .iov_len = size};
    return packet_send_parts(socket, &part, 1, fd);
}

/* Takes the descriptors out of `m`. *ret_fd is the one that came, or -1. -EPROTO: more than one came. */
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

int packet_receive(int socket, void *packet, size_t size, size_t *ret_size, int *ret_fd)
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
