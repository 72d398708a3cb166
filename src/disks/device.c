/* SPDX-License-Identifier: Apache-2.0 */
/* See device.h. Whatever changes something of a queue stops it first: requests that were taken end, and it
 * goes on with what is in the ring. So no thread ever sees half a change.
 */
#include "disks/device.h"

#include "base/fd.h"
#include "base/log.h"
#include "disks/block-request.h"

#include <fcntl.h>
#include <linux/virtio_config.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define FRONT_END_SEC 10 /* for the rest of a message whose beginning has come */

#define BIT(n) (UINT64_C(1) << (n))

static const uint64_t protocol_features = BIT(VHOST_PROTOCOL_MQ) | BIT(VHOST_PROTOCOL_REPLY_ACK) |
                                          BIT(VHOST_PROTOCOL_BACKEND_REQ) | BIT(VHOST_PROTOCOL_CONFIG) |
                                          BIT(VHOST_PROTOCOL_INFLIGHT_SHMFD);

static uint64_t virtio_features(const struct disk *disk)
{
    uint64_t features = BIT(VIRTIO_F_VERSION_1) | BIT(VIRTIO_RING_F_INDIRECT_DESC) |
                        BIT(VIRTIO_RING_F_EVENT_IDX) | BIT(VIRTIO_BLK_F_SEG_MAX) |
                        BIT(VIRTIO_BLK_F_BLK_SIZE) | BIT(VIRTIO_BLK_F_FLUSH) | BIT(VIRTIO_BLK_F_TOPOLOGY) |
                        BIT(VIRTIO_BLK_F_MQ) | BIT(VHOST_USER_F_PROTOCOL_FEATURES);
    if (disk->read_only)
        return features | BIT(VIRTIO_BLK_F_RO);
    return features | BIT(VIRTIO_BLK_F_WRITE_ZEROES) | (disk->discard ? BIT(VIRTIO_BLK_F_DISCARD) : 0);
}

/* Sectors of 512 bytes, since firmware boots from no others; that whole units are faster the topology says.
 */
static void fill_config(const struct disk *disk, struct virtio_blk_config *c)
{
    uint32_t unit_sectors = disk->unit_bytes / BLOCK_SECTOR_BYTES;
    *c = (struct virtio_blk_config){
        .capacity = atomic_load(&disk->size_bytes) / BLOCK_SECTOR_BYTES,
        .seg_max = BLOCK_SEGMENTS_MAX,
        .blk_size = BLOCK_SECTOR_BYTES,
        .physical_block_exp = (uint8_t)__builtin_ctz(unit_sectors),
        .min_io_size = (uint16_t)unit_sectors,
        .num_queues = (uint16_t)disk->queues,
        .max_discard_sectors = BLOCK_DISCARD_MAX / BLOCK_SECTOR_BYTES,
        .max_discard_seg = 1,
        .discard_sector_alignment = unit_sectors,
        .max_write_zeroes_sectors = BLOCK_ZERO_MAX / BLOCK_SECTOR_BYTES,
        .max_write_zeroes_seg = 1,
    };
}

/* ------------------------------------------------------------------- queues */

static void stop_all(struct device *d)
{
    for (unsigned i = 0; i < d->disk->queues; i++)
        queue_stop(&d->queue[i]);
}

static int place_inflight(struct device *d, struct queue *q)
{
    q->inflight.area = NULL;
    if (!d->inflight)
        return 0;
    if (q->index >= d->inflight_form.queues || q->size > d->inflight_form.queue_size)
        return -EPROTO;
    uint8_t *area = d->inflight + q->index * inflight_bytes(d->inflight_form.queue_size);
    q->inflight.area = (struct inflight_area *)(void *)area;
    return 0;
}

/* Starts all queues of which the front end has said all. */
static int start_ready(struct device *d, struct error *e)
{
    int r = 0;
    for (unsigned i = 0; r == 0 && i < d->disk->queues; i++) {
        struct queue *q = &d->queue[i];
        if (q->is_running || !queue_is_ready(q) || d->memory.n == 0)
            continue;
        r = place_inflight(d, q);
        if (r < 0)
            error_set(e, r, "disk %s: queue %u: is not in the file of requests under way", d->disk->id, i);
        else
            r = queue_start(q, &d->memory, d->features, e);
    }
    return r;
}

/* The queue that a message is about, stopped. */
static struct queue *stopped_queue(struct device *d, uint64_t index)
{
    if (index >= d->disk->queues)
        return NULL;
    queue_stop(&d->queue[index]);
    return &d->queue[index];
}

/* -------------------------------------------------------- messages, by kind */

static int reply_number(struct device *d, const struct vhost_message *m, uint64_t number)
{
    struct vhost_message answer = *m;
    answer.number = number;
    return vhost_reply(d->socket, &answer, sizeof answer.number, -1);
}

