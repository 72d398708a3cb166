/* SPDX-License-Identifier: Apache-2.0 */
/* Locks instances for a verb, and gives them back.
 *
 *     libvirt: all domains | LOCK | volumes, then these domains alone | the verb | UNLOCK | did a guest end?
 *
 * The world may change until the lock is held, so the verb looks again under it. All domains are asked for
 * only before the lock: libvirt answers that when none of its hooks is at work, and a hook may be waiting for
 * this very lock.
 *
 * The hook leaves the disks of an ended guest to the holder of the lock. So the holder asks, after giving the
 * lock back, whether the guest has ended. libvirt answers when its hook is done: then either the hook has
 * closed the disks, or the question comes after the guest's end.
 */
#include "base/clock.h"
#include "instance/disks.h"

#define LOOKS_MAX 4 /* until the name stands still */

/* One of those that are wanted. */
struct wanted {
    const char *name;     /* or uuid */
    char uuid[UUID_TEXT]; /* to lock: a guess, until the model says the same under the lock */
    bool locked;
};

/* libvirt needs one question, a look at all volumes several; *before is loaded once for that. The guess may
 * be wrong. */
static int guess_uuid(const struct context *c, const struct model *m, struct model **before, struct wanted *w,
                      struct error *e)
{
    const struct instance *i = NULL;
    char uuid[UUID_TEXT] = "";
    bool maybe_uuid = uuid_read(w->name, uuid); /* or a name that looks like one */
    for (size_t d = 0; maybe_uuid && d < m->n_domains; d++)
        if (streq(m->domains[d].uuid, uuid))
            return str_copy(w->uuid, UUID_TEXT, uuid);
    for (size_t d = 0; d < m->n_domains; d++)
        if (streq(m->domains[d].name, w->name))
            return str_copy(w->uuid, UUID_TEXT, m->domains[d].uuid);
    if (maybe_uuid)
        return str_copy(w->uuid, UUID_TEXT, uuid);
    int r = *before ? 0 : model_load(c, before, e);
    if (r == 0)
        r = model_find(*before, w->name, &i, e);
    return r < 0 ? r : str_copy(w->uuid, UUID_TEXT, i->uuid);
}

static int lock_until(const struct context *c, const char *uuid, uint64_t end_msec, struct error *e)
{
    for (;;) {
        struct error why = ERROR_NONE;
        int r = broker_lock(c->broker, uuid, &why);
        if (r == -EBUSY && context_stopped(c))
            return error_set(e, -ECANCELED, "%s; it is no longer waited for", why.text);
        if (r != -EBUSY || clock_msec() >= end_msec)
            return r < 0 ? error_pass(e, r, &why) : 0;
        nanosleep(&(struct timespec){.tv_nsec = LOCK_POLL_MSEC * 1000000L}, NULL);
    }
}

int model_lock_uuid(const struct context *c, const char *uuid, struct error *e)
{
    return lock_until(c, uuid, clock_msec() + c->lock_wait_msec, e);
}

int model_note_locked(struct model *m, const struct context *c, const char *uuid, struct error *e)
{
    char(*bigger)[UUID_TEXT] = reallocarray(m->locked, m->n_locked + 1, sizeof *bigger);
    if (!bigger)
        return error_memory(e);
    m->locked = bigger;
    m->locked_by = c;
    m->unlock = model_unlock;
    memcpy(bigger[m->n_locked++], uuid, UUID_TEXT);
    return 0;
}

static bool any_left(const struct error why[], size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!why[i].errnum)
            return true;
    return false;
}

/* The next to lock, in the order of uuids; NULL: all are locked that can be. */
static struct wanted *next_to_lock(struct wanted w[], size_t n, const struct error why[])
{
    struct wanted *next = NULL;
    for (size_t i = 0; i < n; i++)
        if (!w[i].locked && !why[i].errnum && (!next || strcmp(w[i].uuid, next->uuid) < 0))
            next = &w[i];
    return next;
}

/* Waits for all together as long as for one: those that are locked early wait for the others. */
static int lock_all(const struct context *c, struct model *m, struct wanted w[], size_t n, struct error why[],
                    struct error *e)
{
    uint64_t end_msec = clock_msec() + c->lock_wait_msec;
    for (struct wanted *next; (next = next_to_lock(w, n, why)); next->locked = true) {
        struct error *one = &why[next - w];
        int r = lock_until(c, next->uuid, end_msec, one);
        if (r < 0)
            error_prefix(one, "instance %s: ", next->name);
        else
            r = model_note_locked(m, c, next->uuid, e);
        if (r == -ENOMEM)
            return r;
    }
    return 0;
}

/* Finds them under their locks. False: the name of one was another's when we guessed. */
static bool find_all(const struct model *m, const struct wanted w[], size_t n, const struct instance *ret[],
                     struct error why[])
{
    bool same = true;
    for (size_t i = 0; i < n; i++) {
        ret[i] = NULL;
        if (!why[i].errnum && model_find(m, w[i].name, &ret[i], &why[i]) == 0)
            same = same && streq(ret[i]->uuid, w[i].uuid);
    }
    return same;
}

