/* SPDX-License-Identifier: Apache-2.0 */
/* See agent-connect.h. */
#include "keys/agent-connect.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/packet.h"
#include "base/process.h"

#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#define END_DEADLINE_MSEC 2000
#define MARGIN_SEC        20 /* what the program has beyond its own deadlines */

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

static int start(struct agent_link *l, const char *program, struct error *e)
{
    int ends[2];
    if (access(program, X_OK) < 0)
        return error_set(e, errno, "%s: cannot be run: %m; install Mayfly wholly",
                         *program ? program : "mayfly-keyagent");
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
        return error_set(e, errno, "mayfly-keyagent: cannot be connected: %m");
    _cleanup_close_ int theirs = ends[1];
    l->socket = ends[0];
    int r = spawn(program, theirs, &l->pid);
    return r < 0 ? error_set(e, r, "mayfly-keyagent: cannot be started: %s", strerror(-r)) : 0;
}

static int error_gone(struct agent_link *l, struct error *e)
{
    char text[64] = "did not end";
    int status = l->pid > 0 ? process_wait(l->pid, END_DEADLINE_MSEC) : -1;
    l->pid = 0;
    if (status >= 0)
        process_status_text(status, text, sizeof text);
    return error_set(
        e, -EIO, "mayfly-keyagent: %s in the middle of a request; mayfly recover finds what it may have left",
        text);
}

int agent_link_send(struct agent_link *l, const struct agent_request *q, int fd, struct error *e)
{
    int r = packet_send(l->socket, q, sizeof *q, fd);
    if (r == -ECONNRESET)
        return error_gone(l, e);
    return r < 0 ? error_set(e, r, "mayfly-keyagent: cannot be asked: %s", strerror(-r)) : 0;
}

static int wait_answer(struct agent_link *l, struct error *e)
{
    uint64_t deadline = clock_msec() + (uint64_t)l->deadline_sec * 1000;
    for (;;) {
        uint64_t now = clock_msec();
        struct pollfd p = {.fd = l->socket, .events = POLLIN};
        int n = now < deadline ? poll(&p, 1, (int)(deadline - now)) : 0;
        if (n > 0)
            return 0;
        if (n == 0)
            break;
        if (errno != EINTR)
            return error_set(e, errno, "mayfly-keyagent: cannot be waited for: %m");
    }
    kill(l->pid, SIGKILL);
    return error_set(e, -EHOSTUNREACH, "mayfly-keyagent: has not answered within %u s; try again",
                     l->deadline_sec);
}

int agent_link_receive(struct agent_link *l, struct agent_answer *ret, int *ret_fd, struct error *e)
{
    _cleanup_close_ int fd = -1;
    size_t size = 0;
    int r = wait_answer(l, e);
    if (r < 0)
        return r;
    r = packet_receive(l->socket, ret, sizeof *ret, &size, &fd);
    if (r == -ECONNRESET)
        return error_gone(l, e);
    if (r < 0 || size != sizeof *ret || ret->errnum > 0 || ret->n > AGENT_KEYS_MAX)
        return error_set(e, -EPROTO,
                         "mayfly-keyagent: its answer has a wrong form; install all of one version");
    ret->text[sizeof ret->text - 1] = '\0';
    str_tame(ret->text);
    if (ret->errnum < 0)
        return error_set(e, ret->errnum, "%s", ret->text);
    *ret_fd = TAKE_FD(fd);
    return 0;
}

static int give_fd(struct agent_link *l, enum agent_gift gift, int fd, uint64_t size, struct error *e)
{
    const struct agent_request q = {.op = AGENT_GIVE, .n = gift, .size = size};
    return fd < 0 ? 0 : agent_link_send(l, &q, fd, e);
}

/* The handover is ended by the caller, when the other end has answered. */
static int give_secret(struct agent_link *l, enum agent_gift gift, const struct secret *s,
                       struct secret_handover **ret, struct error *e)
{
    if (!s)
        return 0;
    int r = secret_handover(s, ret, e);
    return r < 0 ? r : give_fd(l, gift, secret_handover_fd(*ret), secret_size(s), e);
}

static int send_hello(struct agent_link *l, const char *name, const struct config *c,
                      const struct key_context *who, struct error *e)
{
    _cleanup_free_ struct agent_hello *hello = calloc(1, sizeof *hello);
    if (!hello)
        return error_memory(e);
    hello->version = AGENT_VERSION;
    hello->config = *c;
    memcpy(hello->cloud, who->cloud, sizeof hello->cloud);
    int r = str_copy(hello->manager, sizeof hello->manager, name);
    if (r == 0)
        r = packet_send(l->socket, hello, sizeof *hello, -1);
    return r < 0 ? error_set(e, r, "mayfly-keyagent: cannot be asked: %s", strerror(-r)) : 0;
}

static int open_manager(struct agent_link *l, const char *name, const struct config *c,
                        const struct key_context *who, struct error *e)
{
    _cleanup_handover_ struct secret_handover *environment = NULL, *token = NULL;
    _cleanup_close_ int fd = -1;
    struct agent_answer answer;
    int r = send_hello(l, name, c, who, e);
    if (r == 0)
        r = give_secret(l, AGENT_ENVIRONMENT, who->environment, &environment, e);
    if (r == 0)
        r = give_secret(l, AGENT_TOKEN, who->token, &token, e);
    if (r == 0)
        r = give_fd(l, AGENT_CLOUDS, who->clouds_fd, 0, e);
    if (r == 0)
        r = give_fd(l, AGENT_SECURE, who->secure_fd, 0, e);
    if (r == 0)
        r = give_fd(l, AGENT_HOST_SECRET, who->host_secret_fd, 0, e);
    if (r == 0)
        r = agent_link_send(l, &(struct agent_request){.op = AGENT_OPEN}, -1, e);
    return r < 0 ? r : agent_link_receive(l, &answer, &fd, e);
}

int agent_link_start(struct agent_link *l, const char *name, const struct config *c,
                     const struct key_context *who, struct error *e)
{
    /* a create cleans up after its deadline, and orders are waited for */
    l->deadline_sec =
        2 * c->barbican_deadline_sec + c->barbican_order_polls * c->barbican_order_delay_sec + MARGIN_SEC;
    int r = start(l, who->agent_program, e);
    if (r == 0)
        r = open_manager(l, name, c, who, e);
    if (r < 0)
        agent_link_end(l);
    return r;
}

void agent_link_end(struct agent_link *l)
{
    l->socket = fd_close(l->socket);
    if (l->pid > 0)
        process_wait(l->pid, END_DEADLINE_MSEC);
    l->pid = 0;
}
