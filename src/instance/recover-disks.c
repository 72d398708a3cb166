/* SPDX-License-Identifier: Apache-2.0 */
/* Recovers one instance that is locked, and maps that belong to none.
 *
 *     lead building    the launch was cut off before it counted: all goes; a scratch volume of bench too
 *     lead adopting    an adoption was cut off before it counted: all are given back
 *     lead doomed      a delete, or the undoing of a launch, was cut off: all goes
 *     lead rebuilding  stays, and is closed: another rebuild, or a delete, ends it
 *     lead ready       stays; of its other disks, adopting ones are marked ready, building or doomed ones go,
 *                      and so does a snapshot; idle maps are closed; without a ready rescue disk its
 *                      domain gets its own definition back
 */
#include "instance/keys-going.h"
#include "instance/recover.h"
#include "instance/removal.h"

#include <stdio.h>

static int may_destroy_keys(const struct recovery *r, const struct removal *removal, struct error *why)
{
    _cleanup_keys_going_ struct keys_going keys = {.n = 0};
    int result = keys_of_going(r->model->inventory, removal->volumes, removal->n_volumes, &keys, why);
    return result < 0 ? result : keys_may_destroy(&r->context, &keys, false, why);
}

static int remove_them(struct recovery *r, struct removal *removal, struct error *why)
{
    _cleanup_steps_ struct steps *s = NULL;
    int result = removal_check(removal, why);
    if (result == 0 && r->dry_run)
        return may_destroy_keys(r, removal, why);
    if (result < 0)
        return result;
    result = steps_new(&s, why);
    if (result == 0)
        result = removal_add_steps(s, removal, why);
    return result < 0 ? result : steps_run(s, &r->context, why);
}

static const char *why_removed(const struct instance *i)
{
    if (volume_is_bench(i->volumes[0]))
        return "a bench was cut off: its scratch volume is removed";
    return i->state == INSTANCE_DOOMED ? "its delete was cut off: finished"
                                       : "its launch was cut off: removed";
}

/* Its domain must be known first: once the volumes are gone, nothing leads there any more. A scratch volume
 * never had one. */
static int remove_whole(struct recovery *r, const struct instance *i, const char *object, struct error *e)
{
    bool doomed = i->state == INSTANCE_DOOMED;
    struct removal removal = removal_of(r->model, i);
    struct error why = ERROR_NONE;
    int result = 0;
    if (!i->domain_known && !volume_is_bench(i->volumes[0]))
        result =
            error_set(&why, -ECONNREFUSED, "it is to be removed, once libvirt can be asked for its domain");
    else
        result = remove_them(r, &removal, &why);
    if (result == -EACCES)
        error_append(&why, "; until then it stays as it is, and cannot be used");
    return recovery_settle(r, doomed ? RECOVER_DELETED : RECOVER_REMOVED, object, why_removed(i), result,
                           &why, e);
}

/* May the domain get its own definition back? */
static int check_may_restore(const struct recovery *r, const struct instance *i, struct error *e)
{
    const struct domain *domain = model_domain_of(r->model, i->uuid);
    if (domain && domain->active && domain->rescued)
        return error_set(e, -EBUSY, "it runs, and its rescue was cut off; run mayfly unrescue %s", i->name);
    return 0;
}

/* Its rescue disk is nowhere to be seen, but its domain would start from it. */
static int forget_rescue(struct recovery *r, const struct instance *i, const char *object, struct error *e)
{
    struct error why = ERROR_NONE;
    const struct domain *domain = model_domain_of(r->model, i->uuid);
    if (!domain || !domain->rescued || instance_rescue_disk(i))
        return 0;
    int result = check_may_restore(r, i, &why);
    if (result == 0 && model_damaged(r->model, i->uuid))
        result =
            error_set(&why, -EUNSAFE, "its rescue disk is not to be seen; see mayfly list for damaged tags");
    if (result == 0 && !r->dry_run)
        result = domain_restore_definition(&r->context, i->uuid, &why);
    return recovery_settle(r, RECOVER_REMOVED, object, "its rescue disk is gone: its definition is put back",
                           result, &why, e);
}

