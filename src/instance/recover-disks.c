/* SPDX-License-Identifier: Apache-2.0 */
/* Recovers one instance that is locked, and maps without an instance.
 *
 * The state of the first disk decides:
 *
 *     building    a launch was cut off before its commit point: all is removed;
 *                 so is a scratch volume of bench
 *     adopting    an adoption was cut off before its commit point: all disks are given back
 *     doomed      a delete, or the undoing of a launch, was cut off: all is removed
 *     rebuilding  the instance stays, and is closed: another rebuild, or a delete, ends this state
 *     ready       the instance stays. Of its other disks, adopting ones are marked ready, building and
 *                 doomed ones are removed. A snapshot is removed. Idle maps are closed. Without a
 *                 ready rescue disk the domain gets its own definition back
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

static int run_removal(struct recovery *r, struct removal *removal, struct error *why)
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

/* Needs the domain: once the volumes are gone, nothing leads to it any more. A scratch volume never had one.
 */
static int remove_whole(struct recovery *r, const struct instance *i, struct error *e)
{
    bool doomed = i->state == INSTANCE_DOOMED;
    struct removal removal = removal_of(r->model, i);
    const struct subject about = subject_instance(i);
    struct error why = ERROR_NONE;
    int result = 0;
    if (!i->domain_known && !volume_is_bench(i->volumes[0]))
        result = error_set(&why, -ECONNREFUSED,
                           "it is removed once libvirt can be reached to look for its domain");
    else
        result = run_removal(r, &removal, &why);
    if (result == -EACCES)
        error_append(&why, "; until then it stays as it is, and cannot be used");
    return recovery_settle(r, doomed ? RECOVER_DELETED : RECOVER_REMOVED, &about, why_removed(i), result,
                           &why, e);
}

/* Checks that the domain may get its own definition back. */
static int check_may_restore(const struct recovery *r, const struct instance *i, struct error *e)
{
    const struct domain *domain = model_domain_of(r->model, i->uuid);
    if (domain && domain->active && domain->rescued)
        return error_set(e, -EBUSY, "its guest runs, and its rescue was cut off; run mayfly unrescue %s",
                         i->name);
    return 0;
}

/* Restores the definition of a domain that would start from a rescue disk which is not there. */
static int end_lost_rescue(struct recovery *r, const struct instance *i, struct error *e)
{
    struct error why = ERROR_NONE;
    const struct subject about = subject_instance(i);
    const struct domain *domain = model_domain_of(r->model, i->uuid);
    if (!domain || !domain->rescued || instance_rescue_disk(i))
        return 0;
    int result = check_may_restore(r, i, &why);
    if (result == 0 && model_damaged(r->model, i->uuid))
        result =
            error_set(&why, -EUNSAFE, "its rescue disk cannot be found; see mayfly list for damaged tags");
    if (result == 0 && !r->dry_run)
        result = domain_restore_definition(&r->context, i->uuid, &why);
    return recovery_settle(r, RECOVER_REMOVED, &about, "its rescue disk is gone: its definition is put back",
                           result, &why, e);
}

static int remove_disk(struct recovery *r, const struct instance *i, const struct volume *v, struct error *e)
{
    struct removal removal = {.model = r->model, .instance = i, .volumes = &v, .n_volumes = 1};
    struct error why = ERROR_NONE;
    const struct subject about = subject_volume(v->instance, v->vg, v->lv);
    int result = 0;
    if (!i->domain_known)
        result = error_set(&why, -ECONNREFUSED,
                           "it is removed once libvirt can be reached to tell whether its domain has it");
    else if (volume_is_rescue(v))
        result = check_may_restore(r, i, &why);
    if (result == 0)
        result = run_removal(r, &removal, &why);
    return recovery_settle(r, RECOVER_REMOVED, &about, "this disk was never finished, or was doomed: removed",
                           result, &why, e);
}

static int close_map(struct recovery *r, const struct volume *v, const struct map *map, struct error *e)
{
    struct error why = ERROR_NONE;
    const struct subject about = subject_map(v->instance, map);
    int result = r->dry_run ? 0 : broker_close(r->context.broker, v, SETTLE_NOW, &why);
    return recovery_settle(r, RECOVER_CLOSED, &about, "no running instance uses it: closed", result, &why, e);
}

/* Closes the maps of an instance whose domain does not run, except maps that a person has opened. */
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
        const struct subject about = subject_map(v->instance, map);
        if (key_durable(&r->context, v, &durable, &why) < 0) /* a manager that this version does not know */
            result = recovery_remains(r, &about, -EINVAL, e, "%s", why.text);
        else if (durable)
            result = close_map(r, v, map, e);
    }
    return result;
}

