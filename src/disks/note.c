/* SPDX-License-Identifier: Apache-2.0 */
/* See note.h. */
#include "disks/note.h"

#include "base/fd.h"
#include "base/packet.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>

int note_pair(int *ret_keeper, int *ret_worker)
{
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
        return -errno;
    if (fcntl(ends[0], F_SETFL, O_NONBLOCK) < 0) {
        int r = -errno;
        fd_close(ends[0]);
        fd_close(ends[1]);
        return r;
    }
    *ret_keeper = ends[0];
    *ret_worker = ends[1];
    return 0;
}

int note_send(int socket, const struct note *n)
{
    return packet_send_fds(socket, n, sizeof *n, n->fd, n->n_fds);
}

void note_end(struct note *n)
{
    rights_close(n->fd, n->n_fds);
    n->n_fds = 0;
}

int note_receive(int socket, struct note *ret)
{
    int fds[RIGHTS_MAX] = {0};
    unsigned n_fds = 0;
    size_t size = 0;
    int r = packet_receive_fds(socket, ret, sizeof *ret, &size, fds, &n_fds);
    memcpy(ret->fd, fds, sizeof fds); /* those that it was sent with are numbers of the other process */
    ret->n_fds = n_fds;
    if (r == 0 && size != sizeof *ret)
        r = -EPROTO;
    if (r < 0)
        note_end(ret);
    return r;
}
