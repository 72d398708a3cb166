/* SPDX-License-Identifier: Apache-2.0 */
/* See disk.h. */
#include "disks/disk.h"

#include "base/fd.h"

#include <linux/fs.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

static int read_size(const struct disk *d, uint64_t *ret)
{
    struct stat st;
    uint64_t bytes = 0;
    if (fstat(d->fd, &st) < 0)
        return -errno;
    if (S_ISREG(st.st_mode))
        bytes = (uint64_t)st.st_size;
    else if (!S_ISBLK(st.st_mode))
        return -EINVAL;
    else if (ioctl(d->fd, BLKGETSIZE64, &bytes) < 0)
        return -errno;
    *ret = bytes / d->unit_bytes * d->unit_bytes;
    return 0;
}

/* Finds the unit. For a file it is 4 KiB, since its file system and the disk below may want that much. */
static uint32_t find_unit(const struct disk *d)
{
    struct stat st;
    int sector = DISK_UNIT_MAX;
    if (fstat(d->fd, &st) == 0 && S_ISBLK(st.st_mode) && ioctl(d->fd, BLKSSZGET, &sector) < 0)
        sector = DISK_UNIT_MAX;
    return (uint32_t)sector > d->sector_bytes ? (uint32_t)sector : d->sector_bytes;
}

int disk_lock(const struct disk *d, struct error *e)
{
    if (flock(d->fd, (d->read_only ? LOCK_SH : LOCK_EX) | LOCK_NB) == 0)
        return 0;
    if (errno != EWOULDBLOCK)
        return error_set(e, errno, "disk %s: cannot be locked: %m", d->id);
    return error_set(e, -EBUSY,
                     "disk %s: is in use by another process, or has writes of an earlier one under way; try "
                     "again later",
                     d->id);
}

int disk_look(struct disk *d, struct error *e)
{
    uint64_t bytes = 0;
    d->unit_bytes = find_unit(d);
    int r = d->unit_bytes > DISK_UNIT_MAX ? -EINVAL : read_size(d, &bytes);
    if (r == 0 && bytes == 0)
        r = -EINVAL;
    if (r < 0)
        return error_set(
            e, r,
            "disk %s: cannot be served: it is not a file or block device with sectors of at most 4 KiB, or "
            "has less than one: %s",
            d->id, strerror(-r));
    atomic_store(&d->size_bytes, bytes);
    return 0;
}

bool disk_look_again(struct disk *d)
{
    uint64_t bytes;
    return read_size(d, &bytes) == 0 && atomic_exchange(&d->size_bytes, bytes) != bytes;
}

int disk_begin(struct disk *d, struct error *e)
{
    ranges_init(&d->ranges);
    disk_look_again(d); /* it may have grown under an earlier worker */
    for (unsigned i = 0; i < d->queues; i++)
        d->wake[i] = -1;
    int r = d->key_fd < 0 ? 0 : secret_receive(d->key_fd, d->key_bytes, &d->key, e);
    for (unsigned i = 0; r == 0 && i < d->queues; i++) {
        d->wake[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        r = d->wake[i] < 0 ? error_set(e, errno, "disk %s: cannot be served: %m", d->id)
                           : io_new(d->fd, d->mark, &d->io[i], e);
    }
    return r;
}

void disk_end(struct disk *d)
{
    for (unsigned i = 0; i < d->queues; i++) {
        d->wake[i] = fd_close(d->wake[i]);
        d->io[i] = io_free(d->io[i]);
    }
    d->key = secret_free(d->key);
    ranges_destroy(&d->ranges);
}

void disk_wake(struct disk *d, uint64_t queues)
{
    static const uint64_t one = 1;
    for (unsigned i = 0; queues && i < d->queues; i++, queues >>= 1)
        if (queues & 1 && write(d->wake[i], &one, sizeof one) < 0)
            continue; /* a full counter has woken the queue already */
}
