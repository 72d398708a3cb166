/* SPDX-License-Identifier: Apache-2.0 */
/* mayfly open and close: the disks of an instance that does not run, for use on the host, or for a start that
 * another program is about to make. Such maps are marked (storage/map.h), so that recover recognizes them. */
#include "instance/drift.h"
#include "instance/together.h"

static int check_not_running(const struct instance *i, struct error *e)
{
    if (i->state != INSTANCE_RUNNING)
        return 0;
    return error_set(e, -EBUSY, "instance %s: it runs, and uses its disks; run mayfly stop first", i->name);
}

/* A managed save remembers the old contents of the disks, so nobody may write below it. */
static const struct drift_need needs = {
    .cannot = "cannot be opened", .refused = DRIFT(SAVED), .told = DRIFT_ELSEWHERE};

/* Refuses disks that cannot be opened read-only. A read-only disk needs a map of its own, which a plain disk
 * does not have, and a key that can be fetched to open it anew. */
static int check_read_only(const struct disks *d, struct error *e)
{
    const struct instance *i = d->instance;
    for (size_t n = 0; n < i->n_volumes; n++) {
        if (!volume_encrypted(i->volumes[n]))
            return error_set(e, -EINVAL,
                             "instance %s: its disk %s cannot be opened read-only: it is not encrypted, so "
                             "it has no map; use mount -o ro",
                             i->name, i->volumes[n]->role);
        if (!d->durable[n])
            return error_set(e, -EINVAL,
                             "instance %s: its disk %s cannot be opened read-only: its key is ephemeral, and "
                             "closing it would lose its data; use mount -o ro",
                             i->name, i->volumes[n]->role);
    }
    return 0;
}

static int plan_open(const struct context *c, const struct model *m, const struct instance *i,
                     struct disks *d, struct steps *s, struct error *e)
{
    enum map_use use = d->use;
    int r = check_not_running(i, e);
    if (r == 0)
        r = drift_check(c, m, i, &needs, e);
    if (r == 0)
        r = disks_look(c, m, i, use, d, e);
    if (r == 0 && use == MAP_READ_ONLY)
        r = check_read_only(d, e);
    if (r == 0 && d->n_missing)
        r = steps_add_at_once(s, disks_open, disks_open_undo, d, e, "open the disks of %s", i->name);
    return r;
}

static int plan_close(const struct context *c, const struct model *m, const struct instance *i,
                      struct disks *d, struct steps *s, struct error *e)
{
    int r = check_not_running(i, e);
    if (r == 0)
        r = disks_look(c, m, i, MAP_FOR_DOMAIN, d, e);
    if (r == 0 && d->n_open)
        r = steps_add(s, disks_close, NULL, d, e, "close the disks of %s", i->name);
    return r;
}

static int plan_close_keeping(const struct context *c, const struct model *m, const struct instance *i,
                              struct disks *d, struct steps *s, struct error *e)
{
    int r = plan_close(c, m, i, d, s, e);
    if (r == 0 && disks_lose_data(d))
        return error_set(e, -EUNSAFE,
                         "instance %s: its key is ephemeral, so closing its disks would lose all data on "
                         "them; use --yes if that is intended",
                         i->name);
    return r;
}

static const struct together opens[] = {
    [MAP_FOR_START] = {"open", MAP_FOR_START, plan_open},
    [MAP_TO_STAY] = {"open", MAP_TO_STAY, plan_open},
    [MAP_READ_ONLY] = {"open", MAP_READ_ONLY, plan_open},
};
static const struct together closes = {.verb = "close", .plan = plan_close},
                             closes_keeping = {.verb = "close", .plan = plan_close_keeping};

int instances_open(const struct context *c, const char *const names[], size_t n, enum map_use use,
                   struct outcome ret[], struct error *e)
{
    return instances_together(c, &opens[use], names, n, ret, e);
}

int instance_open(const struct context *c, const char *name, enum map_use use, bool *ret_changed,
                  struct error *e)
{
    return instance_together(c, &opens[use], name, ret_changed, e);
}

int instances_close(const struct context *c, const char *const names[], size_t n, bool lose_data,
                    struct outcome ret[], struct error *e)
{
    return instances_together(c, lose_data ? &closes : &closes_keeping, names, n, ret, e);
}

int instance_close(const struct context *c, const char *name, bool lose_data, bool *ret_changed,
                   struct error *e)
{
    return instance_together(c, lose_data ? &closes : &closes_keeping, name, ret_changed, e);
}
