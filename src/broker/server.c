/* SPDX-License-Identifier: Apache-2.0 */
/* Serves the requests of one connection, one after the other. See wire.h for the packets, ops.def for the
 * operations.
 *
 *     packet --> decode: size, version, operation, descriptor
 *            --> authorise.c: strings, names, volume group, lock
 *            --> act: operations.c --> answer
 *
 * The sender may be anybody who can reach the socket. No part of a packet is used before all of it has passed
 * these checks, and a refused request has changed nothing.
 */
#include "broker/server.h"

#include "base/fd.h"
#include "base/log.h"
#include "base/packet.h"
#include "broker/authorise.h"
#include "broker/operations.h"
#include "broker/trail.h"

#include <poll.h>
#include <sys/socket.h>

/* ---------------------------------------------------------------- decoding */

static int decode(const struct packet *p, size_t size, int fd, const struct wire_operation **ret,
                  struct error *e)
{
    if (size < sizeof p->header)
        return error_set(e, -EPROTO, "request: too short");
    if (p->header.version != wire_version)
        return error_set(e, -EPROTO,
                         "request: of version %08x, while this mayfly-broker has %08x; install both programs "
                         "from one build of Mayfly",
                         p->header.version, wire_version);
    if (p->header.op >= OP_COUNT)
        return error_set(e, -EPROTO, "request: unknown operation %u", p->header.op);

    const struct wire_operation *o = &wire_operations[p->header.op];
    if (size != sizeof p->header + o->request_bytes)
        return error_set(e, -EPROTO, "request %s: has %zu bytes, not %zu", o->name, size - sizeof p->header,
                         o->request_bytes);
    if ((fd >= 0) != o->takes_fd)
        return error_set(e, -EPROTO, "request %s: must come with %d descriptors", o->name, o->takes_fd);
    *ret = o;
    return 0;
}

/* -------------------------------------------------------------- operations */

static int act(struct session *s, const struct packet *p, int fd, struct reply *reply, struct error *e)
{
    switch (p->header.op) {
#define OP(NAME, request, fds_in, fds_out, lock, audit, argument)                                            \
    case OP_##NAME:                                                                                          \
        return do_##NAME(s, &p->body.NAME, fd, reply, e);
#include "broker/ops.def"
#undef OP
    default:
        abort();
    }
}

/* Decodes, authorises and acts. */
static int handle(struct session *s, const struct packet *p, size_t size, int fd, struct reply *reply,
                  struct error *e)
{
    const struct wire_operation *o = NULL;
    struct trail trail;
    int r = decode(p, size, fd, &o, e);
    if (r == 0)
        r = authorise(s, p, e);
    if (r == 0) {
        trail_begin(&trail, s, p->header.op, &p->body);
        r = act(s, p, fd, reply, e);
        trail_end(&trail, s, reply, r, e);
    }
    log_debug("%s: %s", o ? o->name : "request", r < 0 ? e->text : "done");
    return r;
}

/* Sends the answer to a request, and closes the reply's descriptor. */
static int answer(int socket, int result, const struct reply *reply, const struct error *e)
{
    _cleanup_close_ int fd = reply->fd;
    struct answer a;

    memset(&a, 0, sizeof a); /* padding goes over the socket, too */
    a.version = wire_version;
    a.errnum = result < 0 ? result : 0;
    if (result < 0) {
        a.parts = e->parts;
        memcpy(a.text, e->text, sizeof a.text);
        return packet_send(socket, &a, sizeof a, -1);
    }
    a.shows = reply->shows;
    a.changed = reply->changed;
    a.crypt_version = reply->crypt_version;
    a.size_bytes = reply->size_bytes;
    memcpy(a.disks, reply->disks, sizeof a.disks);
    return packet_send(socket, &a, sizeof a, fd);
}

static int serve_one(int socket, struct session *s, const struct error *start)
{
    struct packet p;
    struct reply reply = {.fd = -1};
    struct error e = ERROR_NONE;
    _cleanup_close_ int fd = -1;
    size_t size = 0;

    int r = packet_receive(socket, &p, sizeof p, &size, &fd);
    if (r == -EPROTO)
        error_set(&e, r, "request: too long, or with too many descriptors");
    else if (r < 0)
        return r;
    else if (start)
        r = error_pass(&e, start->errnum, start);
    else
        r = handle(s, &p, size, fd, &reply, &e);
    return answer(socket, r, &reply, &e);
}

/* Waits for a request. 1: one has come, or the end of the connection. 0: we were told to stop. -ETIMEDOUT:
 * nothing came within silence_msec (0: waits for ever). */
static int wait_for_request(int socket, int stop_fd, unsigned silence_msec)
{
    struct pollfd fds[] = {{.fd = stop_fd, .events = POLLIN}, {.fd = socket, .events = POLLIN}};
    int n;
    while ((n = poll(fds, ARRAY_SIZE(fds), silence_msec ? (int)silence_msec : -1)) < 0)
        if (errno != EINTR)
            return -errno;
    if (n == 0)
        return -ETIMEDOUT;
    return fds[0].revents ? 0 : 1;
}

/* Ends the connection of a client that is stopped or hangs, so that others get its instances. The client
 * finds the reason if it ever asks again. */
static int end_silence(int socket, const struct session *s)
{
    struct reply none = {.fd = -1};
    struct error e = ERROR_NONE;
    log_info(
        "process %d of user %u has said nothing for %u s, and its connection is ended; it held %zu locks",
        s->locks.pid, s->locks.uid, s->silence_msec / 1000, s->locks.n);
    int r =
        error_set(&e, -ETIMEDOUT,
                  "mayfly-broker: has heard nothing of this mayfly for %u s, so it has given its locks back "
                  "and ended the connection; see mayfly list, and run mayfly recover",
                  s->silence_msec / 1000);
    return answer(socket, r, &none, &e);
}

int server_serve(int socket, int stop_fd, struct session *s, const struct error *start)
{
    int r;
    log_debug("connection of process %d, user %u, group %u", s->peer.pid, s->peer.uid, s->peer.gid);
    do {
        r = wait_for_request(socket, stop_fd, s->silence_msec);
        if (r == -ETIMEDOUT)
            return end_silence(socket, s);
        if (r == 0)
            return 0;
        if (r > 0)
            r = serve_one(socket, s, start);
    } while (r == 0);
    return r == -ECONNRESET ? 0 : r;
}
