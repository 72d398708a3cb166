/* SPDX-License-Identifier: Apache-2.0 */
/* The steps of a removal that change volumes and maps. See removal-steps.h. */
#include "instance/removal-steps.h"

/* -------------------------------------------------------------------- marks */

/* True if the volume can be marked. Recover removes one that says building as it is. */
static bool can_be_doomed(const struct volume *v)
{
    return v->state == VOLUME_READY || v->state == VOLUME_REBUILDING;
}

static bool lead_to_doom(const struct removal *r, size_t index)
{
    return index == 0 && can_be_doomed(r->volumes[index]);
}

static bool other_to_doom(const struct removal *r, size_t index)
{
    return index > 0 && can_be_doomed(r->volumes[index]);
}

static int doom(const struct context *c, const struct removals *which,
                bool (*wanted)(const struct removal *r, size_t index), struct error *e)
{
    _cleanup_free_ const struct volume **volumes = NULL;
    size_t n = 0;
    int r = removals_volumes(which, wanted, &volumes, &n, e);
    return r == 0 && n ? broker_mark(c->broker, volumes, n, VOLUME_DOOMED, e) : r;
}

static int doom_leads(const struct context *c, const struct removals *which, struct error *e)
{
    return doom(c, which, lead_to_doom, e);
}

static int doom_others(const struct context *c, const struct removals *which, struct error *e)
{
    return doom(c, which, other_to_doom, e);
}

int removal_doom_leads(const struct context *c, void *removal, struct error *e)
{
    for (struct removal *r = removal; r; r = r->next)
        r->begun = r->error.errnum == 0;
    context_hold_stop(c);
    int result = removals_at_once(c, removal, doom_leads, e);
    for (struct removal *r = removal; r; r = r->next)
        if (r->error.errnum == -EBUSY || r->error.errnum == -EUNSAFE)
            r->begun = false; /* the broker has refused; after any other error the mark may be there */
    return result;
}

int removal_doom_others(const struct context *c, void *removal, struct error *e)
{
    return removals_at_once(c, removal, doom_others, e);
}

/* --------------------------------------------------------- maps and volumes */

static int close_maps(const struct context *c, const struct removal *r, struct error *e)
{
    int result = 0;
    for (size_t i = 0; result == 0 && i < r->n_volumes; i++)
        result = disk_close(c, r->volumes[i], SETTLE_NOW, e);
    return result;
}

int removal_close_maps(const struct context *c, void *removal, struct error *e)
{
    return removals_one_by_one(c, removal, close_maps, e);
}

static int remove_volumes(const struct context *c, const struct removals *which, struct error *e)
{
    _cleanup_free_ const struct volume **volumes = NULL;
    size_t n = 0;
    int result = removals_volumes(which, NULL, &volumes, &n, e);
    return result < 0 ? result : broker_remove(c->broker, volumes, n, e);
}

int removal_remove_volumes(const struct context *c, void *removal, struct error *e)
{
    return removals_at_once(c, removal, remove_volumes, e);
}

/* ---------------------------------------------------------------- snapshots */

/* Removes the snapshot, and the key of the image until the snapshot is doomed: then the key belongs to the
 * image file, see export.c. */
int snapshot_remove(const struct context *c, const struct volume *v, struct error *e)
{
    int r = disk_close(c, v, SETTLE_NOW, e);
    if (r == 0 && v->state == VOLUME_BUILDING)
        r = key_destroy_of_image(c, v, e);
    return r < 0 ? r : broker_remove(c->broker, &v, 1, e);
}

/* Removes the snapshot of an export. An export at work has the lock of its snapshot, and keeps the instance
 * from being removed. */
static int remove_snapshot(const struct context *c, const struct removal *r, struct error *e)
{
    const struct volume *v = r->instance->snapshot;
    struct error why = ERROR_NONE;
    int result = v ? broker_lock(c->broker, v->disk, &why) : 0;
    if (result < 0)
        return error_set(e, result, "instance %s: it is being exported: %s", r->instance->name, why.text);
    if (v) {
        result = snapshot_remove(c, v, e);
        broker_unlock(c->broker, v->disk);
    }
    return result;
}

int removal_remove_snapshots(const struct context *c, void *removal, struct error *e)
{
    return removals_one_by_one(c, removal, remove_snapshot, e);
}
