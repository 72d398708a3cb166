/* SPDX-License-Identifier: Apache-2.0 */
/* Runs mayfly-keyagent; the conversation with it is agent-connect.c. */
#include "keys/agent-connect.h"

#include "base/fd.h"
#include "base/process.h"

#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <unistd.h>

/* As the broker is started: the socket as its standard input, our standard error, a session of its own (so
 * that Ctrl-C does not end it in the middle of making a key), nothing else of ours. */
static int spawn(const char *program, int socket, pid_t *ret_pid)
{
    const char *argv[] = {program, NULL};
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

int agent_program_start(const char *program, int *ret_socket, pid_t *ret_pid, struct error *e)
{
    int ends[2];
    if (access(program, X_OK) < 0)
        return error_set(e, errno, "%s: cannot be run: %m; install Mayfly wholly",
                         *program ? program : "mayfly-keyagent");
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
        return error_set(e, errno, "mayfly-keyagent: cannot be connected: %m");
    _cleanup_close_ int ours = ends[0], theirs = ends[1];
    int r = spawn(program, theirs, ret_pid);
    if (r < 0)
        return error_set(e, r, "mayfly-keyagent: cannot be started: %s", strerror(-r));
    *ret_socket = TAKE_FD(ours);
    return 0;
}
