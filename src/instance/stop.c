/* SPDX-License-Identifier: Apache-2.0 */
/* mayfly stop: ends the domain, then closes its disks. Nothing is undone: a guest that has shut down is not
 * started again because a disk was slow to close. Recover closes that disk. */
#include "instance/stop.h"

#include "base/audit.h"
#include "base/clock.h"
#include "instance/drift.h"
#include "instance/lock.h"
#include "instance/together.h"

#define POLL_MSEC 200

struct stopping {
    struct disks disks;
    uint64_t asked_msec; /* when its guest was asked to power off, by clock_msec(); 0: not asked */
    unsigned timeout_sec;
    bool hard;
};

/* Looks at the domain as it is now. If it was undefined while it ran, libvirt forgets it when it ends: then
 * it is not active. */
static int look_at_domain(const struct context *c, const struct instance *i, struct domain *ret,
                          struct error *e)
{
    struct error why = ERROR_NONE;
    *ret = (struct domain){.state = DOMAIN_SHUT_OFF};
    int r = virt_find_uuid(c->virt, i->uuid, ret, &why);
    return r == 0 || r == -ENOENT ? 0 : error_pass(e, r, &why);
}

/* True if its guest is unable to hear the request. */
static bool is_halted(const struct domain *d)
{
    return d->state == DOMAIN_PAUSED || d->state == DOMAIN_CRASHED || d->state == DOMAIN_PMSUSPENDED;
}

/* Waits until it is not active any more. -EBUSY: it still is when the time is over, or its guest is halted.
 * -ECANCELED: the user stopped the wait. */
static int wait_for_end(const struct context *c, const struct instance *i, uint64_t end_msec,
                        struct domain *ret, struct error *e)
{
    for (;;) {
        int r = look_at_domain(c, i, ret, e);
        if (r < 0 || !ret->active)
            return r;
        if (is_halted(ret))
            return -EBUSY;
        if (context_stopped(c))
            return error_set(e, -ECANCELED, "instance %s: still runs, and is no longer waited for", i->name);
        if (clock_msec() >= end_msec)
            return -EBUSY;
        nanosleep(&(struct timespec){.tv_nsec = POLL_MSEC * 1000000L}, NULL);
    }
}

/* Asks the guest to power off. The domain may have ended just before. */
static int ask_guest(const struct context *c, const struct instance *i, struct error *e)
{
    struct error why = ERROR_NONE;
    int r = virt_shutdown(c->virt, i->uuid, &why);
    return r == 0 || r == -ENOENT ? 0 : error_pass(e, r, &why);
}

static int end_domain(const struct context *c, const struct instance *i, uint64_t asked_msec,
                      unsigned timeout_sec, bool hard, struct error *e)
{
    uint64_t end_msec = (asked_msec ? asked_msec : clock_msec()) + (uint64_t)timeout_sec * 1000;
    struct domain domain;
    if (hard && clock_msec() >= end_msec)
        return virt_destroy(c->virt, i->uuid, e);

    int r = look_at_domain(c, i, &domain, e);
    if (r == 0 && domain.active && is_halted(&domain))
        r = -EBUSY;
    else if (r == 0 && domain.active && !asked_msec)
        r = ask_guest(c, i, e);
    if (r == 0)
        r = wait_for_end(c, i, end_msec, &domain, e);
    if (r != -EBUSY)
        return r;
    if (hard)
        return virt_destroy(c->virt, i->uuid, e);
    if (is_halted(&domain))
        return error_set(e, -EBUSY,
                         "instance %s: cannot be stopped: its domain is %s, so its guest cannot power off; "
                         "resume it (virsh resume, virsh dompmwakeup), or use --force",
                         i->name, domain_state_name(domain.state));
    return error_set(e, -EBUSY,
                     "instance %s: its guest still runs %u seconds after it was asked to power off; wait "
                     "longer (--timeout), or use --force",
                     i->name, timeout_sec);
}

int domain_stop(const struct context *c, const struct instance *i, unsigned timeout_sec, bool hard,
                struct error *e)
{
    return end_domain(c, i, 0, timeout_sec, hard, e);
}

static int stop_domain(const struct context *c, void *stopping, struct error *e)
{
    const struct stopping *s = stopping;
    return end_domain(c, s->disks.instance, s->asked_msec, s->timeout_sec, s->hard, e);
}

