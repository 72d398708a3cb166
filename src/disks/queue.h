/* SPDX-License-Identifier: Apache-2.0 */
/* One virtqueue of a disk, and the thread that serves it: takes requests from the ring, has them done
 * (work.h), gives them back, and waits for more.
 */
#pragma once

#include "disks/disk.h"
#include "disks/inflight.h"

struct queue {
    struct disk *disk;
    unsigned index;

    /* set by device.c while the thread does not run */
    bool has_address, has_size, is_enabled;
    unsigned size;
    struct vhost_vring_address address;
    uint16_t base; /* the index in the available ring at which the thread begins; after its end, at which it
                      stopped */
    int kick, call, error; /* the front end's eventfds, owned; -1: none */
    struct inflight inflight;

    /* used by the thread */
    bool is_running;
    bool is_broken; /* the ring is malformed: no thread starts until the guest sets it up anew */
    struct virtqueue ring;
    struct work *work;
    struct task *tasks, *free_tasks;
    unsigned under_way;
    unsigned spin_usec;
    uint16_t again[VIRTQUEUE_SIZE_MAX]; /* heads of requests that the last worker had under way at its end */
    unsigned n_again;
    pthread_t thread;
    atomic_bool stop;
};

void queue_init(struct queue *q, struct disk *d, unsigned index);

/* True if the front end has sent all that the thread needs. */
bool queue_is_ready(const struct queue *q);

/* Finds where a queue of an earlier worker goes on, whether it is started or only asked for that. It has a
 * list of requests under way. -EPROTO: the rings are not in the guest's memory. */
int queue_find_base(struct queue *q, const struct memory_table *t, uint64_t features,
                    struct error *e) _must_check_;

/* Starts the thread. `features` are virtio features. -EPROTO: the rings are not in the guest's memory. */
int queue_start(struct queue *q, const struct memory_table *t, uint64_t features,
                struct error *e) _must_check_;

/* Waits until the requests that were taken have ended, then ends the thread. */
void queue_stop(struct queue *q);

/* Stops the queue, and forgets what the front end has sent. */
void queue_reset(struct queue *q);

/* queue-wait.c: waits until the thread has something to do. A new request counts only with `takes_requests`.
 */
int queue_wait(struct queue *q, bool takes_requests) _must_check_;
