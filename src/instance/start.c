/* SPDX-License-Identifier: Apache-2.0 */
/* mayfly start: opens the disks, then starts the domain. If the domain does not start, the disks that this
 * run opened are closed again. libvirt's hook finds the disks open, and has nothing to do. */
#include "instance/start.h"

#include "instance/drift.h"
#include "instance/starting.h"
#include "instance/together.h"

static void start_domains(const struct context *c, void *const disks[], size_t n, struct error why[])
{
    const struct instance *instances[STEPS_AT_ONCE];
    for (size_t i = 0; i < n; i++)
        instances[i] = ((const struct disks *)disks[i])->instance;
    domains_start(c, instances, n, why);
}

static int start_domain_undo(const struct context *c, void *disks, struct error *e)
{
    return virt_destroy(c->virt, ((struct disks *)disks)->instance->uuid, e);
}

int start_add_steps(struct steps *s, struct disks *d, struct error *e)
{
    const char *name = d->instance->name;
    int r = 0;
    if (d->n_missing)
        r = steps_add_at_once(s, disks_open, disks_open_undo, d, e, "open the disks of %s", name);
    if (r == 0)
        r = steps_add_at_once(s, start_domains, start_domain_undo, d, e, "start domain %s", name);
    return r;
}

/* Keeps disks closed that are not ready. */
static void leave_unready(struct disks *d)
{
    d->n_missing = 0;
    for (size_t n = 0; n < d->instance->n_volumes; n++) {
        d->missing[n] = d->missing[n] && d->instance->volumes[n]->state == VOLUME_READY;
        d->n_missing += d->missing[n];
    }
}

static int open_again(const struct context *c, const struct model *m, const struct instance *i,
                      struct error *e)
{
    struct error why = ERROR_NONE;
    struct disks d;
    void *const all[] = {&d};
    int r = disks_look(c, m, i, MAP_FOR_DOMAIN, &d, e);
    if (r < 0)
        return r;
    leave_unready(&d);
    if (d.n_missing)
        disks_open(c, all, 1, &why);
    return why.errnum ? error_pass(e, why.errnum, &why) : 0;
}

int instance_start_again(const struct context *c, const struct instance *i, struct error *e)
{
    _cleanup_model_ struct model *m = NULL;
    struct error why = ERROR_NONE;
    int r = 0;
    if (instance_is_served(i)) { /* with the disks that it has by now */
        r = model_load(c, &m, e);
        if (r == 0)
            r = model_find(m, i->uuid, &i, e);
        if (r == 0)
            r = open_again(c, m, i, e);
    }
    if (r < 0)
        return r;
    domains_start(c, &i, 1, &why);
    return why.errnum ? error_pass(e, why.errnum, &why) : 0;
}

/* A guest that is halted does not count as running. A guest that writes to an overlay may go on. */
static const struct drift_need needs = {
    .cannot = "cannot be started",
    .refused =
        DRIFT(UNDEFINED) | DRIFT(HALTED) | DRIFT(ENDING) | DRIFT(HELD) | DRIFT(BARE) | DRIFT(OTHER_ENGINE),
    .told = DRIFT_ELSEWHERE | DRIFT(MISSING),
};
static const struct drift_need needs_running = {.cannot = "cannot be started",
                                                .refused = DRIFT(HALTED) | DRIFT(ENDING)};

/* Adds the step that opens the disks for a guest that waits for them: QEMU was started without Mayfly, or the
 * server of its disks has ended. */
static int open_for_guest(const struct context *c, const struct model *m, const struct instance *i,
                          struct disks *d, struct steps *s, struct error *e)
{
    if (!instance_is_served(i))
        return 0;
    int r = disks_look(c, m, i, MAP_FOR_DOMAIN, d, e);
    if (r < 0 || !d->n_missing)
        return r;
    return steps_add_at_once(s, disks_open, disks_open_undo, d, e, "open the disks of %s", i->name);
}

static int plan(const struct context *c, const struct model *m, const struct instance *i, struct disks *d,
                struct steps *s, struct error *e)
{
    bool running = i->state == INSTANCE_RUNNING;
    int r = drift_check(c, m, i, running ? &needs_running : &needs, e);
    if (r < 0)
        return r;
    if (running)
        return open_for_guest(c, m, i, d, s, e);
    r = disks_look(c, m, i, MAP_FOR_DOMAIN, d, e);
    return r < 0 ? r : start_add_steps(s, d, e);
}

static const struct together starts = {.verb = "start", .plan = plan};

int instances_start(const struct context *c, const char *const names[], size_t n, struct outcome ret[],
                    struct error *e)
{
    return instances_together(c, &starts, names, n, ret, e);
}

int instance_start(const struct context *c, const char *name, bool *ret_changed, struct error *e)
{
    return instance_together(c, &starts, name, ret_changed, e);
}
