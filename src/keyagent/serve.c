/* SPDX-License-Identifier: Apache-2.0 */
/* Requests of mayfly, one after the other: see keys/agent-wire.h. */
#include "keyagent/serve.h"

#include "base/fd.h"
#include "base/packet.h"
#include "keyagent/managers.h"
#include "keyagent/serve-internal.h"

/* --- operations --- */

/* Takes a part of the context that is secret, each part at most once. */
static int take_secret_gift(const struct agent_request *q, int fd, struct secret **field)
{
    if (*field || q->size == 0 || q->size > KEY_ENVIRONMENT_MAX)
        return -EPROTO;
    return secret_receive(fd, q->size, field, NULL);
}

static int take_file_gift(int *fd, int *field)
{
    if (*field >= 0 || *fd < 0)
        return -EPROTO;
    *field = TAKE_FD(*fd);
    return 0;
}

static int take_ca_gift(const struct agent_request *q, int *fd, struct key_context *who)
{
    size_t i = 0;
    while (i < KEY_CA_MAX && who->ca[i].fd >= 0)
        i++;
    if (i == KEY_CA_MAX || !q->path[0])
        return -EPROTO;
    memcpy(who->ca[i].path, q->path, sizeof q->path);
    return take_file_gift(fd, &who->ca[i].fd);
}

static int take_gift(struct connection *c, const struct agent_request *q, int *fd)
{
    switch (q->n) {
    case AGENT_ENVIRONMENT:
        return take_secret_gift(q, *fd, &c->who.environment);
    case AGENT_TOKEN:
        return take_secret_gift(q, *fd, &c->who.token);
    case AGENT_CLOUDS:
        return take_file_gift(fd, &c->who.clouds_fd);
    case AGENT_SECURE:
        return take_file_gift(fd, &c->who.secure_fd);
    case AGENT_CA:
        return take_ca_gift(q, fd, &c->who);
    case AGENT_HOST_SECRET:
        return take_file_gift(fd, &c->who.host_secret_fd);
    default:
        return -EPROTO;
    }
}

static int open_manager(struct connection *c, struct error *e)
{
    const struct keymgr_ops *ops = network_manager(c->manager);
    if (!ops)
        return error_set(e, -EINVAL, "key manager %s: mayfly-keyagent does not know it", c->manager);
    int r = ops->open(ops, &c->config, &c->who, &c->km, e);
    if (r < 0)
        return r;
    c->km->ops = ops;
    return c->hide_files ? c->hide_files(e) : 0;
}

static int answer_opened(struct connection *c)
{
    struct error why = ERROR_NONE;
    struct agent_answer a = {.errnum = open_manager(c, &why)};
    a.lists_all = c->km && c->km->lists_all;
    return send_answer(c, &a, &why, -1);
}

static int place(struct connection *c, bool make)
{
    struct error why = ERROR_NONE;
    struct agent_answer a = {.n = 0};
    a.errnum = c->km->ops->place(c->km, make, a.place, &why);
    return send_answer(c, &a, &why, -1);
}

static int list(struct connection *c)
{
    _cleanup_key_listing_ struct key_listing l = {.n = 0};
    _cleanup_close_ int fd = -1;
    struct error why = ERROR_NONE;
    int r = c->km->ops->list(c->km, &l, &why);
    if (r == 0 && l.n > AGENT_RECORDS_MAX)
        r = error_set(&why, -E2BIG, "key manager %s: has more than %d keys of this host", c->manager,
                      AGENT_RECORDS_MAX);
    if (r == 0 && l.n > 0 && (r = fd_memfd("mayfly records", l.keys, l.n * sizeof *l.keys, &fd)) < 0)
        error_set(&why, r, "mayfly-keyagent: cannot answer: %s", strerror(-r));
    struct agent_answer a = {.errnum = r, .n = (uint32_t)l.n, .incomplete = l.incomplete.errnum};
    return send_answer(c, &a, r < 0 ? &why : &l.incomplete, fd);
}

