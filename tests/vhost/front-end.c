/* SPDX-License-Identifier: Apache-2.0 */
/* See front-end.h. */
#include "front-end.h"

#include "base/fd.h"
#include "base/str.h"

#include <errno.h>
#include <linux/virtio_config.h>
#include <poll.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#define BIT(n)       (UINT64_C(1) << (n))
#define TIMEOUT_MSEC 20000

/* ----------------------------------------------------------------- messages */

static int send_message(struct front *f, const struct vhost_message *m, const int *fds, unsigned n_fds)
{
    struct vhost_message sent = *m;
    if (f->options.before_message)
        f->options.before_message(f->options.context);
    sent.header.flags |= VHOST_VERSION;
    return vhost_send(f->socket, &sent, fds, n_fds);
}

int front_receive_answer(struct front *f, struct vhost_message *m)
{
    char room[CMSG_SPACE(sizeof(int))];
    struct iovec part = {&m->header, sizeof m->header};
    struct msghdr h = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof room};
    m->n_fds = 0;
    if (recvmsg(f->socket, &h, MSG_WAITALL | MSG_CMSG_CLOEXEC) != sizeof m->header)
        return -ECONNRESET;
    struct cmsghdr *c = CMSG_FIRSTHDR(&h);
    if (c) {
        memcpy(m->fd, CMSG_DATA(c), sizeof(int));
        m->n_fds = 1;
    }
    if (!(m->header.flags & VHOST_REPLY) || m->header.size > sizeof m->config)
        return -EPROTO;
    return recv(f->socket, &m->number, m->header.size, MSG_WAITALL) == (ssize_t)m->header.size ? 0
                                                                                               : -ECONNRESET;
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

/* ------------------------------------------------------------ * negotiating */

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
    for (int msec = 0; msec < TIMEOUT_MSEC; msec++) {
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

static int start_all(struct front *f)
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

/* --------------------------------------------------------------- its memory */

uint8_t *front_room(struct front *f, size_t bytes, size_t alignment)
{
    size_t at = (f->used + alignment - 1) / alignment * alignment;
    if (at + bytes > f->options.memory_bytes)
        abort();
    f->used = at + bytes;
    return f->memory + at;
}

uint64_t front_address(const struct front *f, const void *p)
{
    return FRONT_GUEST_BASE + (uint64_t)((const uint8_t *)p - f->memory);
}

/* Each request of direct descriptors has four: header, two parts at most, status. */
static void make_queue(struct front *f, struct front_queue *q)
{
    unsigned size = f->options.size;
    vring_init(&q->vring, size, front_room(f, vring_size(size, 4096), 4096), 4096);
    q->slots = f->options.direct ? size / 4 : size;
    q->header = (void *)front_room(f, size * sizeof *q->header, 16);
    q->status = front_room(f, size, 1);
    q->tables = (void *)front_room(f, size * FRONT_PARTS_MAX * sizeof *q->tables, 16);
    q->kick = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    q->call = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
}

int front_connect(const char *path, unsigned limit_sec)
{
    const struct timeval limit = {.tv_sec = limit_sec};
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    int r = str_copy(a.sun_path, sizeof a.sun_path, path);
    if (r < 0)
        return r;
    _cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) < 0 ||
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit) < 0) /* connect() waits so long, too */
        return -errno;
    return connect(fd, (struct sockaddr *)&a, sizeof a) < 0 ? -errno : TAKE_FD(fd);
}

int front_open(struct front *f, int socket, const struct front_options *o)
{
    memset(f, 0, sizeof *f);
    f->socket = socket;
    f->options = *o;
    f->inflight_fd = f->backend = -1;
    f->memory_fd = fd_memfd_empty("guest", 0);
    if (f->memory_fd < 0 || ftruncate(f->memory_fd, (off_t)o->memory_bytes) < 0)
        return -ENOMEM;
    void *memory = mmap(NULL, o->memory_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, f->memory_fd, 0);
    if (memory == MAP_FAILED)
        return -ENOMEM;
    f->memory = memory;
    for (unsigned i = 0; i < o->queues; i++)
        make_queue(f, &f->queue[i]);
    return start_all(f);
}

int front_reconnect(struct front *f, int socket)
{
    front_disconnect(f);
    f->socket = socket;
    return start_all(f);
}

void front_disconnect(struct front *f)
{
    f->socket = fd_close(f->socket);
}

void front_close(struct front *f)
{
    front_disconnect(f);
    for (unsigned i = 0; i < f->options.queues; i++) {
        fd_close(f->queue[i].kick);
        fd_close(f->queue[i].call);
    }
    fd_close(f->inflight_fd);
    fd_close(f->memory_fd);
    if (f->memory)
        munmap(f->memory, f->options.memory_bytes);
    f->memory = NULL;
}

/* ----------------------------------------------------------------- requests */