static int remove_disk(struct recovery *r, const struct instance *i, const struct volume *v, struct error *e)
{
    struct removal removal = {.model = r->model, .instance = i, .volumes = &v, .n_volumes = 1};
    struct error why = ERROR_NONE;
    char object[RECOVERED_OBJECT_MAX];
    snprintf(object, sizeof object, "volume %s/%s", v->vg, v->lv);
    int result = 0;
    if (!i->domain_known)
        result = error_set(&why, -ECONNREFUSED,
                           "it is to be removed, once libvirt can be asked whether its domain has it");
    else if (volume_is_rescue(v))
        result = check_may_restore(r, i, &why);
    if (result == 0)
        result = remove_them(r, &removal, &why);
    return recovery_settle(r, RECOVER_REMOVED, object, "this disk was never finished, or was doomed: removed",
                           result, &why, e);
}

static int close_map(struct recovery *r, const struct volume *v, const struct map *map, struct error *e)
{
    struct error why = ERROR_NONE;
    char object[RECOVERED_OBJECT_MAX];
    snprintf(object, sizeof object, "map %s", map->name);
    int result = r->dry_run ? 0 : broker_close(r->context.broker, v, SETTLE_NOW, &why);
    return recovery_settle(r, RECOVER_CLOSED, object, "no running instance uses it: closed", result, &why, e);
}

/* The maps of a ready instance whose domain is known to be idle, but for those that are to stay. */
static int close_idle(struct recovery *r, const struct instance *i, struct error *e)
{
    int result = 0;
    for (size_t n = 0; result == 0 && n < i->n_volumes; n++) {
        const struct volume *v = i->volumes[n];
        const struct map *map = model_map_of(r->model, v);
        struct error why = ERROR_NONE;
        bool durable = false;
        if (v->state != VOLUME_READY || !map || map_stays(map) || !volume_encrypted(v))
            continue;
        if (key_durable(&r->context, v, &durable, &why) < 0) /* a manager that this version does not know */
            result = recovery_remains(r, map->name, -EINVAL, e, "%s", why.text);
        else if (durable)
            result = close_map(r, v, map, e);
    }
    return result;
}

/* The key of a file that has, or has not, got its name: we cannot know, and the owner of the file must. */
static int tell_image_key(struct recovery *r, const struct volume *v, struct error *e)
{
    int result = 0;
    for (size_t i = 0; result == 0 && i < r->keys->n_keys; i++) {
        const struct key_entry *k = &r->keys->keys[i];
        char object[RECOVERED_OBJECT_MAX];
        if (k->info.scope != KEY_SCOPE_IMAGE || !streq(k->info.owner, v->disk))
            continue;
        snprintf(object, sizeof object, "key %.120s", k->ref);
        result = recovery_tell(r, RECOVER_KEPT, object, e,
                               "it is that of the image file that a disk of %s was exported to, if that is "
                               "there; else run mayfly key destroy %s",
                               v->name, k->ref);
    }
    return result;
}

/* Nothing brings back the old data, and only the person who asked for the rebuild knows the image: so the
 * instance stays as it is, closed, and is reported. */
static int close_rebuilding(struct recovery *r, const struct instance *i, const char *object, struct error *e)
{
    int result =
        recovery_remains(r, object, -ENEEDSRECOVER, e,
                         "its rebuild was cut off, and what its disks held is gone; run mayfly rebuild "
                         "again, or mayfly delete");
    for (size_t n = 0; result == 0 && n < i->n_volumes; n++) {
        const struct map *map = model_map_of(r->model, i->volumes[n]);
        if (map)
            result = close_map(r, i->volumes[n], map, e);
    }
    return result;
}

