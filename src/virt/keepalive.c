/* SPDX-License-Identifier: Apache-2.0 */
/* See keepalive.h. libvirt sends and answers the probes from an event loop, which one of our threads runs. */
#include "virt/keepalive.h"

#include <pthread.h>
#include <signal.h>

#define INTERVAL_SEC 5
#define PROBES       6 /* unanswered probes before the connection is given up */

#define STACK_BYTES (256 << 10)

static void *run_events(void *unused)
{
    (void)unused;
    while (vir.EventRunDefaultImpl() == 0)
        ;
    return NULL;
}

/* Signals go to the main thread, whose calls they shall interrupt. */
static void start_thread(void)
{
    pthread_t thread;
    pthread_attr_t attributes;
    sigset_t all, before;
    if (vir.EventRegisterDefaultImpl() < 0 || pthread_attr_init(&attributes) != 0)
        return;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pthread_attr_setstacksize(&attributes, STACK_BYTES);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    (void)!pthread_create(&thread, &attributes, run_events, NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
}

void keepalive_begin(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, start_thread);
}

void keepalive_watch(virConnectPtr libvirt)
{
    if (vir.ConnectSetKeepAlive(libvirt, INTERVAL_SEC, PROBES) < 0)
        vir.ResetLastError(); /* a driver inside this process has no keepalive */
}
