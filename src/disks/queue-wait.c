/* SPDX-License-Identifier: Apache-2.0 */
/* How a queue's thread waits. It spins for a while, then sleeps. How long it spins follows what it finds, as
 * halt polling of KVM does: twice as long after a short sleep, half as long after a long one. So an idle
 * guest costs nothing.
 */
#include "disks/queue.h"

#include "disks/work.h"

#include <errno.h>
#include <poll.h>
#include <sys/uio.h>
#include <time.h>

#define SPIN_FIRST_USEC 8

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

static bool has_work(const struct queue *q)
{
    return virtqueue_has_more(&q->ring) || work_has_done(q->work) ||
           atomic_load_explicit(&q->stop, memory_order_relaxed);
}

/* Spins until there is something to do. False if nothing came in time. */
static bool spin(const struct queue *q)
{
    if (q->spin_usec == 0)
        return false;
    uint64_t end = now_usec() + q->spin_usec;
    do {
        for (int i = 0; i < 32; i++) {
            if (has_work(q))
                return true;
            relax();
        }
    } while (now_usec() < end);
    return false;
}

static void adapt_spinning(struct queue *q, uint64_t slept_usec)
{
    unsigned most = q->disk->poll_usec, wanted = q->spin_usec ? q->spin_usec * 2 : SPIN_FIRST_USEC;
    if (slept_usec > most)
        q->spin_usec /= 2;
    else
        q->spin_usec = wanted < most ? wanted : most;
    if (q->spin_usec < SPIN_FIRST_USEC / 2)
        q->spin_usec = 0;
}

/* Empties an eventfd. The front end may have sent another kind of file: reading that must not wait. */
static int read_event(int fd)
{
    uint64_t counter;
    const struct iovec part = {&counter, sizeof counter};
    ssize_t n = preadv2(fd, &part, 1, -1, RWF_NOWAIT);
    return n == sizeof counter || (n < 0 && (errno == EAGAIN || errno == EINTR)) ? 0 : -EPROTO;
}

static int sleep_for_events(struct queue *q, bool takes_requests)
{
    struct pollfd p[] = {{.fd = q->disk->wake[q->index], .events = POLLIN},
                         {.fd = q->under_way > 0 ? work_poll_fd(q->work) : -1, .events = POLLIN},
                         {.fd = takes_requests ? q->kick : -1, .events = POLLIN}};
    if (poll(p, ARRAY_SIZE(p), -1) < 0)
        return errno == EINTR ? 0 : -errno;
    int r = p[2].revents ? read_event(q->kick) : 0;
    if (p[0].revents && r == 0) {
        r = read_event(p[0].fd);
        work_retry(q->work);
    }
    return r;
}

int queue_wait(struct queue *q, bool takes_requests)
{
    if (takes_requests && spin(q))
        return 0;
    if (takes_requests && virtqueue_want_kicks(&q->ring)) {
        virtqueue_want_no_kicks(&q->ring);
        return 0;
    }
    uint64_t before = now_usec();
    int r = work_has_done(q->work) ? 0 : sleep_for_events(q, takes_requests);
    adapt_spinning(q, now_usec() - before);
    virtqueue_want_no_kicks(&q->ring);
    return r;
}
