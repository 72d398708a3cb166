/* SPDX-License-Identifier: Apache-2.0 */
/* mayfly resize: one disk grows, from below to the guest.
 *
 *     fetch the key -> volume -> map -> guest
 *
 * Nothing is undone: the disk is whole after each step, only the layers above do not see the new size yet.
 * The next resize to the same size, or the next opening of the disk, does the rest. A dm-crypt table must
 * contain its key, and the kernel does not hand out the key of an existing table. So an open map needs the
 * key once more, and a map whose key exists only in the kernel cannot grow.
 */
#include "base/audit.h"
#include "instance/disks.h"
#include "instance/drift.h"
#include "instance/group.h"
#include "instance/keys.h"
#include "instance/lock.h"
#include "instance/operations.h"

#define SIZE_MAX_BYTES (UINT64_C(1) << 60)

struct resizing {
    const struct instance *instance;
    const struct volume *volume;
    const struct map *map; /* NULL: closed, or plain */
    const struct group *group;
    uint64_t size_bytes;   /* the new size */
    struct secret *secret; /* while its map is to be grown */
};

/* ------------------------------------------------------------------- checks */

static int find_disk(const struct instance *i, const char *role, const struct volume **ret, struct error *e)
{
    *ret = instance_disk(i, role);
    if (*ret)
        return 0;
    return error_set(e, -ENOENT, "instance %s: has no disk %.16s; see mayfly show %s", i->name, role,
                     i->name);
}

/* Rounds up to whole extents, and to whole sectors if extents are smaller; both are powers of two then. */
static uint64_t round_up(const struct resizing *r, uint64_t bytes)
{
    uint64_t sector = r->volume->sector_bytes ? r->volume->sector_bytes : 512;
    return group_round_up(r->group, (bytes + sector - 1) / sector * sector);
}

static int check_size(const struct resizing *r, struct error *e)
{
    const struct volume *v = r->volume;
    char has[32], wanted[32];
    str_from_bytes(v->size_bytes, has, sizeof has);
    str_from_bytes(r->size_bytes, wanted, sizeof wanted);
    if (r->size_bytes < v->size_bytes)
        return error_set(
            e, -EUNSAFE,
            "instance %s: its disk %s has %s, and cannot be made smaller: data at its end would be lost",
            r->instance->name, v->role, has);
    if (r->size_bytes - v->size_bytes <= r->group->free_bytes)
        return 0;
    return error_set(
        e, -ENOSPC,
        "instance %s: its disk %s cannot grow from %s to %s: volume group %s has %s free; delete "
        "instances, or extend the group by vgextend",
        r->instance->name, v->role, has, wanted, v->vg, str_from_room(r->group->free_bytes, has, sizeof has));
}

static int check_key(const struct context *c, const struct resizing *r, struct error *e)
{
    bool durable = true;
    int result = volume_encrypted(r->volume) ? key_durable(c, r->volume, &durable, e) : 0;
    if (result < 0 || durable)
        return result;
    return error_set(e, -EINVAL,
                     "instance %s: its disk %s cannot grow: its key is ephemeral: it exists only in the "
                     "kernel, which cannot hand it back for a longer map; launch a larger instance, or "
                     "rebuild it with a key manager that keeps keys",
                     r->instance->name, r->volume->role);
}

/* Checks that the disk that grows is the one that the guest writes to. */
static int check_drift(const struct context *c, const struct model *m, const struct resizing *r,
                       struct error *e)
{
    const struct drift_need needs = {
        .cannot = "cannot be resized",
        .refused = DRIFT(SAVED) | DRIFT_ELSEWHERE | DRIFT(BARE),
        .told = DRIFT(NOT_IN_GUEST),
        .disk = r->volume,
    };
    return drift_check(c, m, r->instance, &needs, e);
}

