/* SPDX-License-Identifier: Apache-2.0 */
/* Serves the requests of one connection, one after the other. See wire.h for the packets, ops.def for the
 * operations.
 *
 *     packet --> decode: size, version, operation, descriptor
 *            --> authorise: strings, names, volume group, lock
 *            --> act: operations.c --> answer
 *
 * The sender may be anybody who can reach the socket. No part of a packet is used before all of it has passed
 * these checks, and a refused request has changed nothing.
 */
#include "broker/server.h"

#include "base/fd.h"
#include "base/log.h"
#include "base/packet.h"
#include "broker/operations.h"
#include "broker/trail.h"

#include <poll.h>
#include <sys/socket.h>

/* Any request. The body is at an offset that suits every struct of the union. */
struct packet {
    struct wire_header header;
    union {
#define OP(NAME, request, fds_in, fds_out, needs_lock, audit, argument) struct request NAME;
#include "broker/ops.def"
#undef OP
    } body;
};
_Static_assert(offsetof(struct packet, body) == sizeof(struct wire_header), "the body follows the header");

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

/* ----------------------------------------------------------- authorisation */

#define TERMINATED(field) (memchr((field), '\0', sizeof(field)) != NULL)

static int error_endless(struct error *e)
{
    return error_set(e, -EPROTO, "request: a text in it is not terminated");
}

/* Checks that this connection may name this volume. */
static int check_ref(const struct session *s, const struct volume_ref *ref, bool needs_lock, struct error *e)
{
    char instance[UUID_TEXT];
    int r = volume_ref_check(ref, e);
    if (r < 0)
        return r;
    if (!config_has_volume_group(s->config, ref->vg))
        return error_set(e, -EPERM,
                         "volume group %s: is not Mayfly's to use; add it to images_volume_group in "
                         "mayfly.conf",
                         ref->vg);
    volume_ref_instance(ref, instance);
    if (needs_lock && !locks_held(&s->locks, instance) && !session_owns_snapshot(s, ref))
        return error_set(e, -EPERM, "instance %s: is not locked by this connection", instance);
    return 0;
}

static int check_op_none(const struct session *s, const struct op_none *q, bool needs_lock, struct error *e)
{
    (void)s, (void)q, (void)needs_lock, (void)e;
    return 0;
}

static int check_op_lock(const struct session *s, const struct op_lock *q, bool needs_lock, struct error *e)
{
    (void)s, (void)needs_lock;
    if (!TERMINATED(q->uuid) || !TERMINATED(q->verb))
        return error_endless(e);
    /* a verb may have two words ("key destroy"); others read it on their terminals */
    if (q->verb[strspn(q->verb, "abcdefghijklmnopqrstuvwxyz- ")])
        return error_set(e, -EINVAL, "lock: its verb has characters that no verb has");
    return uuid_valid(q->uuid) ? 0 : error_set(e, -EINVAL, "lock: its uuid is malformed");
}

static int check_op_unlock(const struct session *s, const struct op_unlock *q, bool needs_lock,
                           struct error *e)
{
    (void)s, (void)needs_lock;
    if (!TERMINATED(q->uuid))
        return error_endless(e);
    return uuid_valid(q->uuid) ? 0 : error_set(e, -EINVAL, "unlock: its uuid is malformed");
}

static int check_op_settle(const struct session *s, const struct op_settle *q, bool needs_lock,
                           struct error *e)
{
    (void)s, (void)needs_lock;
    if (!TERMINATED(q->instance))
        return error_endless(e);
    return !q->instance[0] || uuid_valid(q->instance)
               ? 0
               : error_set(e, -EINVAL, "settle: its uuid is malformed");
}

static int check_settle(uint8_t settle, struct error *e)
{
    return settle <= SETTLE_LATER ? 0
                                  : error_set(e, -EINVAL, "request: says neither to settle now nor later");
}

static int check_use(uint8_t use, struct error *e)
{
    return use <= MAP_READ_ONLY ? 0 : error_set(e, -EINVAL, "request: unknown use %u of a map", use);
}

