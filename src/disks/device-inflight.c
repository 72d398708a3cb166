/* SPDX-License-Identifier: Apache-2.0 */
/* The file in which requests are noted while they are under way (inflight.h). A worker makes it for the front
 * end, which hands it to the next keeper. The keeper hands it to the next worker. */
#include "disks/device-internal.h"

#include "base/fd.h"

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* True if a file of this form has queues, no more and no larger than ours can be. */
static bool form_is_valid(const struct vhost_inflight *f)
{
    return f->queues > 0 && f->queues <= DISK_QUEUES_MAX && f->queue_size > 0 &&
           f->queue_size <= VIRTQUEUE_SIZE_MAX;
}

int device_get_inflight(struct device *d, struct vhost_message *m)
{
    (void)d;
    if (!form_is_valid(&m->inflight))
        return -EPROTO;
    _cleanup_close_ int fd = fd_memfd_empty("mayfly-inflight", 0);
    m->header.size = sizeof m->inflight;
    m->inflight.map_bytes = m->inflight.queues * inflight_bytes(m->inflight.queue_size);
    m->inflight.file_offset = 0;
    if (fd < 0)
        return fd;
    if (ftruncate(fd, (off_t)m->inflight.map_bytes) < 0)
        return -errno;
    m->fd[0] = TAKE_FD(fd);
    m->n_fds = 1;
    return 0;
}

void device_forget_inflight(struct device *d)
{
    if (d->inflight)
        munmap(d->inflight, d->inflight_bytes);
    d->inflight = NULL;
}

int device_set_inflight(struct device *d, struct vhost_message *m)
{
    const struct vhost_inflight *f = &m->inflight;
    struct stat st;
    device_forget_inflight(d);
    if (!form_is_valid(f) || f->file_offset != 0 ||
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

int device_place_inflight(const struct device *d, struct queue *q, struct error *e)
{
    q->inflight.area = NULL;
    if (!d->inflight)
        return 0;
    if (q->index >= d->inflight_form.queues || q->size > d->inflight_form.queue_size)
        return error_set(
            e, -EPROTO,
            "disk %s: queue %u: cannot be started: the file of requests under way has no room for it",
            d->disk->id, q->index);
    uint8_t *area = d->inflight + q->index * inflight_bytes(d->inflight_form.queue_size);
    q->inflight.area = (struct inflight_area *)(void *)area;
    return 0;
}
