/* SPDX-License-Identifier: Apache-2.0 */
/* A disk that is served: what the program was given for it, and what its queues share. */
#pragma once

#include "disks/io.h"
#include "disks/ranges.h"
#include "secret/secret.h"

#include <stdatomic.h>

#define DISKS_MAX       32 /* disks that one program serves */
#define DISK_QUEUES_MAX 16
#define DISK_ID_BYTES   20 /* VIRTIO_BLK_ID_BYTES */
#define DISK_UNIT_MAX   4096
#define DISK_SECTOR_MIN 512

struct disk {
    char id[DISK_ID_BYTES + 1]; /* the serial number that the guest sees; log lines name it, too */
    int fd;                     /* the volume or file, with O_DIRECT if that is wanted */
    int listen_fd;              /* where front ends connect; bound and listening */
    int key_fd;                 /* from secret_handover(); -1: no encryption */
    uint32_t key_bytes;
    uint32_t sector_bytes; /* unit of the cipher */
    uint32_t unit_bytes;   /* unit of transfers: whole sectors, and a multiple that O_DIRECT accepts */
    bool read_only, discard;
    unsigned queues;
    unsigned poll_usec; /* how long a thread spins before it sleeps; 0: it does not spin */

    /* set by the worker */
    struct secret *key; /* NULL: no encryption */
    int mark;           /* see io_new() */
    _Atomic uint64_t size_bytes;
    struct ranges ranges;
    struct io *io[DISK_QUEUES_MAX]; /* one for each queue, made before io_uring_setup(2) is forbidden */
    int wake[DISK_QUEUES_MAX];      /* an eventfd for each queue: a range is free, or the queue is to stop */
};

/* Locks the file (flock): alone, or with other readers if it is read-only. The lock lasts until the last
 * transfer has ended, even after a kill. -EBUSY: another process has it. */
int disk_lock(const struct disk *d, struct error *e) _must_check_;

/* Finds out the unit and the size. -EINVAL: the disk is not a file or block device, or is smaller than a
 * unit. */
int disk_look(struct disk *d, struct error *e) _must_check_;

/* Looks at the size again. True if it has changed. */
bool disk_look_again(struct disk *d);

/* Makes and frees what a worker needs for the disk. */
int disk_begin(struct disk *d, struct error *e) _must_check_;
void disk_end(struct disk *d);

/* Wakes the queues whose bits are set. */
void disk_wake(struct disk *d, uint64_t queues);
