/* SPDX-License-Identifier: Apache-2.0 */
/* mayfly start: the disks first, then the domain. What this run opened is closed again when the domain does
 * not start. Where libvirt's hook is installed it finds the disks open and has nothing to do.
 */
#include "instance/start.h"

#include "base/audit.h"
#include "instance/drift.h"
#include "instance/operations.h"

static int start_domain(const struct context *c, void *disks, struct error *e)
{
    return virt_start(c->virt, ((struct disks *)disks)->instance->uuid, e);
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
        r = steps_add(s, disks_open, disks_open_undo, d, e, "open the disks of %s", name);
    if (r == 0)
        r = steps_add(s, start_domain, start_domain_undo, d, e, "start domain %s", name);
    return r;
}

static int run(const struct context *c, struct disks *d, struct error *e)
{
    _cleanup_steps_ struct steps *s = NULL;
    int r = steps_new(&s, e);
    if (r == 0)
        r = start_add_steps(s, d, e);
    return r < 0 ? r : audit_instance("start", d->instance->uuid, d->instance->name, steps_run(s, c, e), e);
}

/* A guest that is there, but does not run, is not called running. One that writes elsewhere may go on. */
static const struct drift_need needs = {
    .cannot = "cannot be started",
    .refused = DRIFT(UNDEFINED) | DRIFT(HALTED) | DRIFT(ENDING) | DRIFT(HELD) | DRIFT(BARE),
    .told = DRIFT_ELSEWHERE | DRIFT(MISSING),
};
static const struct drift_need needs_running = {.cannot = "cannot be started",
                                                .refused = DRIFT(HALTED) | DRIFT(ENDING)};

int instance_start(const struct context *c, const char *name, bool *ret_changed, struct error *e)
{
    _cleanup_model_ struct model *m = NULL;
    const struct instance *i = NULL;
    struct disks d;

    int r = model_lock_ready(c, name, &m, &i, e);
    if (r == 0)
        r = drift_check(c, m, i, i->state == INSTANCE_RUNNING ? &needs_running : &needs, e);
    if (r < 0)
        return r;
    if (i->state != INSTANCE_RUNNING) {
        r = disks_look(c, m, i, MAP_FOR_DOMAIN, &d, e);
        if (r == 0)
            r = run(c, &d, e);
        if (r < 0)
            return r;
    }
    *ret_changed = i->state != INSTANCE_RUNNING;
    return 0;
}