static int run(const struct context *c, struct stopping *stopping, bool running, struct error *e)
{
    _cleanup_steps_ struct steps *s = NULL;
    const char *name = stopping->disks.instance->name;
    int r = steps_new(&s, e);
    if (r == 0 && running)
        r = steps_add(s, stop_domain, NULL, stopping, e, "stop domain %s", name);
    if (r == 0 && stopping->disks.n_open)
        r = steps_add(s, disks_close_durable, NULL, &stopping->disks, e, "close the disks of %s", name);
    return r < 0 ? r : audit_instance("stop", stopping->disks.instance->uuid, name, steps_run(s, c, e), e);
}

/* Warns of a transient domain: once it has ended, it cannot be started again until somebody defines it. */
static const struct drift_need needs = {.cannot = "cannot be stopped", .told = DRIFT(TRANSIENT)};

int instance_stop_asked(const struct context *c, const char *name, uint64_t asked_msec, unsigned timeout_sec,
                        bool hard, bool *ret_changed, struct error *e)
{
    _cleanup_model_ struct model *m = NULL;
    struct stopping s = {.asked_msec = asked_msec, .timeout_sec = timeout_sec, .hard = hard};
    const struct instance *i = NULL;

    int r = model_lock_ready(c, name, &m, &i, e);
    if (r == 0)
        r = drift_check(c, m, i, &needs, e);
    if (r == 0)
        r = disks_look(c, m, i, MAP_FOR_DOMAIN, &s.disks, e);
    if (r < 0)
        return r;
    bool running = i->state == INSTANCE_RUNNING, changes = running || asked_msec || disks_can_close(&s.disks);
    r = changes ? run(c, &s, running, e) : 0;
    if (r < 0)
        return r;
    *ret_changed = changes;
    return 0;
}

int instance_stop(const struct context *c, const char *name, unsigned timeout_sec, bool hard,
                  bool *ret_changed, struct error *e)
{
    return instance_stop_asked(c, name, 0, timeout_sec, hard, ret_changed, e);
}

void domains_end(const struct context *c, void *const disks[], size_t n, struct error why[])
{
    const char *uuids[STEPS_AT_ONCE];
    for (size_t i = 0; i < n; i++)
        uuids[i] = ((const struct disks *)disks[i])->instance->uuid;
    virt_destroy_many(c->virt, uuids, n, why);
}

/* Ends domains and closes their disks in one step, so that a user who stops the verb is told of each guest
 * that has ended. */
static void end_and_close(const struct context *c, void *const disks[], size_t n, struct error why[])
{
    domains_end(c, disks, n, why);
    for (size_t i = 0; i < n; i++)
        if (why[i].errnum == 0)
            disks_close_durable(c, disks[i], &why[i]);
}

static int plan_hard(const struct context *c, const struct model *m, const struct instance *i,
                     struct disks *d, struct steps *s, struct error *e)
{
    bool running = i->state == INSTANCE_RUNNING;
    int r = drift_check(c, m, i, &needs, e);
    if (r == 0)
        r = disks_look(c, m, i, MAP_FOR_DOMAIN, d, e);
    if (r < 0 || !(running || disks_can_close(d)))
        return r;
    if (running)
        return steps_add_at_once(s, end_and_close, NULL, d, e, "stop domain %s, and close its disks",
                                 i->name);
    return steps_add(s, disks_close_durable, NULL, d, e, "close the disks of %s", i->name);
}

int instances_stop_hard(const struct context *c, const char *const names[], size_t n, struct outcome ret[],
                        struct error *e)
{
    static const struct together stops = {.verb = "stop", .plan = plan_hard};
    return instances_together(c, &stops, names, n, ret, e);
}

static bool ask_one(const struct context *c, const struct model *m, const struct instance *i)
{
    return i && i->state == INSTANCE_RUNNING && model_check_ready(m, i, NULL) == 0 &&
           !is_halted(model_domain_of(m, i->uuid)) && ask_guest(c, i, NULL) == 0;
}

void instances_ask_to_stop(const struct context *c, const char *const names[], size_t n, bool ret_asked[])
{
    _cleanup_model_ struct model *m = NULL;
    const struct instance *instances[MODEL_LOCKS_MAX] = {NULL};
    struct error why[MODEL_LOCKS_MAX];
    bool known =
        context_check_virt(c, NULL) == 0 && model_lock_many(c, names, n, &m, instances, why, NULL) == 0;
    for (size_t i = 0; i < n; i++)
        ret_asked[i] = known && m && ask_one(c, m, instances[i]);
}
