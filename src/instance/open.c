/* SPDX-License-Identifier: Apache-2.0 */
/* mayfly open and close: the disks of an instance that does not run, for a look from the host. Such maps are
 * marked, so that recover knows that a person wants them open.
 */
#include "base/audit.h"
#include "instance/disks.h"
#include "instance/drift.h"
#include "instance/operations.h"

static int check_not_running(const struct instance *i, struct error *e)
{
    if (i->state != INSTANCE_RUNNING)
        return 0;
    return error_set(
        e, -EBUSY,
        "instance %s: it runs, and its disks are its own as long as it does; run mayfly stop first", i->name);
}

/* Who writes to a disk from the host would do so below the memory of a guest that remembers it. */
static const struct drift_need needs = {
    .cannot = "cannot be opened", .refused = DRIFT(SAVED), .told = DRIFT_ELSEWHERE};

/* Locked, ready, not running. */
static int take(const struct context *c, const char *name, bool opened, struct model **ret_model,
                struct disks *ret, struct error *e)
{
    _cleanup_model_ struct model *m = NULL;
    const struct instance *i = NULL;
    int r = model_lock_ready(c, name, &m, &i, e);
    if (r == 0)
        r = check_not_running(i, e);
    if (r == 0 && opened)
        r = drift_check(c, m, i, &needs, e);
    if (r == 0)
        r = disks_look(c, m, i, opened, ret, e);
    if (r < 0)
        return r;
    *ret_model = TAKE_PTR(m);
    return 0;
}

static int run_one(const struct context *c, step_fn *run, step_fn *undo, struct disks *d, const char *verb,
                   struct error *e)
{
    _cleanup_steps_ struct steps *s = NULL;
    int r = steps_new(&s, e);
    if (r == 0)
        r = steps_add(s, run, undo, d, e, "%s the disks of %s", verb, d->instance->name);
    return r < 0 ? r : audit_instance(verb, d->instance->uuid, d->instance->name, steps_run(s, c, e), e);
}

int instance_open(const struct context *c, const char *name, bool *ret_changed, struct error *e)
{
    _cleanup_model_ struct model *m = NULL;
    struct disks d;
    int r = take(c, name, true, &m, &d, e);
    if (r == 0 && d.n_missing)
        r = run_one(c, disks_open, disks_open_undo, &d, "open", e);
    if (r < 0)
        return r;
    *ret_changed = d.n_missing > 0;
    return 0;
}

int instance_close(const struct context *c, const char *name, bool lose_data, bool *ret_changed,
                   struct error *e)
{
    _cleanup_model_ struct model *m = NULL;
    struct disks d;
    int r = take(c, name, false, &m, &d, e);
    if (r < 0)
        return r;
    if (disks_lose_data(&d) && !lose_data)
        return error_set(e, -EUNSAFE,
                         "instance %s: its key is ephemeral, so closing its disks would lose all that they "
                         "hold; say --yes if that is meant",
                         d.instance->name);
    if (d.n_open)
        r = run_one(c, disks_close, NULL, &d, "close", e);
    if (r < 0)
        return r;
    *ret_changed = d.n_open > 0;
    return 0;
}
