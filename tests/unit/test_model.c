/* SPDX-License-Identifier: Apache-2.0 */
/* Volumes and domains put together: states, names, order, the look under the lock. */
#include "instance/lock.h"
#include "instances.h"

#include <stdio.h>

static const struct instance *only(struct bench *b, struct model **m)
{
    struct error e = ERROR_NONE;
    const struct instance *i = NULL;
    *m = model_free(*m);
    assert_ok(model_load(&b->f.context, m, &e), e);
    assert_ok(model_find(*m, "a", &i, &e), e);
    return i;
}

static void test_states(void **state)
{
    struct bench *b = *state;
    struct host *h = &b->w->host;
    _cleanup_model_ struct model *m = NULL;

    bench_make(b, "a", false);
    assert_int_equal(only(b, &m)->state, INSTANCE_RUNNING);
    assert_string_equal(instance_state_name(only(b, &m)), "running");
    h->domains[0].d.state = DOMAIN_PAUSED; /* its disks are in use all the same */
    assert_int_equal(only(b, &m)->state, INSTANCE_RUNNING);
    assert_string_equal(instance_state_name(only(b, &m)), "paused");
    h->domains[0].d.state = DOMAIN_NO_STATE;
    h->domains[0].d.active = false;
    assert_int_equal(only(b, &m)->state, INSTANCE_OPEN);
    h->n_maps = 0;
    assert_int_equal(only(b, &m)->state, INSTANCE_SHUT_OFF);
    assert_string_equal(instance_state_name(only(b, &m)), "shut off");
    h->n_domains = 0;
    assert_int_equal(only(b, &m)->state, INSTANCE_NO_DOMAIN);
    h->volumes[1].v.state = VOLUME_BUILDING; /* not the lead: it does not speak for the instance */
    assert_int_equal(only(b, &m)->state, INSTANCE_NO_DOMAIN);
    h->volumes[0].v.state = VOLUME_BUILDING;
    assert_int_equal(only(b, &m)->state, INSTANCE_BUILDING);
    h->volumes[0].v.state = VOLUME_DOOMED;
    assert_int_equal(only(b, &m)->state, INSTANCE_DOOMED);
}

static void test_without_libvirt(void **state)
{
    struct bench *b = *state;
    _cleanup_model_ struct model *m = NULL;

    bench_make(b, "a", true);
    assert_true(only(b, &m)->domain_known);
    virt_disconnect(b->f.context.virt);
    b->f.context.virt = NULL;
    assert_false(only(b, &m)->domain_known);
    assert_int_equal(only(b, &m)->state, INSTANCE_UNKNOWN);
    assert_string_equal(instance_state_name(only(b, &m)), "unknown");
}

static void test_order_and_volumes(void **state)
{
    struct bench *b = *state;
    _cleanup_model_ struct model *m = NULL;
    const struct launch_request ten = {.name = "ci", .count = 10, .disks.root_bytes = GIB, .no_start = true};
    struct error e = ERROR_NONE;

    assert_ok(bench_launch(b, &ten, &e), e);
    bench_make(b, "a", true);
    assert_string_equal(only(b, &m)->name, "a");
    assert_int_equal(m->n_instances, 11);
    assert_string_equal(m->instances[2].name, "ci-2");
    assert_string_equal(m->instances[10].name, "ci-10");
    assert_int_equal(only(b, &m)->n_volumes, 2);
    assert_string_equal(only(b, &m)->volumes[0]->role, "root");
    assert_string_equal(only(b, &m)->volumes[1]->role, "swap");
}

static void test_find(void **state)
{
    struct bench *b = *state;
    _cleanup_model_ struct model *m = NULL;
    const struct instance *i = NULL;
    struct error e = ERROR_NONE;

    bench_make(b, "a", true);
    bench_make(b, "c", true);
    const char *uuid = only(b, &m)->uuid;
    assert_ok(model_find(m, uuid, &i, &e), e);
    assert_string_equal(i->name, "a");
    assert_error(model_find(m, "b", &i, &e), -ENOENT, e);
    assert_non_null(strstr(e.text, "mayfly list"));

    /* libvirt's name is the one that counts */
    strcpy(b->w->host.domains[1].d.name, "a");
    m = model_free(m);
    e = ERROR_NONE;
    assert_ok(model_load(&b->f.context, &m, &e), e);
    assert_error(model_find(m, "a", &i, &e), -EINVAL, e);
    assert_non_null(strstr(e.text, "several"));
}

static struct broker *holder;

