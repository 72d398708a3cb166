/* SPDX-License-Identifier: Apache-2.0 */
/* One virtqueue of a disk, and the thread that serves it while it runs: takes requests from the ring, has
 * them done (work.h), gives them back, and looks a while for more before it sleeps.
 */
#pragma once

#include "disks/disk.h"
#include "disks/inflight.h"

struct queue {
    struct disk *disk;
    unsigned index;

    /* set by the device while the thread does not run */
    bool has_address, has_size, is_enabled;
    unsigned size;
    struct vhost_vring_address address;
    uint16_t base; /* the number of the next request, when it begins; after the end where it came to */
    int kick, call, error; /* the front end's eventfds, owned; -1: none */
    struct inflight inflight;

    /* the thread's */
    bool is_running;
    bool is_broken; /* the guest's ring: it is started no more until it begins anew */
    struct virtqueue ring;
    struct work *work;
    struct task *tasks, *free_tasks;
    unsigned under_way;
    unsigned spin_usec;
    uint16_t again[VIRTQUEUE_SIZE_MAX]; /* under way before the last end of this program */
    unsigned n_again;
    pthread_t thread;
    atomic_bool stop;
};

void queue_init(struct queue *q, struct disk *d, unsigned index);

/* Has the front end said all that it takes? */
bool queue_is_ready(const struct queue *q);

/* Starts the thread. `features` are virtio's. -EPROTO: the rings are not where they should be. */
int queue_start(struct queue *q, const struct memory_table *t, uint64_t features,
                struct error *e) _must_check_;

/* Lets all requests that were taken end, and the thread. */
void queue_stop(struct queue *q);

/* Stops it and forgets what the front end has said. */
void queue_reset(struct queue *q);
