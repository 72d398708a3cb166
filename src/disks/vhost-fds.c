/* SPDX-License-Identifier: Apache-2.0 */
/* The kinds of descriptors that a front end may send. One of another kind could keep its connection open
 * after it has gone, or make whoever closes it wait. */
#include "disks/vhost-message.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* An anonymous file of the kernel's has no type, and of these only an eventfd takes a number: 0 changes
 * nothing, and never waits. */
static bool is_eventfd(int fd)
{
    static const uint64_t nothing = 0;
    struct stat st;
    return fstat(fd, &st) == 0 && (st.st_mode & S_IFMT) == 0 &&
           write(fd, &nothing, sizeof nothing) == sizeof nothing;
}

static bool is_memory(int fd)
{
    struct stat st;
    return fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
}

static bool is_unix_socket(int fd)
{
    int domain = 0;
    socklen_t size = sizeof domain;
    return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 && domain == AF_UNIX;
}

static bool fits(const struct vhost_message *m, int fd)
{
    if (vhost_is_about_event(m))
        return is_eventfd(fd);
    return m->header.request == VHOST_SET_BACKEND_REQ_FD ? is_unix_socket(fd) : is_memory(fd);
}

int vhost_message_check_fds(const struct vhost_message *m)
{
    for (unsigned i = 0; i < m->n_fds; i++)
        if (!fits(m, m->fd[i]))
            return -EPROTO;
    return 0;
}
