/* SPDX-License-Identifier: Apache-2.0 */
/* See vhost.h. The same bytes of the volume as fio has, and the same order and number of requests. */
#include "bench/vhost.h"

#include "base/clock.h"
#include "base/fd.h"
#include "bench/load.h"
#include "bench/vhost-server.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define QUEUE_SIZE       128
#define LOOK_MSEC        100
#define ANSWER_LIMIT_SEC 30 /* long, for a busy host */

struct guest {
    struct vhost_server server;
    const struct bench_cell *cell;
    struct front front;
    struct error *e;
    uint64_t limit_msec; /* until when the server must answer a message */
};

static int check_stopped(const struct bench_cell *cell, struct error *e)
{
    return cell->stopped && cell->stopped(cell->context) ? error_set(e, -ECANCELED, "bench: stopped") : 0;
}

/* Waits for an answer of the server, which may ask for the device before. */
static int await_answer(void *context, int socket)
{
    struct guest *g = context;
    for (;;) {
        struct pollfd fds[] = {{.fd = socket, .events = POLLIN},
                               {.fd = g->server.program.listener, .events = POLLIN}};
        int ready = poll(fds, ARRAY_SIZE(fds), LOOK_MSEC);
        int r = check_stopped(g->cell, g->e);
        if (r < 0)
            return r;
        if (ready > 0 && fds[0].revents)
            return 0;
        if (ready > 0 && fds[1].revents & ~POLLIN)
            clock_sleep_msec(1); /* it has ended; so will the connection */
        qemu_lend(&g->server.program);
        if (clock_msec() > g->limit_msec)
            return error_set(g->e, -ETIMEDOUT, "vhost-user: the server did not begin within %u seconds",
                             ANSWER_LIMIT_SEC);
    }
}

/* While it is measured the server says nothing on its own. */
static int look(void *context, struct error *e)
{
    struct guest *g = context;
    struct pollfd p = {.fd = g->front.socket, .events = POLLIN | POLLRDHUP};
    qemu_lend(&g->server.program);
    if (poll(&p, 1, 0) > 0)
        return error_set(e, -ECONNRESET, "vhost-user: the server has ended its connection");
    return check_stopped(g->cell, e);
}

static int connect_to(struct guest *g, struct error *e)
{
    char path[64];
    const struct bench_job *job = g->cell->job;
    const struct front_options o = {.queues = 1,
                                    .size = QUEUE_SIZE,
                                    .memory_bytes = load_memory_bytes(1, job->depth, job->block_bytes),
                                    .await = await_answer,
                                    .context = g};
    snprintf(path, sizeof path, "/proc/self/fd/%d", g->server.socket);
    g->limit_msec = clock_msec() + ANSWER_LIMIT_SEC * UINT64_C(1000);
    int socket = front_connect(path, ANSWER_LIMIT_SEC);
    int r = socket < 0 ? socket : front_open(&g->front, socket, &o);
    return r < 0 ? error_set(e, r, "vhost-user: the server does not begin: %s", strerrordesc_np(-r)) : 0;
}

static void sum_up(const struct load *l, struct measured *ret)
{
    const struct latencies *all = &l->latencies;
    double seconds = (double)l->took_nsec / 1e9;
    ret->ios = all->n;
    ret->figures = (struct bench_figures){
        .iops = (double)all->n / seconds,
        .bytes_per_sec = (double)all->n * l->request_bytes / seconds,
        .mean_usec = latencies_mean_nsec(all) / 1e3,
        .p50_usec = (double)latencies_percentile_nsec(all, 0.5) / 1e3,
        .p99_usec = (double)latencies_percentile_nsec(all, 0.99) / 1e3,
        .p999_usec = (double)latencies_percentile_nsec(all, 0.999) / 1e3,
    };
}

static int put_load(struct guest *g, struct measured *ret, struct error *e)
{
    const struct bench_job *job = g->cell->job;
    struct load l = {.front = &g->front,
                     .offset_bytes = BENCH_EDGE_BYTES,
                     .size_bytes = g->cell->size_bytes - BENCH_EDGE_BYTES,
                     .request_bytes = job->block_bytes,
                     .depth = job->depth,
                     .write_percent = job->writes ? 100 : 0,
                     .order = job->random ? LOAD_RANDOM : LOAD_SEQUENTIAL,
                     .runtime_sec = g->cell->runtime_sec,
                     .answer_limit_sec = ANSWER_LIMIT_SEC,
                     .look = look,
                     .context = g};
    int r = load_prepare(&l, e);
    if (r == 0)
        r = load_run(&l, e);
    if (r == 0)
        sum_up(&l, ret);
    return r;
}

int vhost_measure(int fd, const struct bench_cell *cell, struct measured *ret, struct error *e)
{
    struct guest g = {.server = VHOST_SERVER_NONE, .cell = cell, .e = e};
    g.front.socket = g.front.memory_fd = g.front.inflight_fd = -1;
    int r = vhost_server_start(fd, cell, &g.server, e);
    if (r == 0)
        r = connect_to(&g, e);
    if (r == 0)
        r = put_load(&g, ret, e);
    front_close(&g.front);
    if (r < 0 && r != -ECANCELED)
        vhost_server_explain(&g.server, e);
    vhost_server_end(&g.server);
    return r;
}
