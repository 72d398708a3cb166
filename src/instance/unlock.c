/* SPDX-License-Identifier: Apache-2.0 */
/* Gives back the locks of a model, and closes the disks of guests that ended meanwhile.
 *
 * The hook leaves the disks of an ended guest to the holder of the lock. So the holder asks libvirt, after
 * giving the lock back, whether the guest has ended. libvirt answers once its hook is done: either the hook
 * has closed the disks, or the guest ended before the question.
 */
#include "instance/disks.h"
#include "instance/lock.h"

/* True if a disk was open without a guest before: recover, not this verb, closes it. */
static bool was_open_without_guest(const struct model *m, const struct instance *i)
{
    for (size_t n = 0; i->state != INSTANCE_RUNNING && n < i->n_volumes; n++)
        if (model_map_of(m, i->volumes[n]))
            return true;
    return false;
}

static bool guest_ended(const struct context *c, const struct instance *i)
{
    struct domain domain;
    struct error why = ERROR_NONE;
    int r = c->virt ? virt_find_uuid(c->virt, i->uuid, &domain, &why) : -ECONNREFUSED;
    if (r == 0)
        return !domain.active;
    return r == -ENOENT && i->state == INSTANCE_RUNNING; /* the domain was transient */
}

static const struct volume *volume_of_map(const struct instance *i, const struct map *map)
{
    for (size_t n = 0; n < i->n_volumes; n++)
        if (map_uuid_is_of(map->uuid, i->volumes[n]->disk))
            return i->volumes[n];
    return NULL;
}

/* True if a program has opened a disk for the next start since we looked, or if the maps cannot be listed.
 * The uuid of such a map has the time of its opening. */
static bool opened_for_start_since(const struct context *c, const struct model *m, const struct instance *i)
{
    _cleanup_free_ struct map *maps = NULL;
    size_t n = 0;
    if (broker_maps(c->broker, &maps, &n, NULL) < 0)
        return true;
    for (size_t k = 0; k < n; k++) {
        const struct volume *v = map_use(&maps[k]) == MAP_FOR_START ? volume_of_map(i, &maps[k]) : NULL;
        const struct map *before = v ? model_map_of(m, v) : NULL;
        if (v && (!before || !streq(before->uuid, maps[k].uuid)))
            return true;
    }
    return false;
}

/* Closes the disks after the guest has ended. A disk that was opened for a start stays open unless the guest
 * has been seen to run: the start may still follow. */
void model_close_after_guest(const struct context *c, const struct model *m, const struct instance *i)
{
    struct disks d;
    struct error why = ERROR_NONE;
    if (was_open_without_guest(m, i) || !guest_ended(c, i) || broker_lock(c->broker, i->uuid, &why) < 0)
        return; /* a new holder of the lock asks when it gives the lock back */
    bool ran = i->state == INSTANCE_RUNNING && !opened_for_start_since(c, m, i);
    int r = disks_look(c, m, i, MAP_FOR_DOMAIN, &d, &why);
    if (r == 0)
        r = disks_close_idle(c, &d, ran ? MAP_FOR_START : MAP_FOR_DOMAIN, &why);
    if (r < 0)
        report_warning(c, "instance %s: its guest has ended, but a disk stays open: %s; run mayfly close %s",
                       i->name, why.text, i->name);
    broker_unlock(c->broker, i->uuid);
}

void model_unlock(struct model *m)
{
    const struct context *c = m->locked_by;
    for (size_t n = 0; n < m->n_locked; n++)
        broker_unlock(c->broker, m->locked[n]);
    for (size_t n = 0; n < m->n_locked; n++) {
        const struct instance *i = NULL;
        if (m->inventory && model_find(m, m->locked[n], &i, NULL) == 0)
            model_close_after_guest(c, m, i);
    }
    free(m->locked);
    m->locked = NULL;
    m->n_locked = 0;
}
