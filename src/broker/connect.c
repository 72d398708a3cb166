/* SPDX-License-Identifier: Apache-2.0 */
/* The two ways to a broker: the socket that systemd listens on, and one of our own for root. */
#include "base/fd.h"
#include "base/process.h"
#include "broker/client-internal.h"

#include <signal.h>
#include <spawn.h>
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
    return client_new(&fd, 0, ret, e);
}

/* The socket as its standard input, our standard error, a session of its own, and nothing else of ours.
 * posix_spawn rather than fork, which would copy the page tables of all that libvirt brings along. */
static int spawn_broker(const char *program, const char *config_path, int socket, pid_t *ret_pid)
{
    const char *argv[] = {program, config_path ? "--config" : NULL, config_path, NULL};
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    sigset_t none;

    int r = posix_spawn_file_actions_init(&files);
    if (r != 0)
        return -r;
    if ((r = posix_spawnattr_init(&attributes)) != 0) {
        posix_spawn_file_actions_destroy(&files);
        return -r;
    }
    sigemptyset(&none);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSID);
    if ((r = posix_spawn_file_actions_adddup2(&files, socket, STDIN_FILENO)) == 0 &&
        (r = posix_spawn_file_actions_adddup2(&files, STDERR_FILENO, STDOUT_FILENO)) == 0 &&
        (r = posix_spawn_file_actions_addclosefrom_np(&files, 3)) == 0)
        r = posix_spawn(ret_pid, program, &files, &attributes, (char *const *)argv,
                        (char *const *)process_environment);
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&attributes);
    return -r;
}

int broker_fork(const char *program, const char *config_path, struct broker **ret, struct error *e)
{
    int ends[2];
    if (access(program, X_OK) < 0)
        return error_set(e, errno, "%s: cannot be run: %m; install Mayfly wholly", program);
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
        return error_set(e, errno, "mayfly-broker: cannot be connected: %m");
    _cleanup_close_ int ours = ends[0];
    _cleanup_close_ int theirs = ends[1];

    pid_t pid = -1;
    int r = spawn_broker(program, config_path, theirs, &pid);
    if (r < 0)
        return error_set(e, r, "mayfly-broker: cannot be started: %s", strerror(-r));
    r = client_new(&ours, pid, ret, e);
    if (r < 0) {
        ours = fd_close(ours);
        process_wait(pid, CLIENT_END_DEADLINE_MSEC);
    }
    return r;
}
