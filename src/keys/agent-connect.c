/* SPDX-License-Identifier: Apache-2.0 */
/* See agent-connect.h. */
#include "keys/agent-connect.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/packet.h"
#include "base/process.h"

#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/time.h>

#define END_DEADLINE_MSEC 2000
#define STOP_POLL_MSEC    200
#define MARGIN_SEC        20 /* how much longer we wait than the program's own deadlines */

/* Ends the link to a program that has ended, is silent or talks nonsense. The next request starts another. */
static int error_gone(struct agent_link *l, struct error *e)
{
    char text[64] = "did not end";
    int status = l->pid > 0 ? process_wait(l->pid, END_DEADLINE_MSEC) : -1;
    l->pid = 0;
    agent_link_end(l);
    if (status >= 0)
        process_status_text(status, text, sizeof text);
    return error_set(
        e, -EIO, "mayfly-keyagent: %s in the middle of a request; mayfly recover finds what it may have left",
        text);
}

static int error_silent(struct agent_link *l, struct error *e)
{
    if (l->pid > 0)
        kill(l->pid, SIGKILL);
    agent_link_end(l);
    return error_set(e, -EHOSTUNREACH, "mayfly-keyagent: has not answered within %llu s; try again",
                     (unsigned long long)l->deadline_sec);
}

/* Sets the error after a stop: whether the request was carried out is not known, as after a lost answer. */
static int error_stopped(struct agent_link *l, struct error *e)
{
    if (l->pid > 0)
        kill(l->pid, SIGKILL);
    agent_link_end(l);
    return error_set(e, -ECANCELED, "mayfly-keyagent: stopped while a key manager was waited for");
}

int agent_link_refuse(struct agent_link *l, struct error *e)
{
    agent_link_end(l);
    return error_set(e, -EPROTO, "mayfly-keyagent: its answer has a wrong form; install all of one version");
}

int agent_link_send(struct agent_link *l, const struct agent_request *q, int fd, struct error *e)
{
    int r = packet_send(l->socket, q, sizeof *q, fd);
    if (r == -ECONNRESET)
        return error_gone(l, e);
    if (r == -EAGAIN)
        return error_silent(l, e);
    return r < 0 ? error_set(e, r, "mayfly-keyagent: cannot send the request: %s", strerror(-r)) : 0;
}

/* Waits for the answer. Only a stop that comes during the wait ends it: after an earlier stop, the undo makes
 * requests, too. */
static int wait_answer(struct agent_link *l, struct error *e)
{
    uint64_t deadline = clock_msec() + l->deadline_sec * 1000;
    bool stopped_before = l->stopped && l->stopped();
    for (;;) {
        uint64_t now = clock_msec(), left = now < deadline ? deadline - now : 0;
        struct pollfd p = {.fd = l->socket, .events = POLLIN};
        int n = left ? poll(&p, 1, left < STOP_POLL_MSEC ? (int)left : STOP_POLL_MSEC) : 0;
        if (n > 0)
            return 0;
        if (n < 0 && errno != EINTR)
            return error_set(e, errno, "mayfly-keyagent: cannot be waited for: %m");
        if (!stopped_before && l->stopped && l->stopped())
            return error_stopped(l, e);
        if (!left)
            return error_silent(l, e);
    }
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
    if (r < 0 || size != sizeof *ret || !agent_result_valid(ret->errnum) ||
        !agent_result_valid(ret->incomplete) || ret->n > AGENT_RECORDS_MAX)
        return agent_link_refuse(l, e);
    ret->text[sizeof ret->text - 1] = '\0';
    str_tame(ret->text);
    if (ret->errnum < 0)
        return error_receive(e, ret->errnum, ret->text, &ret->parts);
    *ret_fd = TAKE_FD(fd);
    return 0;
}

static int give_fd(struct agent_link *l, enum agent_gift gift, int fd, uint64_t size, struct error *e)
{
    const struct agent_request q = {.op = AGENT_GIVE, .n = gift, .size = size};
    return fd < 0 ? 0 : agent_link_send(l, &q, fd, e);
}

static int give_ca(struct agent_link *l, const struct key_ca *ca, struct error *e)
{
    struct agent_request q = {.op = AGENT_GIVE, .n = AGENT_CA};
    memcpy(q.path, ca->path, sizeof q.path);
    return ca->fd < 0 ? 0 : agent_link_send(l, &q, ca->fd, e);
}

/* Gives one secret. The caller ends the handover once the other end has answered. */
static int give_secret(struct agent_link *l, enum agent_gift gift, const struct secret *s,
                       struct secret_handover **ret, struct error *e)
{
    if (!s)
        return 0;
    int r = secret_handover(s, ret, e);
    return r < 0 ? r : give_fd(l, gift, secret_handover_fd(*ret), secret_size(s), e);
}

static int send_hello(struct agent_link *l, const char *name, const struct config *c, struct key_context *who,
                      struct error *e)
{
    _cleanup_free_ struct agent_hello *hello = calloc(1, sizeof *hello);
    if (!hello)
        return error_memory(e);
    hello->version = agent_version;
    hello->config = *c;
    memcpy(hello->cloud, who->cloud, sizeof hello->cloud);
    int r = str_copy(hello->manager, sizeof hello->manager, name);
    if (r == 0)
        r = packet_send(l->socket, hello, sizeof *hello, -1);
    return r < 0 ? error_set(e, r, "mayfly-keyagent: cannot send the request: %s", strerror(-r)) : 0;
}

static int open_manager(struct agent_link *l, const char *name, const struct config *c,
                        struct key_context *who, struct error *e)
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
    if (r == 0 && !key_context_names_caller(who))
        r = give_fd(l, AGENT_HOST_SECRET, who->host_secret_fd, 0, e);
    for (size_t i = 0; r == 0 && i < KEY_CA_MAX; i++)
        r = give_ca(l, &who->ca[i], e);
    if (r == 0)
        r = agent_link_send(l, &(struct agent_request){.op = AGENT_OPEN}, -1, e);
    if (r == 0)
        r = agent_link_receive(l, &answer, &fd, e);
    if (r == 0)
        l->lists_all = answer.lists_all != 0;
    return r;
}

/* Adds two deadlines for a create: one for what follows the making of a key, one for undoing it all. An order
 * is waited for, and the last look at it has a deadline of its own. */
uint64_t agent_link_patience_sec(const struct config *c, size_t n_new)
{
    uint64_t deadline = c->barbican_deadline_sec, orders = 0;
    if (streq(c->barbican_create, "order"))
        orders = n_new * ((uint64_t)c->barbican_order_polls * c->barbican_order_delay_sec + deadline);
    return 3 * deadline + orders + MARGIN_SEC;
}

int agent_link_start(struct agent_link *l, const char *name, const struct config *c, struct key_context *who,
                     struct error *e)
{
    l->deadline_sec = agent_link_patience_sec(c, 0);
    const struct timeval patience = {.tv_sec = (time_t)l->deadline_sec};
    l->stopped = who->stopped;
    int r = agent_program_start(who->agent_program, &l->socket, &l->pid, e);
    if (r == 0 && setsockopt(l->socket, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience) < 0)
        r = error_set(e, errno, "mayfly-keyagent: cannot be connected: %m");
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