static int check_op_close(const struct session *s, const struct op_close *q, bool needs_lock, struct error *e)
{
    int r = check_use(q->up_to, e);
    if (r == 0)
        r = check_settle(q->settle, e);
    return r < 0 ? r : check_ref(s, &q->volume, needs_lock, e);
}

static int check_op_create(const struct session *s, const struct op_create *q, bool needs_lock,
                           struct error *e)
{
    struct volume_ref ref = volume_ref_of(&q->volume);
    int r = check_ref(s, &ref, needs_lock, e);
    if (r < 0)
        return r;
    return volume_check(&q->volume, e); /* checks that its texts are terminated, too */
}

static int check_op_volume(const struct session *s, const struct op_volume *q, bool needs_lock,
                           struct error *e)
{
    return check_ref(s, &q->volume, needs_lock, e);
}

static int check_op_snapshot(const struct session *s, const struct op_snapshot *q, bool needs_lock,
                             struct error *e)
{
    if (!TERMINATED(q->disk))
        return error_endless(e);
    if (!uuid_valid(q->disk))
        return error_set(e, -EINVAL, "snapshot: its disk uuid is malformed");
    return check_ref(s, &q->origin, needs_lock, e);
}

static int check_op_open(const struct session *s, const struct op_open *q, bool needs_lock, struct error *e)
{
    int r = check_use(q->use, e);
    if (r == 0)
        r = check_settle(q->settle, e);
    return r < 0 ? r : check_ref(s, &q->volume, needs_lock, e);
}

static int check_op_bench(const struct session *s, const struct op_bench *q, bool needs_lock, struct error *e)
{
    if (q->table >= BENCH_TABLES)
        return error_set(e, -EINVAL, "request: unknown table %u", q->table);
    return check_ref(s, &q->volume, needs_lock, e);
}

static int check_op_resize(const struct session *s, const struct op_resize *q, bool needs_lock,
                           struct error *e)
{
    return check_ref(s, &q->volume, needs_lock, e);
}

static int check_op_format(const struct session *s, const struct op_format *q, bool needs_lock,
                           struct error *e)
{
    if (!TERMINATED(q->fs) || !TERMINATED(q->label))
        return error_endless(e);
    return check_ref(s, &q->volume, needs_lock, e);
}

static int check_op_set(const struct session *s, const struct op_set *q, bool needs_lock, struct error *e)
{
    if (q->n < 1 || q->n > WIRE_VOLUMES_MAX)
        return error_set(e, -EPROTO, "request: has %u volumes; there must be 1 to %d", q->n,
                         WIRE_VOLUMES_MAX);
    for (size_t i = 0; i < q->n; i++) {
        int r = check_ref(s, &q->volume[i], needs_lock, e);
        if (r < 0)
            return r;
        for (size_t j = 0; j < i; j++)
            if (streq(q->volume[i].lv, q->volume[j].lv) && streq(q->volume[i].vg, q->volume[j].vg))
                return error_set(e, -EINVAL, "request: names volume %s twice", q->volume[i].lv);
    }
    return 0;
}

static int check_op_mark(const struct session *s, const struct op_mark *q, bool needs_lock, struct error *e)
{
    if (q->state != VOLUME_READY && q->state != VOLUME_DOOMED)
        return error_set(e, -EINVAL, "request: volumes are marked ready or doomed, nothing else");
    return check_op_set(s, &q->set, needs_lock, e);
}

static int authorise(const struct session *s, const struct packet *p, bool needs_lock, struct error *e)
{
    switch (p->header.op) {
#define OP(NAME, request, fds_in, fds_out, lock, audit, argument)                                            \
    case OP_##NAME:                                                                                          \
        return check_##request(s, &p->body.NAME, needs_lock, e);
#include "broker/ops.def"
#undef OP
    default:
        abort(); /* decode() lets none through */
    }
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
        r = authorise(s, p, o->needs_lock, e);
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