/* Fills `table` with header, parts and status; the number of descriptors. */
static unsigned fill(struct front *f, struct front_queue *q, unsigned slot, struct vring_desc *table,
                     const struct iovec *parts, unsigned n, bool is_in)
{
    unsigned k = 0;
    table[k++] = (struct vring_desc){.addr = front_address(f, &q->header[slot]), .len = sizeof q->header[0]};
    for (unsigned i = 0; i < n; i++)
        table[k++] = (struct vring_desc){.addr = front_address(f, parts[i].iov_base),
                                         .len = (uint32_t)parts[i].iov_len,
                                         .flags = is_in ? VRING_DESC_F_WRITE : 0};
    table[k++] = (struct vring_desc){
        .addr = front_address(f, &q->status[slot]), .len = 1, .flags = VRING_DESC_F_WRITE};
    return k;
}

static void chain_up(struct vring_desc *table, unsigned n, unsigned first)
{
    for (unsigned i = 0; i + 1 < n; i++) {
        table[i].flags |= VRING_DESC_F_NEXT;
        table[i].next = (uint16_t)(first + i + 1);
    }
}

void front_put(struct front *f, unsigned queue, unsigned slot, uint32_t type, uint64_t sector,
               const struct iovec *parts, unsigned n)
{
    struct front_queue *q = &f->queue[queue];
    bool is_in = type == VIRTIO_BLK_T_IN || type == VIRTIO_BLK_T_GET_ID;
    unsigned head = f->options.direct ? slot * 4 : slot;
    q->header[slot] = (struct virtio_blk_outhdr){.type = type, .sector = sector};
    q->status[slot] = 0xff;
    if (f->options.direct) {
        chain_up(&q->vring.desc[head], fill(f, q, slot, &q->vring.desc[head], parts, n, is_in), head);
    } else {
        struct vring_desc *table = &q->tables[slot * FRONT_PARTS_MAX];
        unsigned k = fill(f, q, slot, table, parts, n, is_in);
        chain_up(table, k, 0);
        q->vring.desc[head] = (struct vring_desc){.addr = front_address(f, table),
                                                  .len = (uint32_t)(k * sizeof *table),
                                                  .flags = VRING_DESC_F_INDIRECT};
    }
    q->vring.avail->ring[q->next_available++ % f->options.size] = (uint16_t)head;
}

void front_kick(struct front *f, unsigned queue)
{
    static const uint64_t one = 1;
    struct front_queue *q = &f->queue[queue];
    uint16_t before = q->vring.avail->idx;
    __atomic_store_n(&q->vring.avail->idx, q->next_available, __ATOMIC_RELEASE);
    atomic_thread_fence(memory_order_seq_cst);
    bool wants = f->options.no_event
                     ? !(__atomic_load_n(&q->vring.used->flags, __ATOMIC_RELAXED) & VRING_USED_F_NO_NOTIFY)
                     : vring_need_event(__atomic_load_n(&vring_avail_event(&q->vring), __ATOMIC_RELAXED),
                                        q->next_available, before);
    if (wants && write(q->kick, &one, sizeof one) < 0)
        abort();
}

int front_take(struct front *f, unsigned queue)
{
    struct front_queue *q = &f->queue[queue];
    if (__atomic_load_n(&q->vring.used->idx, __ATOMIC_ACQUIRE) == q->next_used)
        return -EAGAIN;
    uint32_t head = q->vring.used->ring[q->next_used++ % f->options.size].id;
    return (int)(f->options.direct ? head / 4 : head);
}

int front_await_interrupt(struct front *f, unsigned queue, int timeout_msec)
{
    const struct front_queue *q = &f->queue[queue];
    struct pollfd p = {.fd = q->call, .events = POLLIN};
    uint64_t counter;
    if (poll(&p, 1, timeout_msec) == 0)
        return -ETIMEDOUT;
    return read(q->call, &counter, sizeof counter) < 0 && errno != EAGAIN ? -errno : 0;
}

int front_wait(struct front *f, unsigned queue, int timeout_msec)
{
    struct front_queue *q = &f->queue[queue];
    for (;;) {
        int slot = front_take(f, queue);
        if (slot >= 0)
            return slot;
        __atomic_store_n(&vring_used_event(&q->vring), q->next_used, __ATOMIC_RELAXED);
        atomic_thread_fence(memory_order_seq_cst);
        slot = front_take(f, queue);
        if (slot >= 0)
            return slot;
        int r = front_await_interrupt(f, queue, timeout_msec);
        if (r < 0)
            return r;
    }
}

uint8_t front_status(const struct front *f, unsigned queue, unsigned slot)
{
    return f->queue[queue].status[slot];
}

int front_do(struct front *f, unsigned queue, uint32_t type, uint64_t sector, uint8_t *data, size_t bytes)
{
    const struct iovec part = {data, bytes};
    front_put(f, queue, 0, type, sector, &part, bytes > 0);
    front_kick(f, queue);
    int slot = front_wait(f, queue, TIMEOUT_MSEC);
    return slot < 0 ? slot : front_status(f, queue, (unsigned)slot);
}
