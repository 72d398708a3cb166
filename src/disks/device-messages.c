/* SPDX-License-Identifier: Apache-2.0 */
/* The messages of a front end, by kind. One that changes a queue stops the queue first: requests that were
 * taken from the ring end, and after the change the queue goes on with what is in the ring. So no thread sees
 * half a change.
 */
#include "disks/device-internal.h"

#include "base/fd.h"

#include <fcntl.h>

/* ------------------------------------------------------------------- queues */

void device_stop_queues(struct device *d)
{
    for (unsigned i = 0; i < d->disk->queues; i++)
        queue_stop(&d->queue[i]);
}

int device_start_queues(struct device *d, struct error *e)
{
    int r = 0;
    for (unsigned i = 0; r == 0 && i < d->disk->queues; i++) {
        struct queue *q = &d->queue[i];
        if (q->is_running || !queue_is_ready(q) || d->memory.n == 0)
            continue;
        r = device_place_inflight(d, q, e);
        if (r == 0)
            r = queue_start(q, &d->memory, d->features, e);
    }
    return r;
}

/* Stops and returns the queue that a message is about; NULL: there is no such queue. */
static struct queue *stop_queue(struct device *d, uint64_t index)
{
    if (index >= d->disk->queues)
        return NULL;
    queue_stop(&d->queue[index]);
    return &d->queue[index];
}

/* -------------------------------------------------------- messages, by kind */

int device_answer_number(struct vhost_message *m, uint64_t number)
{
    m->number = number;
    m->header.size = sizeof m->number;
    return 0;
}

static int set_features(struct device *d, struct vhost_message *m)
{
    if (m->number & ~device_virtio_features(d->disk))
        return -EPROTO;
    device_stop_queues(d);
    d->features = m->number;
    bool enables_queues = d->features & DEVICE_BIT(VHOST_USER_F_PROTOCOL_FEATURES); /* by messages */
    for (unsigned i = 0; !enables_queues && i < d->disk->queues; i++)
        d->queue[i].is_enabled = true;
    return 0;
}

static int set_protocol_features(struct device *d, struct vhost_message *m)
{
    if (m->number & ~DEVICE_PROTOCOL_FEATURES)
        return -EPROTO;
    d->protocol = m->number;
    return 0;
}

static int set_memory(struct device *d, struct vhost_message *m)
{
    device_stop_queues(d);
    memory_table_unmap(&d->memory);
    return memory_table_map(&d->memory, &m->memory, m->fd);
}

static int set_vring_state(struct device *d, struct vhost_message *m)
{
    uint32_t number = m->state.number;
    struct queue *q = stop_queue(d, m->state.index);
    if (!q)
        return -EPROTO;
    if (m->header.request == VHOST_SET_VRING_ENABLE) {
        q->is_enabled = number != 0;
        return number > 1 ? -EPROTO : 0;
    }
    if (m->header.request == VHOST_SET_VRING_BASE) {
        q->base = (uint16_t)number;
        return number > UINT16_MAX ? -EPROTO : 0;
    }
    if (number == 0 || number > VIRTQUEUE_SIZE_MAX || (number & (number - 1)))
        return -EPROTO;
    q->size = number;
    q->has_size = true;
    return 0;
}

static int set_vring_address(struct device *d, struct vhost_message *m)
{
    struct queue *q = stop_queue(d, m->address.index);
    if (!q || m->address.flags != 0) /* the only flag is for migration */
        return -EPROTO;
    q->address = m->address;
    q->has_address = true;
    return 0;
}

static int get_vring_base(struct device *d, struct vhost_message *m)
{
    struct queue *q = stop_queue(d, m->state.index);
    if (!q)
        return -EPROTO;
    q->kick = fd_close(q->kick); /* the front end sends another before the queue starts again */
    q->is_broken = false;
    m->state.number = q->base;
    return 0;
}

/* Makes the descriptors of a message nonblocking: a queue's thread writes to them, and must not be made to
 * wait. It only reads the kick, by a call that never waits. */
static int make_nonblocking(const struct vhost_message *m)
{
    if (m->header.request == VHOST_SET_VRING_KICK || m->n_fds == 0)
        return 0;
    int flags = fcntl(m->fd[0], F_GETFL);
    return flags < 0 || fcntl(m->fd[0], F_SETFL, flags | O_NONBLOCK) < 0 ? -errno : 0;
}

