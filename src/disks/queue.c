/* SPDX-License-Identifier: Apache-2.0 */
/* See queue.h. How long a thread looks for requests before it sleeps follows what it finds, as halt polling
 * does in KVM: twice as long after a sleep that was short, half as long after one that was not. So a guest
 * that is idle costs nothing.
 */
#include "disks/queue.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "disks/work.h"

#include <linux/virtio_config.h>
#include <poll.h>
#include <string.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define SPIN_FIRST_USEC 8
#define BATCH           16 /* requests, before the guest sees those that are done */
#define STOP_SEC        60 /* for all that is under way to end */

static uint64_t now_usec(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static void relax(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/* ----------------------------------------------------------------- requests */

static struct block_limits limits_of(const struct queue *q)
{
    return (struct block_limits){.size_bytes =
                                     atomic_load_explicit(&q->disk->size_bytes, memory_order_relaxed),
                                 .read_only = q->disk->read_only,
                                 .discard = q->disk->discard};
}

static void give_back(struct queue *q, struct task *t)
{
    inflight_push(&q->inflight, t->chain.head);
    virtqueue_push(&q->ring, t->chain.head, t->written);
    t->next = q->free_tasks;
    q->free_tasks = t;
    q->under_way--;
}

/* It does not wait (device.c has seen to that): if an eventfd's counter is full, the other side was told. */
static void signal_event(int fd)
{
    static const uint64_t one = 1;
    if (fd >= 0 && write(fd, &one, sizeof one) < 0)
        return;
}

static void publish(struct queue *q)
{
    bool tell = virtqueue_publish(&q->ring);
    inflight_published(&q->inflight, q->ring.published);
    if (tell)
        signal_event(q->call);
}

/* Takes the next request: one of before the last end first. 0: there is none. */
static int take(struct queue *q, struct chain *c)
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

/* More requests than the ring has places are a lie of the guest's: it gave one twice. */
static int start_one(struct queue *q)
{
    struct task *t = q->free_tasks;
    if (!t)
        return q->n_again > 0 || virtqueue_has_more(&q->ring) ? -EPROTO : 0;
    int r = take(q, &t->chain);
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

static bool finish_some(struct queue *q)
{
    bool any = false;
    struct task *t;
    while ((t = work_take_finished(q->work))) {
        give_back(q, t);
        any = true;
    }
    if (any)
        publish(q);
    return any;
}

/* A round: some requests begun, what is done given back. 1: there was something to do. */
static int one_round(struct queue *q, bool begin)
{
    int r = begin ? 1 : 0;
    bool any = false;
    work_retry(q->work); /* first: a queue that never sleeps must not keep them waiting */
    for (unsigned n = 0; r > 0 && n < BATCH; n++) {
        r = start_one(q);
        any = any || r > 0;
    }
    work_submit(q->work);
    any = finish_some(q) || any;
    work_submit(q->work); /* units that were read and are written now */
    return r < 0 ? r : any;
}

/* ------------------------------------------------------------------ waiting */

static bool has_something(const struct queue *q)
{
    return virtqueue_has_more(&q->ring) || work_has_done(q->work) ||
           atomic_load_explicit(&q->stop, memory_order_relaxed);
}

static bool spin(const struct queue *q)
{
    if (q->spin_usec == 0)
        return false;
    uint64_t end = now_usec() + q->spin_usec;
    do {
        for (int i = 0; i < 32; i++) {
            if (has_something(q))
                return true;
            relax();
        }
    } while (now_usec() < end);
    return false;
}

static void adapt(struct queue *q, uint64_t slept_usec)
{
    unsigned most = q->disk->poll_usec, wanted = q->spin_usec ? q->spin_usec * 2 : SPIN_FIRST_USEC;
    if (slept_usec > most)
        q->spin_usec /= 2;
    else
        q->spin_usec = wanted < most ? wanted : most;
    if (q->spin_usec < SPIN_FIRST_USEC / 2)
        q->spin_usec = 0;
}

/* Empties an eventfd of the front end's. It may be another kind of file, which must not keep us. */
static int read_event(int fd)
{
    uint64_t counter;
    const struct iovec part = {&counter, sizeof counter};
    ssize_t n = preadv2(fd, &part, 1, -1, RWF_NOWAIT);
    return n == sizeof counter || (n < 0 && (errno == EAGAIN || errno == EINTR)) ? 0 : -EPROTO;
}

static int sleep_for_events(struct queue *q, bool begin)
{
    struct pollfd p[] = {{.fd = q->disk->wake[q->index], .events = POLLIN},
                         {.fd = q->under_way > 0 ? work_poll_fd(q->work) : -1, .events = POLLIN},
                         {.fd = begin ? q->kick : -1, .events = POLLIN}};
    if (poll(p, ARRAY_SIZE(p), -1) < 0)
        return errno == EINTR ? 0 : -errno;
    int r = p[2].revents ? read_event(q->kick) : 0;
    if (p[0].revents && r == 0) {
        r = read_event(p[0].fd);
        work_retry(q->work);
    }
    return r;
}

/* Until there is something to do. */
static int wait_for_more(struct queue *q, bool begin)
{
    if (begin && spin(q))
        return 0;
    if (begin && virtqueue_want_kicks(&q->ring)) {
        virtqueue_want_no_kicks(&q->ring);
        return 0;
    }
    uint64_t before = now_usec();
    int r = work_has_done(q->work) ? 0 : sleep_for_events(q, begin);
    adapt(q, now_usec() - before);
    virtqueue_want_no_kicks(&q->ring);
    return r;
}

/* --------------------------------------------------------------- the thread */

static int serve(struct queue *q)
{
    int r = 0;
    virtqueue_want_no_kicks(&q->ring);
    while (r >= 0 && (q->n_again > 0 || !atomic_load(&q->stop))) {
        r = one_round(q, true);
        if (r == 0)
            r = wait_for_more(q, true);
    }
    return r;
}

/* What was taken is done and given back, whatever came of the ring, and of waiting. */
static void end_all(struct queue *q)
{
    while (q->under_way > 0)
        if (one_round(q, false) == 0 && wait_for_more(q, false) < 0)
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
    end_all(q);
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

/* Where it goes on: with what was under way before an end of ours, if the front end has kept that; then with
 * what is new in the ring. */
static void find_beginning(struct queue *q)
{
    q->inflight.size = q->size;
    q->n_again = inflight_begin(&q->inflight, q->ring.next_used, q->again);
    q->ring.next_available = q->inflight.area ? (uint16_t)(q->ring.next_used + q->n_again) : q->base;
}

int queue_start(struct queue *q, const struct memory_table *t, uint64_t features, struct error *e)
{
    q->ring = (struct virtqueue){.size = q->size,
                                 .event_index = features >> VIRTIO_RING_F_EVENT_IDX & 1,
                                 .indirect = features >> VIRTIO_RING_F_INDIRECT_DESC & 1};
    int r = virtqueue_map(&q->ring, t, &q->address);
    if (r < 0)
        return error_set(e, r,
                         "disk %s: queue %u: cannot be started: its rings do not lie in the guest's memory",
                         q->disk->id, q->index);
    find_beginning(q);
    q->under_way = 0;
    q->spin_usec = 0;
    atomic_store(&q->stop, false);
    bool flushes = features >> VIRTIO_BLK_F_FLUSH & 1;
    r = make_tasks(q) < 0 ? error_memory(e) : work_new(q->disk, q->index, !flushes, &q->work, e);
    if (r == 0) {
        r = -pthread_create(&q->thread, NULL, thread_main, q);
        if (r < 0)
            error_set(e, r, "disk %s: queue %u: no thread for it: %s", q->disk->id, q->index, strerror(-r));
    }
    q->is_running = r == 0;
    if (r < 0)
        queue_stop(q);
    else
        signal_event(q->call); /* the last interrupt may have gone elsewhere, or died with a worker */
    return r;
}

/* A front end can still have the thread wait, by descriptors that it shares. That must not last: the worker
 * ends, and the next one does again what was under way. */
static void join(struct queue *q)
{
    struct timespec end;
    clock_gettime(CLOCK_REALTIME, &end);
    end.tv_sec += STOP_SEC;
    int r = pthread_timedjoin_np(q->thread, NULL, &end);
    if (r == 0)
        return;
    log_error("disk %s: queue %u: does not end: %s; the worker ends itself", q->disk->id, q->index,
              strerror(r));
    abort();
}

void queue_stop(struct queue *q)
{
    if (q->is_running) {
        atomic_store(&q->stop, true);
        disk_wake(q->disk, UINT64_C(1) << q->index);
        join(q);
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
