/* SPDX-License-Identifier: Apache-2.0 */
/* The guest's memory, its rings and its requests. See front-end.h. */
#include "bench/front-end.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#define TIMEOUT_MSEC 20000

/* --------------------------------------------------------------- its memory */

uint8_t *front_room(struct front *f, size_t bytes, size_t alignment)
{
    size_t at = (f->used + alignment - 1) / alignment * alignment;
    if (at + bytes > f->options.memory_bytes)
        return NULL;
    f->used = at + bytes;
    return f->memory + at;
}

/* Each request of direct descriptors has four: header, two parts at most, status. */
static int make_queue(struct front *f, struct front_queue *q)
{
    unsigned size = f->options.size;
    uint8_t *ring = front_room(f, vring_size(size, 4096), 4096);
    q->slots = f->options.direct ? size / 4 : size;
    q->header = (void *)front_room(f, size * sizeof *q->header, 16);
    q->status = front_room(f, size, 1);
    q->tables = (void *)front_room(f, size * FRONT_PARTS_MAX * sizeof *q->tables, 16);
    q->kick = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    q->call = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (!ring || !q->header || !q->status || !q->tables)
        return -ENOMEM;
    vring_init(&q->vring, size, ring, 4096);
    return q->kick < 0 || q->call < 0 ? -EMFILE : 0;
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

/* Takes the queues for the guest's memory, whose file stays as large as it is. */
static int make_memory(struct front *f)
{
    f->memory_fd = fd_memfd_empty("guest", MFD_ALLOW_SEALING);
    if (f->memory_fd < 0 || ftruncate(f->memory_fd, (off_t)f->options.memory_bytes) < 0 ||
        fcntl(f->memory_fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_SEAL) < 0)
        return -ENOMEM;
    void *memory = mmap(NULL, f->options.memory_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, f->memory_fd, 0);
    if (memory == MAP_FAILED)
        return -ENOMEM;
    f->memory = memory;
    int r = 0;
    for (unsigned i = 0; r == 0 && i < f->options.queues; i++)
        r = make_queue(f, &f->queue[i]);
    return r;
}

int front_open(struct front *f, int socket, const struct front_options *o)
{
    memset(f, 0, sizeof *f);
    f->socket = socket;
    f->options = *o;
    f->inflight_fd = f->backend = f->memory_fd = -1;
    for (unsigned i = 0; i < FRONT_QUEUES_MAX; i++)
        f->queue[i].kick = f->queue[i].call = -1;
    int r = make_memory(f);
    return r < 0 ? r : front_start(f);
}

int front_reconnect(struct front *f, int socket)
{
    front_disconnect(f);
    f->socket = socket;
    return front_start(f);
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
        return; /* a full counter has woken the server already */
}

int front_take(struct front *f, unsigned queue)
{
    struct front_queue *q = &f->queue[queue];
    if (__atomic_load_n(&q->vring.used->idx, __ATOMIC_ACQUIRE) == q->next_used)
        return -EAGAIN;
    uint32_t head = q->vring.used->ring[q->next_used++ % f->options.size].id;
    return head < f->options.size ? (int)(f->options.direct ? head / 4 : head) : -EPROTO;
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
    uint64_t end_msec = 0; /* for a server that interrupts again and again, and answers nothing */
    for (;;) {
        int slot = front_take(f, queue);
        if (slot != -EAGAIN)
            return slot;
        __atomic_store_n(&vring_used_event(&q->vring), q->next_used, __ATOMIC_RELAXED);
        atomic_thread_fence(memory_order_seq_cst);
        slot = front_take(f, queue);
        if (slot != -EAGAIN)
            return slot;
        uint64_t now_msec = clock_msec();
        end_msec = end_msec ? end_msec : now_msec + (unsigned)timeout_msec;
        int r = now_msec <= end_msec ? front_await_interrupt(f, queue, timeout_msec) : -ETIMEDOUT;
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
