/* SPDX-License-Identifier: Apache-2.0 */
/* Reaches a broker in two ways: by the socket that systemd listens on, or, for root, by starting one. */
#include "base/fd.h"
#include "base/process.h"
#include "broker/client-call.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int error_connect(const char *path, int errnum, struct error *e)
{
    switch (errnum) {
    case EACCES:
        return error_set(e, -EACCES,
                         "mayfly-broker: you may not use it; add the user to the group mayfly and log "
                         "in again, or run this as root");
    case ENOENT:
    case ECONNREFUSED:
        return error_set(e, -errnum,
                         "mayfly-broker: is not there (%s); systemctl start mayfly-broker.socket, or run "
                         "this as root",
                         path);
    default:
        return error_set(e, -errnum, "mayfly-broker: cannot be reached at %s: %s", path, strerror(errnum));
    }
}

int broker_connect(const char *socket_path, struct broker **ret, struct error *e)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (str_copy(address.sun_path, sizeof address.sun_path, socket_path) < 0)
        return error_connect(socket_path, ENAMETOOLONG, e);
    _cleanup_close_ int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) < 0)
        return error_connect(socket_path, errno, e);
    return remote_new(&fd, 0, ret, e);
}

int broker_fork(const char *program, const char *config_path, struct broker **ret, struct error *e)
{
    const char *argv[] = {program, config_path ? "--config" : NULL, config_path, NULL};
    _cleanup_close_ int socket = -1;
    pid_t pid = -1;
    int r = process_start_peer(argv, &socket, &pid, e);
    if (r < 0)
        return r;
    r = remote_new(&socket, pid, ret, e);
    if (r < 0) {
        socket = fd_close(socket);
        process_await(pid, REMOTE_END_DEADLINE_MSEC);
    }
    return r;
}