static int set_features(struct device *d, const struct vhost_message *m)
{
    if (m->number & ~virtio_features(d->disk))
        return -EPROTO;
    stop_all(d);
    d->features = m->number;
    for (unsigned i = 0; !(d->features & BIT(VHOST_USER_F_PROTOCOL_FEATURES)) && i < d->disk->queues; i++)
        d->queue[i].is_enabled = true;
    return 0;
}

static int set_protocol_features(struct device *d, const struct vhost_message *m)
{
    if (m->number & ~protocol_features)
        return -EPROTO;
    d->protocol = m->number;
    return 0;
}

static int set_memory(struct device *d, const struct vhost_message *m)
{
    stop_all(d);
    memory_table_unmap(&d->memory);
    return memory_table_map(&d->memory, &m->memory, m->fd);
}

static int set_vring_state(struct device *d, const struct vhost_message *m)
{
    uint32_t number = m->state.number;
    struct queue *q = stopped_queue(d, m->state.index);
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

static int set_vring_address(struct device *d, const struct vhost_message *m)
{
    struct queue *q = stopped_queue(d, m->address.index);
    if (!q || m->address.flags != 0) /* its one flag is for migration */
        return -EPROTO;
    q->address = m->address;
    q->has_address = true;
    return 0;
}

static int get_vring_base(struct device *d, const struct vhost_message *m)
{
    struct queue *q = stopped_queue(d, m->state.index);
    if (!q)
        return -EPROTO;
    q->kick = fd_close(q->kick); /* it begins again with a new one */
    q->is_broken = false;
    struct vhost_message answer = *m;
    answer.state.number = q->base;
    return vhost_reply(d->socket, &answer, sizeof answer.state, -1);
}

/* What a thread of ours writes to may not keep it. The kick is only read, which never does. */
static int do_not_wait(const struct vhost_message *m)
{
    if (m->header.request == VHOST_SET_VRING_KICK || m->n_fds == 0)
        return 0;
    int flags = fcntl(m->fd[0], F_GETFL);
    return flags < 0 || fcntl(m->fd[0], F_SETFL, flags | O_NONBLOCK) < 0 ? -errno : 0;
}

static int set_vring_fd(struct device *d, struct vhost_message *m)
{
    struct queue *q = stopped_queue(d, m->number & VHOST_VRING_INDEX);
    bool has_fd = !(m->number & VHOST_VRING_NO_FD);
    if (!q || has_fd != (m->n_fds == 1) || (m->header.request == VHOST_SET_VRING_KICK && !has_fd))
        return -EPROTO;
    int r = do_not_wait(m);
    if (r < 0)
        return r;
    int *fd = m->header.request == VHOST_SET_VRING_KICK   ? &q->kick
              : m->header.request == VHOST_SET_VRING_CALL ? &q->call
                                                          : &q->error;
    fd_close(*fd);
    *fd = has_fd ? TAKE_FD(m->fd[0]) : -1;
    return 0;
}

static int get_config(struct device *d, const struct vhost_message *m)
{
    union {
        struct virtio_blk_config config;
        uint8_t bytes[VHOST_CONFIG_MAX];
    } all = {.bytes = {0}};
    fill_config(d->disk, &all.config);
    struct vhost_message answer = *m;
    memcpy(answer.config.data, all.bytes + m->config.offset, m->config.bytes);
    return vhost_reply(d->socket, &answer, m->header.size, -1);
}

/* ---------------------------------------------- requests that are under way */

/* Of a form that we could have made. */
static bool inflight_fits(const struct vhost_inflight *f)
{
    return f->queues > 0 && f->queues <= DISK_QUEUES_MAX && f->queue_size > 0 &&
           f->queue_size <= VIRTQUEUE_SIZE_MAX;
}

static int get_inflight(struct device *d, const struct vhost_message *m)
{
    struct vhost_message answer = *m;
    if (!inflight_fits(&m->inflight))
        return -EPROTO;
    _cleanup_close_ int fd = fd_memfd_empty("mayfly-inflight", 0);
    answer.inflight.map_bytes = m->inflight.queues * inflight_bytes(m->inflight.queue_size);
    answer.inflight.file_offset = 0;
    if (fd < 0)
        return fd;
    if (ftruncate(fd, (off_t)answer.inflight.map_bytes) < 0)
        return -errno;
    return vhost_reply(d->socket, &answer, sizeof answer.inflight, fd);
}

static void forget_inflight(struct device *d)
{
    if (d->inflight)
        munmap(d->inflight, d->inflight_bytes);
    d->inflight = NULL;
}

static int set_inflight(struct device *d, const struct vhost_message *m)
{
    const struct vhost_inflight *f = &m->inflight;
    struct stat st;
    stop_all(d);
    forget_inflight(d);
    if (!inflight_fits(f) || f->file_offset != 0 ||
        f->map_bytes < f->queues * inflight_bytes(f->queue_size) || fstat(m->fd[0], &st) < 0 ||
        st.st_size < 0 || (uint64_t)st.st_size < f->map_bytes)
        return -EPROTO;
    void *map = mmap(NULL, f->map_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, m->fd[0], 0);
    if (map == MAP_FAILED)
        return -errno;
    d->inflight = map;
    d->inflight_bytes = f->map_bytes;
    d->inflight_form = *f;
    return 0;
}

/* -------------------------------------------------------------- dispatching */

static int set_backend(struct device *d, struct vhost_message *m)
{
    fd_close(d->backend);
    d->backend = TAKE_FD(m->fd[0]);
    return 0;
}

/* 0: done; `*ret_answered` if it was a question. */
static int dispatch(struct device *d, struct vhost_message *m, bool *ret_answered)
{
    *ret_answered = false;
    switch (m->header.request) {
    case VHOST_SET_OWNER:
    case VHOST_RESET_OWNER:
        return 0;
    case VHOST_SET_FEATURES:
        return set_features(d, m);
    case VHOST_SET_PROTOCOL_FEATURES:
        return set_protocol_features(d, m);
    case VHOST_SET_MEM_TABLE:
        return set_memory(d, m);
    case VHOST_SET_VRING_NUM:
    case VHOST_SET_VRING_BASE:
    case VHOST_SET_VRING_ENABLE:
        return set_vring_state(d, m);
    case VHOST_SET_VRING_ADDR:
        return set_vring_address(d, m);
    case VHOST_SET_VRING_KICK:
    case VHOST_SET_VRING_CALL:
    case VHOST_SET_VRING_ERR:
        return set_vring_fd(d, m);
    case VHOST_SET_BACKEND_REQ_FD:
        return set_backend(d, m);
    case VHOST_SET_INFLIGHT_FD:
        return set_inflight(d, m);
    case VHOST_SET_CONFIG:
        return -EOPNOTSUPP; /* nothing of it can be changed */
    }
    *ret_answered = true;
    switch (m->header.request) {
    case VHOST_GET_FEATURES:
        return reply_number(d, m, virtio_features(d->disk));
    case VHOST_GET_PROTOCOL_FEATURES:
        return reply_number(d, m, protocol_features);
    case VHOST_GET_QUEUE_NUM:
        return reply_number(d, m, d->disk->queues);
    case VHOST_GET_VRING_BASE:
        return get_vring_base(d, m);
    case VHOST_GET_CONFIG:
        return get_config(d, m);
    case VHOST_GET_INFLIGHT_FD:
        return get_inflight(d, m);
    }
    return -EPROTO;
}

int device_handle(struct device *d, struct vhost_message *m, struct error *e)
{
    bool answered,
        wants_answer = m->header.flags & VHOST_NEED_REPLY && d->protocol & BIT(VHOST_PROTOCOL_REPLY_ACK);
    uint32_t request = m->header.request;
    int r = dispatch(d, m, &answered);
    if (r == 0)
        r = start_ready(d, e);
    if (r < 0)
        error_set(e, r, "disk %s: the front end's message %u is refused: %s", d->disk->id, request,
                  strerror(-r));
    if (!answered && wants_answer)
        return reply_number(d, m, r < 0);
    return r;
}

void device_message(struct device *d)
{
    struct error e = ERROR_NONE;
    _cleanup_message_ struct vhost_message m = {.n_fds = 0};
    int r = vhost_receive(d->socket, &m);
    if (r < 0)
        error_set(&e, r, "disk %s: the front end is disconnected: its message is malformed: %s", d->disk->id,
                  strerror(-r));
    else if (r > 0)
        r = device_handle(d, &m, &e) < 0 ? -1 : 1;
    if (e.errnum < 0)
        log_error("%s", e.text);
    if (r <= 0)
        device_disconnect(d);
}

/* -------------------------------------------------------------- connections */

void device_init(struct device *d, struct disk *disk)
{
    memset(d, 0, sizeof *d);
    d->disk = disk;
    d->socket = d->backend = -1;
    for (unsigned i = 0; i < disk->queues; i++)
        queue_init(&d->queue[i], disk, i);
}

void device_connect(struct device *d, int socket)
{
    const struct timeval limit = {.tv_sec = FRONT_END_SEC};
    setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    d->socket = socket;
}

void device_disconnect(struct device *d)
{
    for (unsigned i = 0; i < d->disk->queues; i++)
        queue_stop(&d->queue[i]); /* all, before the first one's memory goes */
    for (unsigned i = 0; i < d->disk->queues; i++)
        queue_reset(&d->queue[i]);
    memory_table_unmap(&d->memory);
    forget_inflight(d);
    d->backend = fd_close(d->backend);
    d->socket = fd_close(d->socket);
    d->features = d->protocol = 0;
}

void device_tell_size(struct device *d)
{
    const struct vhost_message m = {.header = {VHOST_BACKEND_CONFIG_CHANGE, VHOST_VERSION, 0}};
    if (d->backend >= 0 && vhost_send(d->backend, &m, NULL, 0) < 0)
        log_warning("disk %s: the front end cannot be told of its new size", d->disk->id);
}