static int grant(struct connection *c, const struct agent_request *q)
{
    struct agent_answer a = {.n = 0};
    struct error why = ERROR_NONE;
    bool changed = false;
    a.errnum = c->km->ops->grant
                   ? c->km->ops->grant(c->km, q->id, *q->user ? q->user : NULL, q->allowed, &changed, &why)
                   : error_set(&why, -EOPNOTSUPP, "key manager %s: it knows no users", c->manager);
    a.n = changed;
    return send_answer(c, &a, &why, -1);
}

static int diagnose(struct connection *c)
{
    struct key_finding findings[KEY_FINDINGS_MAX];
    struct error why = ERROR_NONE;
    size_t n = 0;
    int r = keymgr_diagnose(c->km, findings, &n, &why);
    return r < 0 ? answer_plain(c, r, &why) : answer_records(c, findings, n, sizeof *findings);
}

/* Answers one request. < 0: the connection cannot go on. A failure with a key is not such an error, but an
 * answer. */
static int answer(struct connection *c, const struct agent_request *q, int *fd)
{
    switch (q->op) {
    case AGENT_GIVE:
        return c->km ? -EPROTO : take_gift(c, q, fd);
    case AGENT_OPEN:
        return c->km ? -EPROTO : answer_opened(c);
    case AGENT_DONE:
        return 0;
    default:
        break;
    }
    if (!c->km)
        return -EPROTO;
    switch (q->op) {
    case AGENT_CREATE:
        return serve_create(c, q, *fd);
    case AGENT_FETCH:
        return serve_many(c, q, *fd, c->km->ops->fetch_many);
    case AGENT_MAY_DESTROY:
        return serve_many(c, q, *fd, c->km->ops->may_destroy_many);
    case AGENT_DESTROY:
        return serve_many(c, q, *fd, c->km->ops->destroy_many);
    case AGENT_LIST:
        return list(c);
    case AGENT_PLACE:
        return place(c, q->n != 0);
    case AGENT_GRANT:
        return grant(c, q);
    case AGENT_DIAGNOSE:
        return diagnose(c);
    default:
        return -EPROTO;
    }
}

/* --- the connection --- */

static int receive_hello(struct connection *c)
{
    _cleanup_free_ struct agent_hello *hello = calloc(1, sizeof *hello);
    _cleanup_close_ int fd = -1;
    size_t size = 0;
    if (!hello)
        return -ENOMEM;
    int r = packet_receive(c->socket, hello, sizeof *hello, &size, &fd);
    if (r < 0)
        return r;
    if (size != sizeof *hello || hello->version != agent_version || !config_is_whole(&hello->config))
        return -EPROTO;
    hello->manager[sizeof hello->manager - 1] = hello->cloud[sizeof hello->cloud - 1] = '\0';
    memcpy(c->manager, hello->manager, sizeof c->manager);
    memcpy(c->who.cloud, hello->cloud, sizeof c->who.cloud);
    c->config = hello->config;
    return 0;
}

static int serve(struct connection *c)
{
    int r = receive_hello(c);
    while (r == 0) {
        _cleanup_close_ int fd = -1;
        struct agent_request q;
        size_t size = 0;
        r = packet_receive(c->socket, &q, sizeof q, &size, &fd);
        c->handover = secret_handover_end(c->handover); /* any packet proves that it was received */
        if (r == 0 && size != sizeof q)
            r = -EPROTO;
        if (r < 0)
            break;
        q.id[sizeof q.id - 1] = q.user[sizeof q.user - 1] = q.path[sizeof q.path - 1] = '\0';
        r = answer(c, &q, &fd);
    }
    return r;
}

int keyagent_serve(int socket, int (*hide_files)(struct error *e), struct error *e)
{
    struct connection c = {.socket = socket, .hide_files = hide_files, .who = KEY_CONTEXT_NONE};
    int r = serve(&c);
    secret_handover_end(c.handover);
    keymgr_close(c.km);
    key_context_end(&c.who);
    if (r == -ECONNRESET)
        return 0;
    return error_set(e, r, "mayfly-keyagent: the connection broke: %s", strerror(-r));
}
