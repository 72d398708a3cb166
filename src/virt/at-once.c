/* SPDX-License-Identifier: Apache-2.0 */
/* Makes one call for several domains, each in its own thread: libvirt takes the next call while QEMU still
 * starts for the first. */
#include "virt/virt.h"

#include <pthread.h>
#include <signal.h>
#include <time.h>

#define LOOK_SEC 1 /* between two looks at a domain that is being started */

typedef int call_fn(struct virt *v, const char *uuid, struct error *e);

struct one {
    struct virt *virt;
    call_fn *call;
    const char *uuid;
    struct error *why;
    pthread_t thread;
    bool threaded;
    bool ended; /* was without hope */
};

static void *run(void *data)
{
    struct one *o = data;
    *o->why = ERROR_NONE;
    int r = o->call(o->virt, o->uuid, o->why);
    if (r < 0)
        error_set(o->why, r, "domain %s: %s", o->uuid, strerror(-r));
    return NULL;
}

/* Gives threads to the calls from `first` on. Signals go to the main thread. */
static void start_threads(struct one all[], size_t first, size_t n)
{
    sigset_t signals, before;
    sigfillset(&signals);
    pthread_sigmask(SIG_SETMASK, &signals, &before);
    for (size_t i = first; i < n; i++)
        all[i].threaded = pthread_create(&all[i].thread, NULL, run, &all[i]) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

static bool ends_within_a_second(pthread_t thread)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += LOOK_SEC;
    return pthread_clockjoin_np(thread, NULL, CLOCK_MONOTONIC, &until) != ETIMEDOUT;
}

/* Waits for a call. A domain without hope is ended: again and again, since libvirt may not have begun to
 * start it. */
static void join(struct one *o, size_t i, const struct virt_watch *watch)
{
    while (!ends_within_a_second(o->thread)) {
        o->ended = o->ended || (watch && watch->is_hopeless(watch->context, i));
        if (o->ended)
            (void)!o->virt->ops->destroy(o->virt, o->uuid, NULL);
    }
}

/* Makes the calls, each in its own thread. After a broken connection the main thread calls `again`, which
 * connects anew: no other thread may see that. */
static void call_many(struct virt *v, call_fn *call, call_fn *again, const char *const uuids[], size_t n,
                      const struct virt_watch *watch, struct error why[])
{
    struct one all[VIRT_AT_ONCE];
    for (size_t i = 0; i < n; i++)
        all[i] = (struct one){.virt = v, .call = call, .uuid = uuids[i], .why = &why[i]};
    if (v->ops->threads)
        start_threads(all, watch ? 0 : 1, n);
    for (size_t i = 0; i < n; i++)
        if (!all[i].threaded)
            run(&all[i]);
    for (size_t i = 0; i < n; i++)
        if (all[i].threaded)
            join(&all[i], i, watch);
    for (size_t i = 0; i < n; i++)
        if (why[i].errnum == -ECONNREFUSED && !all[i].ended) {
            all[i].call = again;
            run(&all[i]);
        }
}

void virt_start_many(struct virt *v, const char *const uuids[], size_t n, const struct virt_watch *watch,
                     struct error why[])
{
    call_many(v, v->ops->start, virt_start, uuids, n, watch, why);
}

void virt_destroy_many(struct virt *v, const char *const uuids[], size_t n, struct error why[])
{
    call_many(v, v->ops->destroy, virt_destroy, uuids, n, NULL, why);
}
