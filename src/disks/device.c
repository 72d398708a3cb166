/* SPDX-License-Identifier: Apache-2.0 */
/* See device.h. What the messages do is in device-messages.c. */
#include "disks/device-internal.h"

#include "base/fd.h"
#include "base/log.h"
#include "disks/note.h"

#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#define FRONT_END_MSEC 10000 /* limit for the rest of a message that has begun */

/* Notes where the message is kept, if the next worker needs it. `r` says how it went. */
static void note_kept(struct note *n, const struct vhost_message *m, int r)
{
    uint32_t request = m->header.request;
    n->place = -1;
    if (request == VHOST_GET_VRING_BASE && r == 0)
        n->place = connection_place_of_kick(m->state.index); /* is forgotten: the queue has stopped */
    else if (r == 0 || request == VHOST_SET_MEM_TABLE || request == VHOST_SET_INFLIGHT_FD)
        n->place = connection_place(m); /* one of the last two that failed has undone what was there */
    if (r < 0 || n->place < 0 || request == VHOST_GET_VRING_BASE)
        return;
    n->kept = *m;
    memcpy(n->fd, m->fd, sizeof n->fd);
    n->n_fds = m->n_fds;
}

/* Notes the answer to a question, which the message has become; or how it went, if the front end wants to
 * know that. */
static void note_answer(struct note *n, struct vhost_message *m, int r, bool wants_answer)
{
    bool is_asked = device_is_asked(m);
    if (is_asked ? r < 0 : !wants_answer)
        return;
    if (is_asked) {
        memcpy(n->fd, m->fd, sizeof n->fd);
        n->n_fds = m->n_fds;
    } else
        device_answer_number(m, r < 0);
    n->answer = *m;
}

/* Carries a message out. After an error the connection cannot go on. */
static int handle(struct device *d, struct vhost_message *m, struct error *e)
{
    const struct vhost_message came = *m; /* its descriptors stay open until the end of this */
    bool wants_answer =
        m->header.flags & VHOST_NEED_REPLY && d->protocol & DEVICE_BIT(VHOST_PROTOCOL_REPLY_ACK);
    struct note n = {.kind = NOTE_HANDLED,
                     .disk = d->number,
                     .message_bytes = (uint32_t)sizeof m->header + m->header.size};
    int r = device_carry_out(d, m);
    note_kept(&n, &came, r);
    if (r == 0)
        r = device_start_queues(d, e);
    if (r < 0)
        error_set(e, r, "disk %s: the front end's message %u is refused: %s", d->disk->id,
                  came.header.request, strerror(-r));
    note_answer(&n, m, r, wants_answer);
    if (r < 0 && n.answer.header.request == 0)
        return r;
    d->awaits_keeper = true;
    r = note_send(d->notes, &n);
    return r < 0 ? error_set(e, r, "disk %s: the keeper is gone", d->disk->id) : 0;
}

static void disconnect(struct device *d)
{
    const struct note gone = {.kind = NOTE_GONE, .disk = d->number};
    shutdown(d->socket, SHUT_RDWR); /* at once, since the keeper has the connection, too */
    device_leave(d);
    if (note_send(d->notes, &gone) < 0)
        log_warning("disk %s: cannot notify the keeper of a front end", d->disk->id);
}

void device_receive(struct device *d)
{
    struct error e = ERROR_NONE;
    _cleanup_message_ struct vhost_message m = {.n_fds = 0};
    int r = vhost_peek(d->socket, FRONT_END_MSEC, &m);
    if (r < 0)
        error_set(&e, r, "disk %s: the front end is disconnected: its message is malformed: %s", d->disk->id,
                  strerror(-r));
    else if (r > 0)
        r = handle(d, &m, &e) < 0 ? -1 : 1;
    if (e.errnum < 0)
        log_error("%s", e.text);
    if (r <= 0)
        disconnect(d);
}

/* -------------------------------------------------------------- connections */

void device_init(struct device *d, struct disk *disk, unsigned number, int notes)
{
    memset(d, 0, sizeof *d);
    d->disk = disk;
    d->number = number;
    d->notes = notes;
    d->socket = d->backend = -1;
    for (unsigned i = 0; i < disk->queues; i++)
        queue_init(&d->queue[i], disk, i);
}

void device_connect(struct device *d, int socket)
{
    d->socket = socket;
    d->awaits_keeper = false;
}

static int adopt_messages(struct device *d, struct connection *c, struct error *e)
{
    for (unsigned i = 0; i < CONNECTION_PLACES; i++) {
        struct vhost_message *m = &c->kept[i];
        if (m->header.request == 0)
            continue;
        int r = vhost_message_check(m) < 0 ? -EPROTO : device_carry_out(d, m);
        if (r < 0)
            return error_set(e, r, "disk %s: the front end is disconnected: its message %u is refused: %s",
                             d->disk->id, m->header.request, strerror(-r));
    }
    return 0;
}

/* Finds where the queues go on. Without a list of requests under way only the front end knows it. */
static int find_places(struct device *d, struct error *e)
{
    int r = 0;
    for (unsigned i = 0; r == 0 && i < d->disk->queues; i++) {
        struct queue *q = &d->queue[i];
        if (!q->has_address)
            continue;
        if (!d->inflight)
            return error_set(e, -ENOTCONN,
                             "disk %s: the front end must connect again: it keeps no file of requests under "
                             "way",
                             d->disk->id);
        if (!q->has_size || q->kick < 0 || d->memory.n == 0)
            continue;
        r = device_place_inflight(d, q, e);
        if (r == 0)
            r = queue_find_base(q, &d->memory, d->features, e);
    }
    return r;
}

static bool is_hung_up(int socket)
{
    struct pollfd p = {.fd = socket};
    return poll(&p, 1, 0) > 0 && p.revents & POLLHUP;
}

void device_adopt(struct device *d, struct connection *c)
{
    struct error e = ERROR_NONE;
    device_connect(d, TAKE_FD(c->socket));
    int r = is_hung_up(d->socket) ? -ECONNRESET : adopt_messages(d, c, &e);
    connection_end(c); /* the keeper has its own */
    if (r == 0)
        r = find_places(d, &e);
    if (r == 0)
        r = device_start_queues(d, &e);
    if (r == 0) {
        device_tell_size(d); /* it may have changed before this worker began */
        return;
    }
    if (e.errnum < 0)
        log_warning("%s", e.text);
    disconnect(d);
}

void device_leave(struct device *d)
{
    device_stop_queues(d); /* all queues, before the memory of any is unmapped */
    for (unsigned i = 0; i < d->disk->queues; i++)
        queue_reset(&d->queue[i]);
    memory_table_unmap(&d->memory);
    device_forget_inflight(d);
    d->backend = fd_close(d->backend);
    d->socket = fd_close(d->socket);
    d->features = d->protocol = 0;
}

void device_tell_size(struct device *d)
{
    const struct vhost_message m = {.header = {VHOST_BACKEND_CONFIG_CHANGE, VHOST_VERSION, 0}};
    if (d->backend >= 0 && vhost_send(d->backend, &m, NULL, 0) < 0)
        log_warning("disk %s: cannot notify the front end of the new size", d->disk->id);
}