/* Checks whether the disk can grow. -ENOENT, -EINVAL, -EUNSAFE, -ENOSPC, -EBUSY. */
static int find_growth(const struct context *c, const struct model *m, const struct resize_request *q,
                       struct resizing *r, struct error *e)
{
    int result = find_disk(r->instance, q->role, &r->volume, e);
    if (result < 0)
        return result;
    uint64_t bytes = q->size_bytes;
    if (bytes == 0 || (q->more && __builtin_add_overflow(bytes, r->volume->size_bytes, &bytes)) ||
        bytes > SIZE_MAX_BYTES)
        return error_set(e, -EINVAL, "instance %s: no disk can have such a size", r->instance->name);
    r->group = inventory_group(m->inventory, r->volume->vg);
    if (!r->group)
        return error_set(e, -ENOENT, "volume group %s: does not exist any more", r->volume->vg);
    r->size_bytes = str_bytes_same(bytes, r->volume->size_bytes) ? r->volume->size_bytes : round_up(r, bytes);
    r->map = volume_encrypted(r->volume) ? model_map_of(m, r->volume) : NULL;
    result = check_key(c, r, e);
    if (result == 0)
        result = check_drift(c, m, r, e);
    return result < 0 ? result : check_size(r, e);
}

/* -------------------------------------------------------------------- steps */

static int fetch_key(const struct context *c, void *resizing, struct error *e)
{
    struct resizing *r = resizing;
    return key_fetch(c, r->volume, &r->secret, e);
}

static int grow_volume(const struct context *c, void *resizing, struct error *e)
{
    const struct resizing *r = resizing;
    return broker_resize(c->broker, r->volume, r->size_bytes, e);
}

static int grow_map(const struct context *c, void *resizing, struct error *e)
{
    struct resizing *r = resizing;
    int result = disk_open(c, r->volume, r->secret, map_use(r->map), SETTLE_NOW, NULL, e);
    r->secret = secret_free(r->secret);
    return result;
}

static int tell_guest(const struct context *c, void *resizing, struct error *e)
{
    const struct resizing *r = resizing;
    char path[DEVICE_PATH_MAX];
    bool has = false;
    volume_device_path(r->volume, path);
    int result = virt_has_disk(c->virt, r->instance->uuid, path, DOMAIN_GUEST, &has, e);
    if (result < 0 || !has) /* it was detached from the guest, which sees the new size at its next start */
        return result;
    return virt_resize_disk(c->virt, r->instance->uuid, path, r->size_bytes, e);
}

static int add_steps(struct steps *s, struct resizing *r, bool *ret_changes, struct error *e)
{
    const struct volume *v = r->volume;
    bool volume = v->size_bytes < r->size_bytes, map = r->map && r->map->size_bytes < r->size_bytes;
    char has[32], wanted[32];
    str_from_bytes(v->size_bytes, has, sizeof has);
    str_from_bytes(r->size_bytes, wanted, sizeof wanted);
    int result = 0;
    if (map)
        result = steps_add(s, fetch_key, NULL, r, e, "fetch the key of %s", r->instance->name);
    if (result == 0 && volume)
        result = steps_add(s, grow_volume, NULL, r, e, "extend volume %s/%s from %s to %s", v->vg, v->lv, has,
                           wanted);
    if (result == 0 && map)
        result = steps_add(s, grow_map, NULL, r, e, "make the map of %s as long", v->lv);
    /* a process that serves the disk tells the guest itself when the map has grown; libvirt cannot */
    if (result == 0 && r->instance->state == INSTANCE_RUNNING && !volume_served(v))
        result = steps_add(s, tell_guest, NULL, r, e, "tell the guest of %s", r->instance->name);
    *ret_changes = volume || map;
    return result;
}

static int resize(const struct context *c, const struct resize_request *q, struct resizing *r,
                  bool *ret_changed, struct steps **ret_plan, struct error *e)
{
    _cleanup_steps_ struct steps *s = NULL;
    bool changes = false;
    int result = steps_new(&s, e);
    if (result == 0)
        result = add_steps(s, r, &changes, e);
    if (result == 0 && !q->dry_run)
        result = steps_run(s, c, e);
    if (changes && !q->dry_run)
        audit_instance("resize", r->instance->uuid, r->instance->name, result, e);
    r->secret = secret_free(r->secret);
    if (result < 0)
        return result;
    *ret_changed = changes;
    steps_hand_over(&s, ret_plan);
    return 0;
}

int instance_resize(const struct context *c, const char *name, const struct resize_request *q,
                    bool *ret_changed, struct steps **ret_plan, struct error *e)
{
    _cleanup_model_ struct model *m = NULL;
    struct resizing resizing = {.secret = NULL};
    int r = model_lock_ready(c, name, &m, &resizing.instance, e);
    if (r == 0)
        r = find_growth(c, m, q, &resizing, e);
    return r < 0 ? r : resize(c, q, &resizing, ret_changed, ret_plan, e);
}
