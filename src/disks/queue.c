/* SPDX-License-Identifier: Apache-2.0 */
/* See queue.h. */
#include "disks/queue.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "disks/work.h"

#include <linux/virtio_config.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Requests to take before the guest is told of those that are done. Where the disk works meanwhile it gets
 * the first ones soon; where this thread does the transfers, fewer wake-ups count (BENCHMARKS.md). */
#define BATCH           4
#define BATCH_IMMEDIATE 16

#define STOP_SEC 60 /* limit for the requests under way to end */

/* ----------------------------------------------------------------- requests */

static struct block_limits limits_of(const struct queue *q)
{
    return (struct block_limits){.size_bytes =
                                     atomic_load_explicit(&q->disk->size_bytes, memory_order_relaxed),
                                 .read_only = q->disk->read_only,
                                 .discard = q->disk->discard};
}

static void complete_request(struct queue *q, struct task *t)
{
    inflight_push(&q->inflight, t->chain.head);
    virtqueue_push(&q->ring, t->chain.head, t->written);
    t->next = q->free_tasks;
    q->free_tasks = t;
    q->under_way--;
}

/* Signals an eventfd. Never waits, since device.c makes these descriptors nonblocking. A full counter has
 * told the other side already. */
static void signal_event(int fd)
{
    static const uint64_t one = 1;
    if (fd >= 0 && write(fd, &one, sizeof one) < 0)
        return;
}

static void publish_completed(struct queue *q)
{
    bool tell = virtqueue_publish(&q->ring);
    inflight_published(&q->inflight, q->ring.published);
    if (tell)
        signal_event(q->call);
}

/* Takes the next request; those that were under way when the last worker ended come first. 0: none is
 * waiting. */
static int take_chain(struct queue *q, struct chain *c)
{
    if (q->n_again == 0) {
        int r = virtqueue_pop(&q->ring, c);
        if (r > 0)
            inflight_take(&q->inflight, c->head);
        return r;
    }
    uint16_t head = q->again[0];
    memmove(q->again, q->again + 1, --q->n_again * sizeof q->again[0]);
    int r = virtqueue_chain(&q->ring, head, c);
    return r < 0 ? r : 1;
}

/* Begins the next request. 1: it is begun; 0: none is waiting. -EPROTO: the guest gave one twice, since it
 * has more requests under way than its ring has places. */
static int start_request(struct queue *q)
{
    struct task *t = q->free_tasks;
    if (!t)
        return q->n_again > 0 || virtqueue_has_more(&q->ring) ? -EPROTO : 0;
    int r = take_chain(q, &t->chain);
    if (r <= 0)
        return r;
    const struct block_limits limits = limits_of(q);
    r = block_request_read(&limits, &t->chain, &t->request);
    if (r < 0)
        return r;
    q->free_tasks = t->next;
    q->under_way++;
    work_start(q->work, t);
    return 1;
}

static bool complete_finished(struct queue *q)
{
    bool any = false;
    struct task *t;
    while ((t = work_take_finished(q->work))) {
        complete_request(q, t);
        any = true;
    }
    if (any)
        publish_completed(q);
    return any;
}

/* Begins some requests, and gives back those that are done. Returns 1 if there was something to do. */
static int work_once(struct queue *q, bool takes_requests)
{
    unsigned batch = work_is_immediate(q->work) ? BATCH_IMMEDIATE : BATCH;
    int r = takes_requests ? 1 : 0;
    bool any = false;
    work_retry(q->work); /* first, since a queue that never sleeps must not keep them waiting */
    for (unsigned n = 0; r > 0 && n < batch; n++) {
        r = start_request(q);
        any = any || r > 0;
    }
    work_submit(q->work);
    any = complete_finished(q) || any;
    work_submit(q->work); /* once more: units that were read first are written now */
    return r < 0 ? r : any;
}

/* --------------------------------------------------------------- the thread */

static int serve(struct queue *q)
{
    int r = 0;
    virtqueue_want_no_kicks(&q->ring);
    while (r >= 0 && (q->n_again > 0 || !atomic_load(&q->stop))) {
        r = work_once(q, true);
        if (r == 0)
            r = queue_wait(q, true);
    }
    return r;
}

/* Finishes the requests that were taken from the ring, even after an error. */
static void finish_taken(struct queue *q)
{
    while (q->under_way > 0)
        if (work_once(q, false) == 0 && queue_wait(q, false) < 0)
            clock_sleep_msec(1);
}