static int recover_snapshot(struct recovery *r, const struct volume *v, struct error *e)
{
    struct error why = ERROR_NONE;
    char object[RECOVERED_OBJECT_MAX];
    snprintf(object, sizeof object, "volume %s/%s", v->vg, v->lv);
    int locked = r->noting ? 0 : broker_lock(r->context.broker, v->disk, &why);
    if (locked == -EBUSY)
        return recovery_tell(r, RECOVER_BUSY, object, e, "a disk is being exported through it");
    int removed = locked < 0 || r->dry_run ? locked : snapshot_remove(&r->context, v, &why);
    broker_unlock(r->context.broker, v->disk);
    int result =
        recovery_settle(r, RECOVER_REMOVED, object, "an export was cut off: removed", removed, &why, e);
    return result == 0 && removed == 0 && v->state == VOLUME_DOOMED ? tell_image_key(r, v, e) : result;
}

int recovery_instance(struct recovery *r, const struct instance *i, struct error *e)
{
    char object[RECOVERED_OBJECT_MAX];
    snprintf(object, sizeof object, "instance %s (%s)", i->name, i->uuid);
    bool headless = volume_is_rescue(i->volumes[0]); /* its own disks are not to be seen */
    if (!headless && (i->state == INSTANCE_BUILDING || i->state == INSTANCE_DOOMED))
        return remove_whole(r, i, object, e);
    if (i->state == INSTANCE_ADOPTING)
        return recovery_release(r, i, e);

    int result = recovery_adopt(r, i, e);
    if (result == 0 && i->snapshot)
        result = recover_snapshot(r, i->snapshot, e);
    for (size_t n = headless ? 0 : 1; result == 0 && n < i->n_volumes; n++)
        if (i->volumes[n]->state == VOLUME_BUILDING || i->volumes[n]->state == VOLUME_DOOMED)
            result = remove_disk(r, i, i->volumes[n], e);
    if (result == 0)
        result = forget_rescue(r, i, object, e);
    if (result == 0 && i->state == INSTANCE_REBUILDING)
        return close_rebuilding(r, i, object, e);
    if (result == 0 && i->domain_known && i->state != INSTANCE_RUNNING)
        result = close_idle(r, i, e);
    return result < 0 ? result : recovery_check_key(r, i, e);
}

bool map_instance(const struct map *map, char uuid[UUID_TEXT])
{
    memcpy(uuid, map->name, UUID_TEXT - 1);
    uuid[UUID_TEXT - 1] = '\0';
    return uuid_valid(uuid) && str_ends(map->name, MAP_NAME_SUFFIX);
}

static bool has_volume(const struct model *m, const struct map *map, const char *uuid)
{
    char name[MAP_NAME_MAX];
    size_t n = 0;
    const struct volume *v = inventory_volumes_of(m->inventory, uuid, &n);
    for (size_t i = 0; i < n; i++) {
        volume_map_name(&v[i], name);
        if (streq(name, map->name))
            return true;
    }
    return false;
}

/* A map whose volume is nowhere to be seen. Its group may just be away, so while a domain of that uuid is
 * known, or libvirt is not, it stays. */
int recovery_orphan_maps(struct recovery *r, struct error *e)
{
    const struct model *m = r->model;
    int result = 0;
    for (size_t i = 0; result == 0 && i < m->inventory->n_maps; i++) {
        const struct map *map = &m->inventory->maps[i];
        struct volume v = {0};
        char object[RECOVERED_OBJECT_MAX];
        if (!map_instance(map, v.instance) || has_volume(m, map, v.instance) ||
            !recovery_takes(r, v.instance))
            continue;
        snprintf(v.lv, sizeof v.lv, "%.*s", (int)(strlen(map->name) - strlen(MAP_NAME_SUFFIX)), map->name);
        memcpy(v.vg, r->context.config->volume_groups.item[0], VG_NAME_MAX - 1);
        snprintf(object, sizeof object, "map %s", map->name);
        if (!r->context.virt || model_domain_of(m, v.instance) || model_damaged(m, v.instance))
            result =
                recovery_remains(r, object, -ENEEDSRECOVER, e,
                                 "its volume is not to be seen, but its instance may need it; see vgs and "
                                 "virsh list --all");
        else if (!map_stays(map))
            result = close_map(r, &v, map, e);
    }
    return result;
}
