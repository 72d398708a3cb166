/* SPDX-License-Identifier: Apache-2.0 */
/* See packet.h. It never trusts the other end: a packet that does not fit is refused, and its descriptors are
 * closed. */
#include "base/packet.h"

#include <errno.h>

static int send_message(int socket, struct msghdr *m, const int fds[], unsigned n)
{
    union rights_room room;
    rights_attach(m, &room, fds, n);
    while (sendmsg(socket, m, MSG_NOSIGNAL) < 0)
        if (errno != EINTR)
            return errno == EPIPE ? -ECONNRESET : -errno;
    return 0;
}

int packet_send_parts(int socket, struct iovec parts[], size_t n, int fd)
{
    struct msghdr m = {.msg_iov = parts, .msg_iovlen = n};
    return send_message(socket, &m, &fd, fd >= 0);
}

int packet_send(int socket, const void *packet, size_t size, int fd)
{
    return packet_send_fds(socket, packet, size, &fd, fd >= 0);
}

int packet_send_fds(int socket, const void *packet, size_t size, const int fds[], unsigned n)
{
    struct iovec part = {.iov_base = (void *)packet, .iov_len = size};
    struct msghdr m = {.msg_iov = &part, .msg_iovlen = 1};
    return send_message(socket, &m, fds, n);
}

static int receive(int socket, struct iovec part, size_t *ret_size, int ret_fds[], unsigned limit,
                   unsigned *ret_n)
{
    union rights_room room;
    struct msghdr m = {.msg_iov = &part, .msg_iovlen = 1};
    ssize_t got;
    rights_expect(&m, &room);
    while ((got = recvmsg(socket, &m, MSG_CMSG_CLOEXEC)) < 0)
        if (errno != EINTR)
            return -errno;
    int n = rights_take(&m, ret_fds, limit);
    if (n < 0)
        return n;
    if (got == 0 || (m.msg_flags & MSG_TRUNC)) {
        rights_close(ret_fds, (unsigned)n);
        return got == 0 ? -ECONNRESET : -EPROTO;
    }
    *ret_size = (size_t)got;
    *ret_n = (unsigned)n;
    return 0;
}

int packet_receive(int socket, void *packet, size_t size, size_t *ret_size, int *ret_fd)
{
    int fds[RIGHTS_MAX];
    unsigned n = 0;
    int r = receive(socket, (struct iovec){packet, size}, ret_size, fds, 1, &n);
    if (r == 0)
        *ret_fd = n > 0 ? fds[0] : -1;
    return r;
}

int packet_receive_fds(int socket, void *packet, size_t size, size_t *ret_size, int ret_fds[],
                       unsigned *ret_n)
{
    return receive(socket, (struct iovec){packet, size}, ret_size, ret_fds, RIGHTS_MAX, ret_n);
}
