/* SPDX-License-Identifier: Apache-2.0 */
/* See rights.h. Descriptors that nobody wants are closed at once, so that the other end cannot fill our table
 * of descriptors. */
#include "base/rights.h"

#include "base/fd.h"

#include <errno.h>
#include <string.h>

void rights_attach(struct msghdr *m, union rights_room *room, const int fds[], unsigned n)
{
    if (n == 0)
        return;
    memset(room, 0, sizeof *room);
    m->msg_control = room;
    m->msg_controllen = CMSG_SPACE(n * sizeof(int));
    struct cmsghdr *c = CMSG_FIRSTHDR(m);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(n * sizeof(int));
    memcpy(CMSG_DATA(c), fds, n * sizeof(int));
}

void rights_expect(struct msghdr *m, union rights_room *room)
{
    m->msg_control = room;
    m->msg_controllen = sizeof *room;
}

int rights_take(struct msghdr *m, int fds[], unsigned limit)
{
    unsigned n = 0;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        size_t here = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < here && n < RIGHTS_MAX; i++) /* the room holds no more */
            memcpy(&fds[n++], CMSG_DATA(c) + i * sizeof(int), sizeof(int));
    }
    if (n <= limit && !(m->msg_flags & MSG_CTRUNC))
        return (int)n;
    rights_close(fds, n);
    return -EPROTO;
}

void rights_close(const int fds[], unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        fd_close(fds[i]);
}
