/* SPDX-License-Identifier: Apache-2.0 */
/* What a front end tells the server: features, memory, queues. See front-end.h. */
#include "bench/front-end.h"

#include "base/fd.h"
#include "base/rights.h"

#include <errno.h>
#include <linux/virtio_config.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define BIT(n)    (UINT64_C(1) << (n))
#define IDLE_MSEC 20000

/* ----------------------------------------------------------------- messages */

static int send_message(struct front *f, const struct vhost_message *m, const int *fds, unsigned n_fds)
{
    struct vhost_message sent = *m;
    if (f->options.before_message)
        f->options.before_message(f->options.context);
    sent.header.flags |= VHOST_VERSION;
    return vhost_send(f->socket, &sent, fds, n_fds);
}

/* Receives all of it. A socket with a time limit is interrupted, even where no signal has a handler. */
static bool receive_whole(int socket, struct msghdr *h, size_t bytes)
{
    ssize_t n;
    do
        n = recvmsg(socket, h, MSG_WAITALL | MSG_CMSG_CLOEXEC);
    while (n < 0 && errno == EINTR);
    return n == (ssize_t)bytes;
}

/* Receives the head of an answer, with at most one descriptor. */
static int receive_head(struct front *f, struct vhost_message *m)
{
    union rights_room room = {.bytes = {0}}; /* stays so if nothing comes */
    int fds[RIGHTS_MAX];
    struct iovec part = {&m->header, sizeof m->header};
    struct msghdr h = {.msg_iov = &part, .msg_iovlen = 1};
    rights_expect(&h, &room);
    bool whole = receive_whole(f->socket, &h, sizeof m->header);
    int n = rights_take(&h, fds, 1);
    m->n_fds = n > 0 ? 1 : 0;
    m->fd[0] = n > 0 ? fds[0] : -1;
    return !whole ? -ECONNRESET : n < 0 ? n : 0;
}

int front_receive_answer(struct front *f, struct vhost_message *m)
{
    int r = f->options.await ? f->options.await(f->options.context, f->socket) : 0;
    if (r < 0)
        return r;
    m->n_fds = 0;
    r = receive_head(f, m);
    if (r == 0 && (!(m->header.flags & VHOST_REPLY) || m->header.size > sizeof m->config ||
                   (m->n_fds && m->header.request != VHOST_GET_INFLIGHT_FD)))
        r = -EPROTO;
    struct iovec rest = {&m->number, m->header.size};
    struct msghdr body = {.msg_iov = &rest, .msg_iovlen = 1};
    if (r == 0 && rest.iov_len > 0 && !receive_whole(f->socket, &body, rest.iov_len))
        r = -ECONNRESET;
    if (r < 0)
        vhost_message_end(m);
    return r;
}

static int receive_answer_to(struct front *f, uint32_t request, struct vhost_message *m)
{
    int r = front_receive_answer(f, m);
    return r < 0 ? r : m->header.request == request ? 0 : -EPROTO;
}

int front_ask(struct front *f, struct vhost_message *m)
{
    uint32_t request = m->header.request;
    int r = send_message(f, m, NULL, 0);
    return r < 0 ? r : receive_answer_to(f, request, m);
}

int front_tell(struct front *f, const struct vhost_message *m, const int *fds, unsigned n_fds)
{
    struct vhost_message sent = *m;
    if (!f->is_acknowledged)
        return send_message(f, m, fds, n_fds);
    sent.header.flags |= VHOST_NEED_REPLY;
    int r = send_message(f, &sent, fds, n_fds);
    if (r == 0)
        r = receive_answer_to(f, m->header.request, &sent);
    return r == 0 && sent.number != 0 ? -EPROTO : r;
}

static int tell_number(struct front *f, uint32_t request, uint64_t number)
{
    return front_tell(f, &(struct vhost_message){.header = {request, 0, 8}, .number = number}, NULL, 0);
}

static int tell_state(struct front *f, uint32_t request, unsigned queue, uint32_t number)
{
    const struct vhost_message m = {.header = {request, 0, 8}, .state = {queue, number}};
    return front_tell(f, &m, NULL, 0);
}

static int tell_fd(struct front *f, uint32_t request, unsigned queue, int fd)
{
    return front_tell(f, &(struct vhost_message){.header = {request, 0, 8}, .number = queue}, &fd, 1);
}

static int ask_number(struct front *f, uint32_t request, uint64_t *ret)
{
    struct vhost_message m = {.header = {request, 0, 0}};
    int r = front_ask(f, &m);
    *ret = m.number;
    return r;
}

/* -------------------------------------------------------------- negotiating */

static int negotiate(struct front *f)
{
    uint64_t offered = 0, protocol = 0;
    f->is_acknowledged = false;
    const struct vhost_message owner = {.header = {VHOST_SET_OWNER, 0, 0}};
    int r = front_tell(f, &owner, NULL, 0);
    if (r == 0)
        r = ask_number(f, VHOST_GET_FEATURES, &offered);
    if (r == 0)
        r = ask_number(f, VHOST_GET_PROTOCOL_FEATURES, &protocol);
    protocol &= BIT(VHOST_PROTOCOL_MQ) | BIT(VHOST_PROTOCOL_CONFIG) | BIT(VHOST_PROTOCOL_BACKEND_REQ) |
                BIT(VHOST_PROTOCOL_INFLIGHT_SHMFD) |
                (f->options.acknowledged ? BIT(VHOST_PROTOCOL_REPLY_ACK) : 0);
    if (f->options.no_inflight)
        protocol &= ~BIT(VHOST_PROTOCOL_INFLIGHT_SHMFD);
    if (!(protocol & BIT(VHOST_PROTOCOL_INFLIGHT_SHMFD)))
        f->options.no_inflight = true;
    if (r == 0)
        r = tell_number(f, VHOST_SET_PROTOCOL_FEATURES, protocol);
    f->is_acknowledged = protocol & BIT(VHOST_PROTOCOL_REPLY_ACK);
    uint64_t wanted = BIT(VIRTIO_F_VERSION_1) | BIT(VHOST_USER_F_PROTOCOL_FEATURES) |
                      BIT(VIRTIO_BLK_F_SEG_MAX) | BIT(VIRTIO_BLK_F_BLK_SIZE) | BIT(VIRTIO_BLK_F_MQ) |
                      BIT(VIRTIO_BLK_F_DISCARD) | BIT(VIRTIO_BLK_F_WRITE_ZEROES);
    wanted |= f->options.no_flush ? 0 : BIT(VIRTIO_BLK_F_FLUSH);
    wanted |= f->options.direct ? 0 : BIT(VIRTIO_RING_F_INDIRECT_DESC);
    wanted |= f->options.no_event ? 0 : BIT(VIRTIO_RING_F_EVENT_IDX);
    f->features = offered & wanted;
    return r < 0 ? r : tell_number(f, VHOST_SET_FEATURES, f->features);
}