static int set_vring_fd(struct device *d, struct vhost_message *m)
{
    struct queue *q = stop_queue(d, m->number & VHOST_VRING_INDEX);
    bool has_fd = !(m->number & VHOST_VRING_NO_FD);
    if (!q || has_fd != (m->n_fds == 1) || (m->header.request == VHOST_SET_VRING_KICK && !has_fd))
        return -EPROTO;
    int r = make_nonblocking(m);
    if (r < 0)
        return r;
    int *fd = m->header.request == VHOST_SET_VRING_KICK   ? &q->kick
              : m->header.request == VHOST_SET_VRING_CALL ? &q->call
                                                          : &q->error;
    fd_close(*fd);
    *fd = has_fd ? TAKE_FD(m->fd[0]) : -1;
    return 0;
}

static int set_inflight(struct device *d, struct vhost_message *m)
{
    device_stop_queues(d);
    return device_set_inflight(d, m);
}

static int set_backend(struct device *d, struct vhost_message *m)
{
    fd_close(d->backend);
    d->backend = TAKE_FD(m->fd[0]);
    return 0;
}

static int get_features(struct device *d, struct vhost_message *m)
{
    return device_answer_number(m, device_virtio_features(d->disk));
}

static int get_protocol_features(struct device *d, struct vhost_message *m)
{
    (void)d;
    return device_answer_number(m, DEVICE_PROTOCOL_FEATURES);
}

static int get_queues(struct device *d, struct vhost_message *m)
{
    return device_answer_number(m, d->disk->queues);
}

static int do_nothing(struct device *d, struct vhost_message *m)
{
    (void)d, (void)m;
    return 0;
}

static int set_config(struct device *d, struct vhost_message *m)
{
    (void)d, (void)m;
    return -EOPNOTSUPP; /* the guest can change nothing of it */
}

static const struct handler {
    bool asks; /* the handler makes the message its answer */
    int (*handle)(struct device *d, struct vhost_message *m);
} handlers[] = {
    [VHOST_SET_OWNER] = {false, do_nothing},
    [VHOST_RESET_OWNER] = {false, do_nothing},
    [VHOST_SET_FEATURES] = {false, set_features},
    [VHOST_SET_PROTOCOL_FEATURES] = {false, set_protocol_features},
    [VHOST_SET_MEM_TABLE] = {false, set_memory},
    [VHOST_SET_VRING_NUM] = {false, set_vring_state},
    [VHOST_SET_VRING_BASE] = {false, set_vring_state},
    [VHOST_SET_VRING_ENABLE] = {false, set_vring_state},
    [VHOST_SET_VRING_ADDR] = {false, set_vring_address},
    [VHOST_SET_VRING_KICK] = {false, set_vring_fd},
    [VHOST_SET_VRING_CALL] = {false, set_vring_fd},
    [VHOST_SET_VRING_ERR] = {false, set_vring_fd},
    [VHOST_SET_BACKEND_REQ_FD] = {false, set_backend},
    [VHOST_SET_INFLIGHT_FD] = {false, set_inflight},
    [VHOST_SET_CONFIG] = {false, set_config},
    [VHOST_GET_FEATURES] = {true, get_features},
    [VHOST_GET_PROTOCOL_FEATURES] = {true, get_protocol_features},
    [VHOST_GET_QUEUE_NUM] = {true, get_queues},
    [VHOST_GET_VRING_BASE] = {true, get_vring_base},
    [VHOST_GET_CONFIG] = {true, device_get_config},
    [VHOST_GET_INFLIGHT_FD] = {true, device_get_inflight},
};

static const struct handler *find_handler(uint32_t request)
{
    return request < ARRAY_SIZE(handlers) && handlers[request].handle ? &handlers[request] : NULL;
}

bool device_is_asked(const struct vhost_message *m)
{
    const struct handler *h = find_handler(m->header.request);
    return h && h->asks;
}

int device_carry_out(struct device *d, struct vhost_message *m)
{
    const struct handler *h = find_handler(m->header.request);
    return h ? h->handle(d, m) : -EPROTO;
}