static void *thread_main(void *argument)
{
    struct queue *q = argument;
    int r = serve(q);
    if (r < 0) {
        q->is_broken = true;
        log_error("disk %s: queue %u: is closed: %s", q->disk->id, q->index,
                  r == -EPROTO ? "the guest's ring, or a request in it, is malformed" : strerror(-r));
        signal_event(q->error);
    }
    finish_taken(q);
    return NULL;
}

/* ------------------------------------------------------ starting and ending */

void queue_init(struct queue *q, struct disk *d, unsigned index)
{
    memset(q, 0, sizeof *q);
    q->disk = d;
    q->index = index;
    q->kick = q->call = q->error = -1;
}

bool queue_is_ready(const struct queue *q)
{
    return q->has_address && q->has_size && q->is_enabled && q->kick >= 0 && !q->is_broken;
}

static int make_tasks(struct queue *q)
{
    q->tasks = calloc(q->size, sizeof *q->tasks);
    if (!q->tasks)
        return -ENOMEM;
    q->free_tasks = NULL;
    for (unsigned i = q->size; i-- > 0;) {
        q->tasks[i].next = q->free_tasks;
        q->free_tasks = &q->tasks[i];
    }
    return 0;
}

/* Finds where the queue goes on: with the requests that were under way when the last worker ended, if the
 * front end keeps a list of them; then with what is new in the ring. */
static void find_start(struct queue *q)
{
    q->inflight.size = q->size;
    q->n_again = inflight_begin(&q->inflight, q->ring.next_used, q->again);
    q->ring.next_available = q->inflight.area ? (uint16_t)(q->ring.next_used + q->n_again) : q->base;
}

static int map_ring(struct queue *q, const struct memory_table *t, uint64_t features, struct error *e)
{
    q->ring = (struct virtqueue){.size = q->size,
                                 .event_index = features >> VIRTIO_RING_F_EVENT_IDX & 1,
                                 .indirect = features >> VIRTIO_RING_F_INDIRECT_DESC & 1};
    int r = virtqueue_map(&q->ring, t, &q->address);
    if (r < 0)
        return error_set(e, r,
                         "disk %s: queue %u: cannot be started: its rings do not lie in the guest's memory",
                         q->disk->id, q->index);
    find_start(q);
    return 0;
}

int queue_find_base(struct queue *q, const struct memory_table *t, uint64_t features, struct error *e)
{
    int r = map_ring(q, t, features, e);
    if (r == 0)
        q->base = q->ring.next_available;
    return r;
}

int queue_start(struct queue *q, const struct memory_table *t, uint64_t features, struct error *e)
{
    int r = map_ring(q, t, features, e);
    if (r < 0)
        return r;
    q->under_way = 0;
    q->spin_usec = 0;
    atomic_store(&q->stop, false);
    bool flushes = features >> VIRTIO_BLK_F_FLUSH & 1;
    r = make_tasks(q) < 0 ? error_memory(e) : work_new(q->disk, q->index, !flushes, &q->work, e);
    if (r == 0) {
        r = -pthread_create(&q->thread, NULL, thread_main, q);
        if (r < 0)
            error_set(e, r, "disk %s: queue %u: cannot be started: its thread cannot be created: %s",
                      q->disk->id, q->index, strerror(-r));
    }
    q->is_running = r == 0;
    if (r < 0)
        queue_stop(q);
    else
        signal_event(q->call); /* the last interrupt may be lost, with a worker or an earlier descriptor */
    return r;
}

/* Waits for the end of the thread, which a front end can delay by the descriptors that it shares. If that
 * lasts, this worker aborts, and the next one does again what was under way. */
static void join_thread(struct queue *q)
{
    struct timespec end;
    clock_gettime(CLOCK_REALTIME, &end);
    end.tv_sec += STOP_SEC;
    int r = pthread_timedjoin_np(q->thread, NULL, &end);
    if (r == 0)
        return;
    log_error("disk %s: queue %u: its thread does not end: %s; the worker aborts", q->disk->id, q->index,
              strerror(r));
    abort();
}

void queue_stop(struct queue *q)
{
    if (q->is_running) {
        atomic_store(&q->stop, true);
        disk_wake(q->disk, UINT64_C(1) << q->index);
        join_thread(q);
        q->base = q->ring.next_available;
    }
    q->is_running = false;
    q->work = work_free(q->work);
    free(TAKE_PTR(q->tasks));
}

void queue_reset(struct queue *q)
{
    queue_stop(q);
    q->has_address = q->has_size = q->is_enabled = q->is_broken = false;
    q->kick = fd_close(q->kick);
    q->call = fd_close(q->call);
    q->error = fd_close(q->error);
    q->inflight.area = NULL;
    q->base = 0;
}
