/* SPDX-License-Identifier: Apache-2.0 */
/* Makes one call for several domains, each in its own thread: libvirt takes the next call while QEMU still
 * starts for the first. */
#include "virt/virt.h"

#include <pthread.h>
#include <signal.h>

typedef int call_fn(struct virt *v, const char *uuid, struct error *e);

struct one {
    struct virt *virt;
    call_fn *call;
    const char *uuid;
    struct error *why;
    pthread_t thread;
    bool threaded;
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

/* Signals go to the main thread. */
static void start_threads(struct one all[], size_t n)
{
    sigset_t signals, before;
    sigfillset(&signals);
    pthread_sigmask(SIG_SETMASK, &signals, &before);
    for (size_t i = 1; i < n; i++)
        all[i].threaded = pthread_create(&all[i].thread, NULL, run, &all[i]) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

/* Makes the calls, each in its own thread. After a broken connection the main thread calls `again`, which
 * connects anew: no other thread may see that. */
static void call_many(struct virt *v, call_fn *call, call_fn *again, const char *const uuids[], size_t n,
                      struct error why[])
{
    struct one all[VIRT_AT_ONCE];
    for (size_t i = 0; i < n; i++)
        all[i] = (struct one){.virt = v, .call = call, .uuid = uuids[i], .why = &why[i]};
    if (v->ops->threads)
        start_threads(all, n);
    for (size_t i = 0; i < n; i++)
        if (!all[i].threaded)
            run(&all[i]);
    for (size_t i = 0; i < n; i++)
        if (all[i].threaded)
            pthread_join(all[i].thread, NULL);
    for (size_t i = 0; i < n; i++)
        if (why[i].errnum == -ECONNREFUSED) {
            all[i].call = again;
            run(&all[i]);
        }
}

void virt_start_many(struct virt *v, const char *const uuids[], size_t n, struct error why[])
{
    call_many(v, v->ops->start, virt_start, uuids, n, why);
}

void virt_destroy_many(struct virt *v, const char *const uuids[], size_t n, struct error why[])
{
    call_many(v, v->ops->destroy, virt_destroy, uuids, n, why);
}
