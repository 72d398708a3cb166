/* SPDX-License-Identifier: Apache-2.0 */
/* Starts in which QEMU waits: the process that serves a disk has ended before QEMU has connected, or the user
 * stops the verb meanwhile. As with libvirt, a start lasts until QEMU has come up or is destroyed.
 */
#include "instances.h"

#include <stdatomic.h>

#define WAITS_MSEC 15000 /* before a start gives up, and the test fails */

static struct world *world;
static const struct virt_ops *real;
static atomic_bool destroyed;
static bool asked_to_stop, stop_is_held;
static unsigned starts;
static void (*at_start)(void); /* what happens to the first one */

static void serve_nothing(void)
{
    world->host.n_maps = 0;
}

static void serve_nothing_and_lose_keys(void)
{
    world->host.n_maps = world->host.n_keys = 0;
}

static void ask_to_stop(void)
{
    asked_to_stop = true;
}

/* The first start waits for its disks; if the user has asked to stop, to be destroyed. Later ones take longer
 * than from one look to the next. */
static int start_slowly(struct virt *v, const char *uuid, struct error *e)
{
    bool first = starts++ == 0;
    destroyed = false;
    if (first)
        at_start();
    for (unsigned msec = 0; msec < (first ? WAITS_MSEC : 2500) && !destroyed; msec += 10) {
        if (first && !asked_to_stop && world->host.n_maps == 2)
            break;
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    }
    return destroyed ? error_set(e, -EIO, "QEMU was killed while it started") : real->start(v, uuid, e);
}

static int destroy(struct virt *v, const char *uuid, struct error *e)
{
    destroyed = true;
    return real->destroy(v, uuid, e);
}

static bool stopped(void)
{
    return asked_to_stop && !stop_is_held;
}

static void hold_stop(bool on)
{
    stop_is_held = on;
}

static int list_maps(const struct engine *g, struct map **ret, size_t *ret_n, struct error *e)
{
    (void)g, (void)e;
    *ret_n = world->host.n_maps;
    *ret = calloc(*ret_n + 1, sizeof **ret);
    for (size_t i = 0; i < *ret_n; i++)
        (*ret)[i] = world->host.maps[i].map;
    return 0;
}

static const struct engine_ops engine_ops = {.maps = list_maps};
static const struct engine engine = {.ops = &engine_ops};

/* A served instance of two disks, which runs; then its starts are slow. */
static void begin(struct bench *b, void (*what)(void))
{
    static struct virt_ops slow;
    const struct launch_request q = {
        .name = "t",
        .count = 1,
        .disks = {.root_bytes = GIB, .ephemeral = {{.size_bytes = GIB, .fs = "ext4"}}, .n_ephemeral = 1},
        .engine = "user"};
    world = b->w;
    OK(bench_launch(b, &q, &e));
    real = b->f.context.virt->ops;
    slow = *real;
    slow.threads = true;
    slow.start = start_slowly;
    slow.destroy = destroy;
    b->f.context.virt->ops = &slow;
    b->f.context.broker->engine = &engine;
    b->f.context.stopped = stopped;
    b->f.context.hold_stop = hold_stop;
    asked_to_stop = stop_is_held = false;
    starts = 0;
    at_start = what;
}

static void begin_stopped(struct bench *b, void (*what)(void))
{
    bool changed = false;
    begin(b, what);
    OK(instance_stop(&b->f.context, "t", 0, true, &changed, &e));
}

static void end(struct bench *b)
{
    b->f.context.virt->ops = real;
    b->f.context.broker->engine = NULL;
}

static void disks_are_served_again(void **state)
{
    struct bench *b = *state;
    bool changed = false;
    begin_stopped(b, serve_nothing);
    OK(instance_start(&b->f.context, "t", &changed, &e));
    assert_true(world->host.domains[0].d.active);
    assert_int_equal(world->host.n_maps, 2);
    end(b);
}

static void without_a_key_the_start_fails(void **state)
{
    struct bench *b = *state;
    bool changed = false;
    begin_stopped(b, serve_nothing_and_lose_keys);
    REFUSED_WITH(-ENOKEY, "domain t: cannot start: the process that served its disks has ended",
                 instance_start(&b->f.context, "t", &changed, &e));
    assert_true(destroyed);
    assert_false(world->host.domains[0].d.active);
    end(b);
}

static void the_user_stops_a_start(void **state)
{
    struct bench *b = *state;
    bool changed = false;
    begin_stopped(b, ask_to_stop);
    REFUSED_WITH(-ECANCELED, "stopped while it was being started",
                 instance_start(&b->f.context, "t", &changed, &e));
    assert_false(world->host.domains[0].d.active);
    assert_int_equal(world->host.n_maps, 0);
    end(b);
}

/* Ctrl-C ends the rescue's start, and not the one that undoes the rescue: the guest ran before. */
static void what_undoes_a_rescue_is_not_stopped(void **state)
{
    struct bench *b = *state;
    const struct rescue_request rescue = {.image.path = "/rescue", .timeout_sec = 1};
    bool changed = false;
    begin(b, ask_to_stop);
    REFUSED_WITH(-ECANCELED, "", instance_rescue(&b->f.context, "t", &rescue, &changed, NULL, &e));
    assert_int_equal(starts, 2);
    assert_true(world->host.domains[0].d.active);
    end(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        bench_test(disks_are_served_again),
        bench_test(without_a_key_the_start_fails),
        bench_test(the_user_stops_a_start),
        bench_test(what_undoes_a_rescue_is_not_stopped),
    };
    return cmocka_run_group_tests_name("starting", tests, NULL, NULL);
}