/* One look: without locks, then under them. *ret_same as find_all(). */
static int look(const struct context *c, struct model **before, struct wanted w[], size_t n,
                struct model **ret_model, const struct instance *ret[], struct error why[], bool *ret_same,
                struct error *e)
{
    _cleanup_model_ struct model *m = NULL;
    int r = model_load_domains(c, &m, e);
    if (r < 0)
        return r;
    for (size_t i = 0; i < n; i++) {
        w[i].locked = false;
        if (!why[i].errnum)
            (void)!guess_uuid(c, m, before, &w[i], &why[i]);
    }
    r = lock_all(c, m, w, n, why, e);
    if (r == 0 && any_left(why, n))
        r = model_load_volumes(c, m, e);
    for (size_t i = 0; r == 0 && i < n; i++)
        if (w[i].locked)
            (void)!model_ask_domain(c, m, w[i].uuid, &why[i]);
    if (r < 0)
        return r;
    *ret_same = find_all(m, w, n, ret, why);
    if (m->inventory) /* else there was nothing left to look for */
        *ret_model = TAKE_PTR(m);
    return 0;
}

int model_lock_many(const struct context *c, const char *const names[], size_t n, struct model **ret_model,
                    const struct instance *ret[], struct error why[], struct error *e)
{
    struct wanted w[MODEL_LOCKS_MAX] = {0};
    _cleanup_model_ struct model *before = NULL, *m = NULL;
    bool same = false;
    for (size_t i = 0; i < n; i++) {
        w[i].name = names[i];
        why[i] = ERROR_NONE;
    }
    for (int looks = 0; !same && looks < LOOKS_MAX; looks++) {
        m = model_free(m); /* and its locks: the next ones are taken in order again */
        int r = look(c, &before, w, n, &m, ret, why, &same, e);
        if (r < 0)
            return r;
        before = model_free(before);
    }
    for (size_t i = 0; i < n; i++)
        if (ret[i] && !streq(ret[i]->uuid, w[i].uuid)) {
            error_set(&why[i], -EBUSY, "instance %s: its name changes while it is looked for; give the uuid",
                      names[i]);
            ret[i] = NULL;
        }
    *ret_model = TAKE_PTR(m);
    return 0;
}

int model_lock(const struct context *c, const char *name_or_uuid, struct model **ret_model,
               const struct instance **ret, struct error *e)
{
    _cleanup_model_ struct model *m = NULL;
    const char *const names[] = {name_or_uuid};
    struct error why = ERROR_NONE;
    int r = model_lock_many(c, names, 1, &m, ret, &why, e);
    if (r == 0 && why.errnum)
        r = error_pass(e, why.errnum, &why);
    if (r == 0)
        *ret_model = TAKE_PTR(m);
    return r;
}

/* ------------------------------------------------------------ giving back */

/* What was open without a guest before is no guest's that has ended: recover sees to it. */
static bool open_before(const struct model *m, const struct instance *i)
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
    return r == -ENOENT && i->state == INSTANCE_RUNNING; /* it was transient */
}

static const struct volume *volume_of_map(const struct instance *i, const struct map *map)
{
    for (size_t n = 0; n < i->n_volumes; n++)
        if (map_uuid_is_of(map->uuid, i->volumes[n]->disk))
            return i->volumes[n];
    return NULL;
}

/* Has a program opened a disk for the next start since we looked? A map of another time is another map. Where
 * that cannot be told, one may have. */
static bool opened_anew(const struct context *c, const struct model *m, const struct instance *i)
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

/* What was opened for a start is left if no guest has been seen to run on it: that start may be about to
 * follow. */
void model_close_after_guest(const struct context *c, const struct model *m, const struct instance *i)
{
    struct disks d;
    struct error why = ERROR_NONE;
    if (open_before(m, i) || !guest_ended(c, i) || broker_lock(c->broker, i->uuid, &why) < 0)
        return; /* whoever has the lock now asks later */
    bool ran = i->state == INSTANCE_RUNNING && !opened_anew(c, m, i);
    int r = disks_look(c, m, i, MAP_FOR_DOMAIN, &d, &why);
    if (r == 0)
        r = disks_close_idle(c, &d, ran ? MAP_FOR_START : MAP_FOR_DOMAIN, &why);
    if (r < 0)
        report_warning(c, "instance %s: its guest has ended, and a disk stays open: %s; run mayfly close %s",
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

/* ------------------------------------------------------------ preconditions */

int model_check_ready(const struct model *m, const struct instance *i, struct error *e)
{
    if (model_damaged(m, i->uuid))
        return error_set(e, -EUNSAFE,
                         "instance %s: the tags of one of its volumes are damaged, so it is left alone; see "
                         "mayfly list",
                         i->name);
    if (i->state == INSTANCE_REBUILDING)
        return error_set(e, -ENEEDSRECOVER,
                         "instance %s: its rebuild was cut off, and what its disks held is gone; run mayfly "
                         "rebuild again, or mayfly delete",
                         i->name);
    for (size_t v = 0; v < i->n_volumes; v++)
        if (i->volumes[v]->state != VOLUME_READY)
            return error_set(
                e, -ENEEDSRECOVER,
                "instance %s: volume %s/%s is %s, since a launch, a delete or an adoption was cut off; run "
                "mayfly recover",
                i->name, i->volumes[v]->vg, i->volumes[v]->lv, volume_state_name(i->volumes[v]->state));
    return 0;
}

int model_lock_ready(const struct context *c, const char *name_or_uuid, struct model **ret_model,
                     const struct instance **ret, struct error *e)
{
    int r = context_check_virt(c, e);
    if (r == 0)
        r = model_lock(c, name_or_uuid, ret_model, ret, e);
    return r < 0 ? r : model_check_ready(*ret_model, *ret, e);
}