static bool lets_go(void)
{
    broker_disconnect(holder);
    holder = NULL;
    return false;
}

static bool stops(void)
{
    return true;
}

static void test_lock_waits(void **state)
{
    struct bench *b = *state;
    _cleanup_model_ struct model *m = NULL;
    const struct instance *i = NULL;
    struct error e = ERROR_NONE;

    bench_make(b, "a", true);
    fake_again(&b->f);
    holder = fake_broker_new(b->w);
    assert_ok(broker_lock(holder, b->w->host.volumes[0].v.instance, &e), e);
    b->f.context.lock_wait_msec = LOCK_WAIT_MSEC;

    b->f.context.stopped = stops;
    assert_error(model_lock(&b->f.context, "a", &m, &i, &e), -ECANCELED, e);

    b->f.context.stopped = lets_go;
    e = ERROR_NONE;
    assert_ok(model_lock(&b->f.context, "a", &m, &i, &e), e);
    assert_null(holder);
}

static unsigned tries;

static void count_tries(struct world *w)
{
    tries += streq(w->person.call, "lock");
    w->person.at = w->calls + 1;
}

/* Whoever wants several does not wait for one after the other. */
static void test_locks_wait_together(void **state)
{
    struct bench *b = *state;
    static const char *const names[] = {"a", "b", "c"};
    _cleanup_model_ struct model *m = NULL;
    const struct instance *found[ARRAY_SIZE(names)] = {NULL};
    struct error why[ARRAY_SIZE(names)], e = ERROR_NONE;
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        bench_make(b, names[i], true);
    fake_again(&b->f);
    struct broker *other = fake_broker_new(b->w);
    for (size_t i = 0; i < b->w->host.n_volumes; i++)
        assert_ok(broker_lock(other, b->w->host.volumes[i].v.instance, &e), e);
    b->f.context.lock_wait_msec = LOCK_POLL_MSEC / 2;
    b->w->person.at = b->w->calls + 1;
    b->w->person.act = count_tries;
    tries = 0;
    assert_ok(model_lock_many(&b->f.context, names, ARRAY_SIZE(names), &m, found, why, &e), e);
    b->w->person.act = NULL;
    assert_in_range(tries, 3, 4); /* two for the first, one for each other */
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        assert_int_equal(why[i].errnum, -EBUSY);
    broker_disconnect(other);
}

static int lock_without_memory(struct broker *b, const char *uuid, struct error *e)
{
    (void)b, (void)uuid;
    return error_memory(e);
}

/* A delete that could not even lock has not gone well. */
static void test_a_lock_without_memory(void **state)
{
    struct bench *b = *state;
    _cleanup_model_ struct model *m = NULL;
    const struct instance *i = NULL;
    struct error e = ERROR_NONE;
    bool changed = false;
    bench_make(b, "a", true);
    fake_again(&b->f);
    const struct broker_ops *right = b->f.context.broker->ops;
    struct broker_ops ops = *right;
    ops.lock = lock_without_memory;
    b->f.context.broker->ops = &ops;
    assert_error(model_lock(&b->f.context, "a", &m, &i, &e), -ENOMEM, e);
    assert_int_equal(e.errnum, -ENOMEM);
    e = ERROR_NONE;
    assert_error(instance_delete(&b->f.context, "a", &changed, &e), -ENOMEM, e);
    assert_non_null(strstr(e.text, "instance a: "));
    assert_false(changed);
    b->f.context.broker->ops = right;
}

/* Locks instance a. */
static struct model *lock_a(struct bench *b)
{
    struct model *m = NULL;
    const struct instance *i = NULL;
    struct error e = ERROR_NONE;
    assert_ok(model_lock(&b->f.context, "a", &m, &i, &e), e);
    return m;
}

/* Makes instance a, and opens its disks for a start that is to come. */
static void open_a_for_a_start(struct bench *b)
{
    struct error e = ERROR_NONE;
    bool changed = false;
    bench_make(b, "a", true);
    assert_ok(instance_open(&b->f.context, "a", MAP_FOR_START, &changed, &e), e);
}

/* A lock is held no longer than its instance is worked on; and the disks of a guest that ends meanwhile,
 * which libvirt's hook has left to us, are closed. */