/* Reports the key of an image file: only the owner of the file knows whether it got its name, and so needs
 * the key. */
static int tell_image_key(struct recovery *r, const struct volume *v, struct error *e)
{
    int result = 0;
    for (size_t i = 0; result == 0 && i < r->keys->n_keys; i++) {
        const struct key_entry *k = &r->keys->keys[i];
        if (k->info.scope != KEY_SCOPE_IMAGE || !streq(k->info.owner, v->disk))
            continue;
        const struct subject about = subject_key(v->instance, k->ref);
        result = recovery_tell(r, RECOVER_KEPT, &about, e,
                               "it is the key of the image file that a disk of %s was exported to; if there "
                               "is no such file, run mayfly key destroy %s",
                               v->name, k->ref);
    }
    return result;
}

/* Closes the instance, which otherwise stays as it is: nothing brings back the old data, and only the person
 * who began the rebuild knows the image. */
static int close_rebuilding(struct recovery *r, const struct instance *i, struct error *e)
{
    const struct subject about = subject_instance(i);
    int result = recovery_remains(r, &about, -ENEEDSRECOVER, e,
                                  "its rebuild was cut off, and the data of its disks is gone; run mayfly "
                                  "rebuild again, or mayfly delete");
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
    const struct subject about = subject_volume(v->instance, v->vg, v->lv);
    int locked = r->planning ? 0 : broker_lock(r->context.broker, v->disk, &why);
    if (locked == -EBUSY)
        return recovery_tell(r, RECOVER_BUSY, &about, e, "a disk is being exported through it");
    int removed = locked < 0 || r->dry_run ? locked : snapshot_remove(&r->context, v, &why);
    if (!r->planning && locked == 0)
        broker_unlock(r->context.broker, v->disk);
    int result =
        recovery_settle(r, RECOVER_REMOVED, &about, "an export was cut off: removed", removed, &why, e);
    return result == 0 && removed == 0 && v->state == VOLUME_DOOMED ? tell_image_key(r, v, e) : result;
}

int recovery_instance(struct recovery *r, const struct instance *i, struct error *e)
{
    bool headless = volume_is_rescue(i->volumes[0]); /* none of its own disks is seen */
    if (!headless && (i->state == INSTANCE_BUILDING || i->state == INSTANCE_DOOMED))
        return remove_whole(r, i, e);
    if (i->state == INSTANCE_ADOPTING)
        return recovery_release(r, i, e);

    int result = recovery_adopt(r, i, e);
    if (result == 0 && i->snapshot)
        result = recover_snapshot(r, i->snapshot, e);
    for (size_t n = headless ? 0 : 1; result == 0 && n < i->n_volumes; n++)
        if (i->volumes[n]->state == VOLUME_BUILDING || i->volumes[n]->state == VOLUME_DOOMED)
            result = remove_disk(r, i, i->volumes[n], e);
    if (result == 0)
        result = end_lost_rescue(r, i, e);
    if (result == 0)
        result = recovery_engine(r, i, e);
    if (result == 0 && i->state == INSTANCE_REBUILDING)
        return close_rebuilding(r, i, e);
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

/* True if a missing volume may be needed: its volume group may just be absent. */
static bool may_be_needed(const struct recovery *r, const char *uuid)
{
    return !r->context.virt || model_domain_of(r->model, uuid) || model_damaged(r->model, uuid);
}

/* Describes the map as broker_close() takes it: a volume of which only the names are known. */
static struct volume volume_of_map(const struct recovery *r, const struct map *map, const char *uuid)
{
    struct volume v = {0};
    memcpy(v.instance, uuid, sizeof v.instance);
    snprintf(v.lv, sizeof v.lv, "%.*s", (int)(strlen(map->name) - strlen(MAP_NAME_SUFFIX)), map->name);
    memcpy(v.vg, r->context.config->volume_groups.item[0], VG_NAME_MAX - 1);
    return v;
}

int recovery_orphan_maps(struct recovery *r, struct error *e)
{
    const struct model *m = r->model;
    int result = 0;
    for (size_t i = 0; result == 0 && i < m->inventory->n_maps; i++) {
        const struct map *map = &m->inventory->maps[i];
        char uuid[UUID_TEXT];
        if (!map_instance(map, uuid) || has_volume(m, map, uuid) || !recovery_may_act(r, uuid))
            continue;
        const struct subject about = subject_map(uuid, map);
        const struct volume v = volume_of_map(r, map, uuid);
        if (may_be_needed(r, uuid))
            result = recovery_remains(r, &about, -ENEEDSRECOVER, e,
                                      "its volume cannot be found, but its instance may need it; see vgs and "
                                      "virsh list --all");
        else if (!map_stays(map))
            result = close_map(r, &v, map, e);
    }
    return result;
}
