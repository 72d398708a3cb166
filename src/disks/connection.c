/* SPDX-License-Identifier: Apache-2.0 */
/* See connection.h. */
#include "disks/connection.h"

#include "base/fd.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* The kinds that are kept, for the device and for each of its queues. A queue starts when it has its kick, so
 * that is the last. */
static const uint32_t of_device[] = {VHOST_SET_PROTOCOL_FEATURES, VHOST_SET_FEATURES,
                                     VHOST_SET_BACKEND_REQ_FD, VHOST_SET_MEM_TABLE, VHOST_SET_INFLIGHT_FD};
static const uint32_t of_queue[] = {VHOST_SET_VRING_NUM,  VHOST_SET_VRING_BASE, VHOST_SET_VRING_ADDR,
                                    VHOST_SET_VRING_CALL, VHOST_SET_VRING_ERR,  VHOST_SET_VRING_ENABLE,
                                    VHOST_SET_VRING_KICK};
_Static_assert(ARRAY_SIZE(of_device) + ARRAY_SIZE(of_queue) * DISK_QUEUES_MAX == CONNECTION_PLACES,
               "each kind has a place");

int connection_new(struct connection *c)
{
    c->socket = -1;
    c->kept = calloc(CONNECTION_PLACES, sizeof *c->kept);
    return c->kept ? 0 : -ENOMEM;
}

void connection_free(struct connection *c)
{
    if (c->kept)
        connection_end(c);
    free(TAKE_PTR(c->kept));
}

static int place_in_queue(uint64_t queue, uint32_t request)
{
    for (unsigned i = 0; i < ARRAY_SIZE(of_queue); i++)
        if (of_queue[i] == request && queue < DISK_QUEUES_MAX)
            return (int)(ARRAY_SIZE(of_device) + ARRAY_SIZE(of_queue) * (unsigned)queue + i);
    return -1;
}

int connection_place(const struct vhost_message *m)
{
    for (unsigned i = 0; i < ARRAY_SIZE(of_device); i++)
        if (of_device[i] == m->header.request)
            return (int)i;
    uint64_t queue = vhost_is_about_event(m) ? m->number & VHOST_VRING_INDEX : m->state.index;
    return place_in_queue(queue, m->header.request);
}

int connection_place_of_kick(unsigned queue)
{
    return place_in_queue(queue, VHOST_SET_VRING_KICK);
}

static void forget(struct connection *c, unsigned place)
{
    vhost_message_end(&c->kept[place]);
    c->kept[place].header.request = 0;
}

static void keep(struct connection *c, unsigned place, struct note *n)
{
    forget(c, place);
    if (n->kept.header.request == 0)
        return;
    c->kept[place] = n->kept;
    memcpy(c->kept[place].fd, n->fd, sizeof n->fd);
    c->kept[place].n_fds = n->n_fds;
    n->n_fds = 0;
}

void connection_handled(struct connection *c, struct note *n)
{
    if (c->socket < 0)
        return;
    if (n->place >= 0 && n->place < CONNECTION_PLACES)
        keep(c, (unsigned)n->place, n);
    int r = vhost_take(c->socket, n->message_bytes);
    if (r == 0 && n->answer.header.request != 0)
        r = vhost_reply(c->socket, &n->answer, n->answer.header.size, n->n_fds > 0 ? n->fd[0] : -1);
    if (r < 0)
        shutdown(c->socket, SHUT_RDWR);
}

void connection_end(struct connection *c)
{
    for (unsigned i = 0; i < CONNECTION_PLACES; i++)
        forget(c, i);
    c->socket = fd_close(c->socket);
}