static void test_gives_back(void **state)
{
    struct bench *b = *state;
    struct error e = ERROR_NONE;
    struct broker *other = fake_broker_new(b->w);

    bench_make(b, "a", false);
    const char *uuid = b->w->host.volumes[0].v.instance;
    assert_ok(broker_lock(other, uuid, &e), e);
    broker_unlock(other, uuid);
    _cleanup_model_ struct model *m = lock_a(b);
    assert_error(broker_lock(other, uuid, &e), -EBUSY, e);
    world_end_guest(&b->w->host.domains[0]);
    assert_int_equal(b->w->host.n_maps, 2);
    m = model_free(m);
    assert_int_equal(b->w->host.n_maps, 0);
    e = ERROR_NONE;
    assert_ok(broker_lock(other, uuid, &e), e);
    broker_disconnect(other);
}

/* The same where they were opened for that start, and where nobody has started it yet. */
static void test_gives_back_what_was_opened_for_a_start(void **state)
{
    struct bench *b = *state;
    open_a_for_a_start(b);
    _cleanup_model_ struct model *m = lock_a(b);
    m = model_free(m);
    assert_int_equal(b->w->host.n_maps, 2);

    assert_true(world_start_guest(b->w, &b->w->host.domains[0]));
    m = lock_a(b);
    world_end_guest(&b->w->host.domains[0]);
    m = model_free(m);
    assert_int_equal(b->w->host.n_maps, 0);
}

/* The lock is given back before the disks are closed: meanwhile a program opens them for the next start. */
static void test_leaves_what_is_opened_for_the_next_start(void **state)
{
    struct bench *b = *state;
    open_a_for_a_start(b);
    assert_true(world_start_guest(b->w, &b->w->host.domains[0]));
    _cleanup_model_ struct model *m = lock_a(b);
    world_end_guest(&b->w->host.domains[0]);
    for (size_t n = 0; n < b->w->host.n_maps; n++)
        snprintf(b->w->host.maps[n].map.uuid + strlen(b->w->host.maps[n].map.uuid) - 8, 9, "7fffffff");
    m = model_free(m);
    assert_int_equal(b->w->host.n_maps, 2);
}

static void test_lock(void **state)
{
    struct bench *b = *state;
    struct broker *other = fake_broker_new(b->w);
    _cleanup_model_ struct model *m = NULL;
    const struct instance *i = NULL;
    struct error e = ERROR_NONE;

    bench_make(b, "a", true);
    fake_again(&b->f); /* the launch held the lock */
    assert_ok(broker_lock(other, b->w->host.volumes[0].v.instance, &e), e);
    assert_error(model_lock(&b->f.context, "a", &m, &i, &e), -EBUSY, e);
    assert_int_equal(strncmp(e.text, "instance a: ", 12), 0);
    assert_null(m);

    broker_disconnect(other);
    e = ERROR_NONE;
    assert_ok(model_lock(&b->f.context, "a", &m, &i, &e), e);
    assert_ok(model_check_ready(m, i, &e), e);
}

static void test_not_ready(void **state)
{
    struct bench *b = *state;
    struct host *h = &b->w->host;
    _cleanup_model_ struct model *m = NULL;
    struct error e = ERROR_NONE;
    bool changed = false;

    bench_make(b, "a", true);
    h->volumes[1].v.state = VOLUME_DOOMED;
    const struct instance *i = only(b, &m);
    assert_error(model_check_ready(m, i, &e), -ENEEDSRECOVER, e);
    assert_non_null(strstr(e.text, "mayfly recover"));
    e = ERROR_NONE;
    assert_error(instance_start(&b->f.context, "a", &changed, &e), -ENEEDSRECOVER, e);

    h->volumes[1].v.state = VOLUME_READY;
    h->n_damaged = 1;
    snprintf(h->damaged[0].vg, VG_NAME_MAX, "vg0");
    snprintf(h->damaged[0].lv, LV_NAME_MAX, "%s_disk.eph0", h->volumes[0].v.instance);
    i = only(b, &m);
    e = ERROR_NONE;
    assert_error(model_check_ready(m, i, &e), -EUNSAFE, e);
    e = ERROR_NONE;
    assert_error(instance_delete(&b->f.context, "a", &changed, &e), -EUNSAFE, e);
    assert_int_equal(h->n_volumes, 2);
    assert_int_equal(h->volumes[0].v.state, VOLUME_READY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        bench_test(test_states),
        bench_test(test_without_libvirt),
        bench_test(test_order_and_volumes),
        bench_test(test_find),
        bench_test(test_lock),
        bench_test(test_gives_back),
        bench_test(test_gives_back_what_was_opened_for_a_start),
        bench_test(test_leaves_what_is_opened_for_the_next_start),
        bench_test(test_lock_waits),
        bench_test(test_locks_wait_together),
        bench_test(test_a_lock_without_memory),
        bench_test(test_not_ready),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
