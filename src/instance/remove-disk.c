/* SPDX-License-Identifier: Apache-2.0 */
/* mayfly remove-disk: destroys one ephemeral disk.
 *
 *     lock | guest lets go | no one holds it | DOOMED -> definition -> closed -> volume removed
 *
 * Until the mark a start of the domain brings everything back. After the mark removal.c only goes forward.
 */
#include "base/audit.h"
#include "instance/drift.h"
#include "instance/lock.h"
#include "instance/operations.h"
#include "instance/removal.h"

struct disk_removal {
    const struct volume *v;
    unsigned timeout_sec;
    struct removal removal;
};

static int leave_guest(const struct context *c, void *object, struct error *e)
{
    const struct disk_removal *d = object;
    return disk_detach_from_guest(c, d->v, d->timeout_sec, e);
}

/* Gives the disk back to the guest, which may have kept it, or have ended. */
static int leave_guest_undo(const struct context *c, void *object, struct error *e)
{
    const struct volume *v = ((struct disk_removal *)object)->v;
    char path[DEVICE_PATH_MAX];
    const struct domain_disk disk = disk_of_domain(c, v, path);
    struct domain domain;
    bool there = false;
    int r = virt_find_uuid(c->virt, v->instance, &domain, e);
    if (r == 0)
        r = virt_has_disk(c->virt, v->instance, path, DOMAIN_GUEST, &there, e);
    if (r < 0 || there || !domain.active)
        return r;
    return virt_attach_disk(c->virt, v->instance, &disk, DOMAIN_GUEST, e);
}

/* Checks that nothing on the host, such as a mount, holds the disk: it would stay open, doomed. */
static int check_unheld(const struct context *c, void *object, struct error *e)
{
    const struct volume *v = ((struct disk_removal *)object)->v;
    _cleanup_inventory_ struct inventory *now = NULL;
    char name[DOMAIN_NAME_MAX];
    int r = broker_list(c->broker, &now, e);
    const struct map *map = r == 0 ? inventory_map_of(now, v) : NULL;
    if (r < 0 || !map || map->open_count == 0)
        return r;
    return error_set(e, -EBUSY,
                     "instance %s: something on this host uses disk %s (%s); see lsof, and umount it",
                     context_name(c, v, name), v->role, map->name);
}

static int find_disk(const struct instance *i, const char *role, const struct volume **ret, struct error *e)
{
    *ret = instance_disk(i, role);
    if (!str_starts(*ret ? (*ret)->role : role, "eph"))
        return error_set(e, -EINVAL,
                         "instance %s: %s is not an ephemeral disk, so it cannot be removed; mayfly show %s "
                         "lists its disks",
                         i->name, role, i->name);
    if (!*ret)
        return error_set(e, -ENOENT, "instance %s: has no disk %s; mayfly show %s lists its disks", i->name,
                         role, i->name);
    if (*ret != i->volumes[0])
        return 0;
    return error_set(e, -EINVAL, "instance %s: %s is its first disk, which it needs; run mayfly delete %s",
                     i->name, role, i->name);
}

/* Checks that definition and guest have the disk itself, and nothing else leads to it. */
static int check_drift(const struct context *c, const struct model *m, const struct instance *i,
                       const struct volume *v, struct error *e)
{
    const struct drift_need needs = {
        .cannot = "cannot lose a disk",
        .refused = DRIFT(TRANSIENT) | DRIFT(SAVED) | DRIFT(HALTED) | DRIFT(ENDING) | DRIFT(HELD) |
                   DRIFT_ELSEWHERE | DRIFT(BARE),
        .disk = v,
    };
    return drift_check(c, m, i, &needs, e);
}

static int make_plan(const struct instance *i, struct disk_removal *d, struct steps **ret, struct error *e)
{
    _cleanup_steps_ struct steps *s = NULL;
    int r = steps_new(&s, e);
    if (r == 0 && i->state == INSTANCE_RUNNING)
        r = steps_add(s, leave_guest, leave_guest_undo, d, e, "wait until the guest of %s lets go of disk %s",
                      i->name, d->v->role);
    if (r == 0 && volume_encrypted(d->v))
        r = steps_add(s, check_unheld, NULL, d, e, "see that nothing holds disk %s of %s", d->v->role,
                      i->name);
    if (r == 0)
        r = removal_add_steps(s, &d->removal, e);
    if (r < 0)
        return r;
    *ret = TAKE_PTR(s);
    return 0;
}

int instance_remove_disk(const struct context *c, const struct remove_disk_request *q, bool *ret_changed,
                         struct steps **ret_plan, struct error *e)
{
    _cleanup_model_ struct model *m = NULL;
    _cleanup_steps_ struct steps *s = NULL;
    const struct instance *i = NULL;
    struct disk_removal d = {.timeout_sec = q->timeout_sec};

    int r = model_lock_ready(c, q->name, &m, &i, e);
    if (r == 0)
        r = model_check_not_in_rescue(i, e);
    if (r == 0)
        r = find_disk(i, q->role, &d.v, e);
    if (r == 0 && d.v)
        r = check_drift(c, m, i, d.v, e);
    if (r < 0)
        return r;
    d.removal = (struct removal){.model = m, .instance = i, .volumes = &d.v, .n_volumes = d.v ? 1 : 0};
    r = d.v ? model_check_no_dependents(m, &d.v, 1, e) : 0;
    if (r == 0)
        r = d.v ? make_plan(i, &d, &s, e) : steps_new(&s, e);
    if (r == 0 && !q->dry_run)
        r = audit_instance("remove-disk", i->uuid, i->name, steps_run(s, c, e), e);
    if (r < 0)
        return r;
    *ret_changed = d.v;
    steps_hand_over(&s, ret_plan);
    return 0;
}