int front_tell_memory(struct front *f)
{
    unsigned n = f->options.regions ? f->options.regions : 1;
    size_t each = f->options.memory_bytes / n;
    struct vhost_message m = {.header = {VHOST_SET_MEM_TABLE, 0, 0}, .memory = {.n = n}};
    int fds[VHOST_REGIONS_MAX];
    m.header.size = (uint32_t)(VHOST_MEMORY_HEAD + n * sizeof m.memory.region[0]);
    for (unsigned i = 0; i < n; i++) {
        m.memory.region[i] =
            (struct vhost_region){FRONT_GUEST_BASE + i * each, each, FRONT_USER_BASE + i * each, i * each};
        fds[i] = f->memory_fd;
    }
    return front_tell(f, &m, fds, n);
}

static int keep_inflight(struct front *f)
{
    struct vhost_message m = {
        .header = {VHOST_GET_INFLIGHT_FD, 0, sizeof m.inflight},
        .inflight = {.queues = (uint16_t)f->options.queues, .queue_size = (uint16_t)f->options.size}};
    if (f->options.no_inflight)
        return 0;
    if (f->inflight_fd < 0) {
        int r = front_ask(f, &m);
        if (r < 0 || m.n_fds != 1)
            return r < 0 ? r : -EPROTO;
        f->inflight_fd = m.fd[0];
        f->inflight = m.inflight;
    }
    m = (struct vhost_message){.header = {VHOST_SET_INFLIGHT_FD, 0, sizeof m.inflight},
                               .inflight = f->inflight};
    return front_tell(f, &m, &f->inflight_fd, 1);
}

static uint64_t user_address(const struct front *f, const void *p)
{
    return front_address(f, p) - FRONT_GUEST_BASE + FRONT_USER_BASE;
}

int front_enable_queue(struct front *f, unsigned i, uint32_t on)
{
    return tell_state(f, VHOST_SET_VRING_ENABLE, i, on);
}

/* Until the server has given back all that lies in the ring. */
static void await_idle(const struct front_queue *q)
{
    for (int msec = 0; msec < IDLE_MSEC; msec++) {
        if (__atomic_load_n(&q->vring.used->idx, __ATOMIC_ACQUIRE) == q->vring.avail->idx)
            return;
        usleep(1000);
    }
}

/* Starts it with a descriptor that nobody looks at, and gives the guest's when all is done. */
static int enable_before_call(struct front *f, unsigned i)
{
    _cleanup_close_ int masked = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int r = tell_fd(f, VHOST_SET_VRING_CALL, i, masked);
    if (r == 0)
        r = tell_fd(f, VHOST_SET_VRING_KICK, i, f->queue[i].kick);
    if (r == 0)
        r = front_enable_queue(f, i, 1);
    await_idle(&f->queue[i]);
    return r < 0 ? r : tell_fd(f, VHOST_SET_VRING_CALL, i, f->queue[i].call);
}

static int enable(struct front *f, unsigned i)
{
    if (f->options.call_last)
        return enable_before_call(f, i);
    int r = tell_fd(f, VHOST_SET_VRING_CALL, i, f->queue[i].call);
    if (r == 0)
        r = tell_fd(f, VHOST_SET_VRING_KICK, i, f->queue[i].kick);
    return r < 0 ? r : front_enable_queue(f, i, 1);
}

int front_start_queue(struct front *f, unsigned i)
{
    struct front_queue *q = &f->queue[i];
    const struct vhost_message address = {.header = {VHOST_SET_VRING_ADDR, 0, sizeof address.address},
                                          .address = {.index = i,
                                                      .descriptors = user_address(f, q->vring.desc),
                                                      .available = user_address(f, q->vring.avail),
                                                      .used = user_address(f, q->vring.used)}};
    int r = tell_state(f, VHOST_SET_VRING_NUM, i, f->options.size);
    if (r == 0)
        r = tell_state(f, VHOST_SET_VRING_BASE, i, q->vring.used->idx);
    if (r == 0)
        r = front_tell(f, &address, NULL, 0);
    return r < 0 ? r : enable(f, i);
}

int front_stop_queue(struct front *f, unsigned i)
{
    struct vhost_message m = {.header = {VHOST_GET_VRING_BASE, 0, sizeof m.state}, .state = {.index = i}};
    return front_ask(f, &m);
}

int front_start(struct front *f)
{
    int r = negotiate(f);
    if (r == 0)
        r = front_tell_memory(f);
    if (r == 0)
        r = keep_inflight(f);
    for (unsigned i = 0; r == 0 && i < f->options.queues; i++)
        r = front_start_queue(f, i);
    return r;
}
