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

/* What is to be read alone needs a map of its own, which a plain disk has not, and a key to open it anew. */
static int check_read_only(const struct disks *d, struct error *e)
{
    const struct instance *i = d->instance;
    for (size_t n = 0; n < i->n_volumes; n++) {
        if (!volume_encrypted(i->volumes[n]))
            return error_set(e, -EINVAL,
                             "instance %s: its disk %s cannot be opened read-only: it is not encrypted, and "
                             "so is not opened at all; use mount -o ro",
                             i->name, i->volumes[n]->role);
        if (!d->durable[n])
            return error_set(e, -EINVAL,
                             "instance %s: its disk %s cannot be opened read-only: its key is ephemeral, and "
                             "closing it would lose its data; use mount -o ro",
                             i->name, i->volumes[n]->role);
    }
    return 0;
}

/* Locked, ready, not running. `use` MAP_FOR_DOMAIN: to be closed. */
static int take(const struct context *c, const char *name, enum map_use use, struct model **ret_model,
                struct disks *ret, struct error *e)
{
    _cleanup_model_ struct model *m = NULL;
    const struct instance *i = NULL;
    int r = model_lock_ready(c, name, &m, &i, e);
    if (r == 0)
        r = check_not_running(i, e);
    if (r == 0 && use != MAP_FOR_DOMAIN)
        r = drift_check(c, m, i, &needs, e);
    if (r == 0)
        r = disks_look(c, m, i, use, ret, e);
    if (r == 0 && use == MAP_READ_ONLY)
        r = check_read_only(ret, e);
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

int instance_open(const struct context *c, const char *name, bool read_only, bool *ret_changed,
                  struct error *e)
{
    _cleanup_model_ struct model *m = NULL;
    struct disks d;
    int r = take(c, name, read_only ? MAP_READ_ONLY : MAP_TO_STAY, &m, &d, e);
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
    int r = take(c, name, MAP_FOR_DOMAIN, &m, &d, e);
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
