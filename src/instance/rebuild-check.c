/* SPDX-License-Identifier: Apache-2.0 */
/* The checks before a rebuild. */
#include "instance/drift.h"
#include "instance/keys-going.h"
#include "instance/keys.h"
#include "instance/rebuild-internal.h"

#include <inttypes.h>
#include <stdio.h>

static int check_volumes(const struct model *m, const struct instance *i, struct error *e)
{
    if (model_damaged(m, i->uuid))
        return model_check_ready(m, i, e);
    for (size_t n = 0; n < i->n_volumes; n++)
        if (i->volumes[n]->state != VOLUME_READY && i->volumes[n]->state != VOLUME_REBUILDING)
            return error_set(
                e, -ENEEDSRECOVER,
                "instance %s: cannot be rebuilt: its volume %s/%s is %s; run mayfly recover first", i->name,
                i->volumes[n]->vg, i->volumes[n]->lv, volume_state_name(i->volumes[n]->state));
    return 0;
}

/* The domain is ended, and the data of its disks is lost. Nothing that remembers the old data may stay beside
 * the new disks: no managed save, no overlay, no mount. */
static const struct drift_need needs = {
    .cannot = "cannot be rebuilt",
    .refused = DRIFT(UNDEFINED) | DRIFT(TRANSIENT) | DRIFT(SAVED) | DRIFT(HELD) | DRIFT_ELSEWHERE |
               DRIFT(BARE) | DRIFT(OTHER_ENGINE),
    .told = DRIFT(MISSING),
};

static int check_domain(struct rebuild *r, struct error *e)
{
    const struct domain *domain = model_domain_of(r->model, r->instance->uuid);
    r->running = domain && domain->active;
    return drift_check(r->new.context, r->model, r->instance, &needs, e);
}

static int check_image(struct rebuild *r, struct error *e)
{
    const struct volume *root = r->instance->volumes[0];
    const char *path = r->new.image_path;
    char image[32], disk[32];
    if (path && !streq(root->role, "root"))
        return error_set(e, -EINVAL, "image %s: instance %s has no root disk to write it to", path,
                         r->instance->name);
    int result = wanted_image_open(r->new.context, &r->request->image, &r->new.image, e);
    if (result < 0 || !r->new.image || image_size_bytes(r->new.image) <= root->size_bytes)
        return result;
    return error_set(e, -EINVAL, "image %s: its %s (%" PRIu64 " bytes) do not fit the root disk of %s, of %s",
                     path, str_from_bytes(image_size_bytes(r->new.image), image, sizeof image),
                     image_size_bytes(r->new.image), r->instance->name,
                     str_from_bytes(root->size_bytes, disk, sizeof disk));
}

/* Checks that all disks that may need the old key are seen, since the key is destroyed: none is in a missing
 * group, none is without tags. */
static int check_all_seen(const struct rebuild *r, struct error *e)
{
    const struct config *c = r->new.context->config;
    const struct inventory *inventory = r->model->inventory;
    for (size_t n = 0; n < c->volume_groups.n; n++) {
        const struct group *group = inventory_group(inventory, c->volume_groups.item[n]);
        if (!group || !group->complete)
            return error_set(e, -EUNSAFE,
                             "instance %s: cannot be rebuilt: volume group %s is missing, or lacks a "
                             "physical volume, and may hold a disk that needs the key; see vgs and pvs",
                             r->instance->name, c->volume_groups.item[n]);
    }
    for (size_t n = 0; n < inventory->n_untagged; n++)
        if (streq(inventory->untagged[n].instance, r->instance->uuid))
            return error_set(e, -EUNSAFE,
                             "instance %s: cannot be rebuilt: a volume of its name in group %s has no "
                             "Mayfly tags, and may need the key; mend or remove that volume first",
                             r->instance->name, inventory->untagged[n].vg);
    return 0;
}

/* Checks that the new key, which lasts as long as the disks are open, does not end with the rebuild, or while
 * the guest runs. Whoever has files and ephemeral keys has chosen that they end with each guest. */
static int check_key_lasts(const struct rebuild *r, struct error *e)
{
    const char *name = r->instance->name, *km = r->new.km->ops->name;
    bool durable = false; /* the old one: else the disks stay open between guests */
    int result = key_durable(r->new.context, r->instance->volumes[0], &durable, e);
    if (result == 0 && instance_is_served(r->instance) && !volume_in_folder(r->instance->volumes[0]))
        return error_set(
            e, -EINVAL,
            "instance %s: cannot be rebuilt: key manager %s keeps a key only while the disks are "
            "open, and the process that serves them ends with the guest; set another backend, or "
            "run mayfly set-engine %s dm-crypt first",
            name, km, name);
    if (result == 0 && durable && !r->running)
        return error_set(
            e, -EINVAL,
            "instance %s: cannot be rebuilt: key manager %s keeps a key only while the disks are "
            "open, and those of a stopped instance are closed; start it first, or set another "
            "backend",
            name, km);
    return result;
}

/* Checks the keys to be destroyed, and opens the manager of the new one. */
static int check_keys(struct rebuild *r, struct error *e)
{
    const struct context *c = r->new.context;
    const struct instance *i = r->instance;
    _cleanup_keys_going_ struct keys_going keys = {.n = 0};
    int result = keys_of_going(r->model->inventory, i->volumes, i->n_volumes, &keys, e);
    if (result == 0)
        result = keys_may_destroy(c, &keys, true, e);
    if (result < 0)
        error_prefix(e, "instance %s: cannot be rebuilt: ", i->name);
    for (size_t n = 0; result == 0 && !r->new.km &&n < i->n_volumes; n++)
        if (volume_encrypted(i->volumes[n]))
            result = context_keymgr(c, c->config->key_backend, &r->new.km, e);
    if (result == 0 && r->new.km && !r->new.km->durable)
        result = check_key_lasts(r, e);
    return result;
}

/* Checks the seed, which the instance keeps by default. It must be readable then: only the guest reads a
 * plain disk that is ready, and a disk with an ephemeral key is never opened again. */
static int check_seed(struct rebuild *r, struct error *e)
{
    const struct instance *i = r->instance;
    const struct volume *old = NULL;
    bool durable = false;
    for (size_t n = 0; n < i->n_volumes; n++)
        if (volume_is_seed(i->volumes[n]))
            old = i->volumes[n];
    if (!old && seed_wanted(&r->request->seed))
        return error_set(e, -EINVAL,
                         "instance %s: cannot be rebuilt: it has no seed disk, and a rebuild adds none; "
                         "leave out --ssh-key, "
                         "--user-data and --hostname, or launch another instance",
                         i->name);
    if (!old || seed_wanted(&r->request->seed))
        return wanted_seed_check(r->new.context, &r->request->seed, i->name, e);
    int result = volume_encrypted(old) ? key_durable(r->new.context, old, &durable, e) : 0;
    if (result < 0)
        return result;
    if (!durable || old->state != VOLUME_READY)
        return error_set(e, -EINVAL,
                         "instance %s: cannot be rebuilt: the contents of its seed disk cannot be kept, "
                         "since %s; use --hostname, --ssh-key or --user-data for a new one",
                         i->name,
                         old->state != VOLUME_READY ? "a rebuild that was cut off has replaced it"
                         : !volume_encrypted(old)   ? "it is plain"
                                                    : "its key is ephemeral");
    r->keeps_seed = old;
    return 0;
}

/* Reads the seed from the old disk, which may be open for a guest or a person; else it is closed again at
 * once. */
int rebuild_keep_seed(const struct context *c, void *rebuild, struct error *e)
{
    struct rebuild *r = rebuild;
    const struct volume *old = r->keeps_seed;
    const struct map *map = model_map_of(r->model, old);
    _cleanup_secret_ struct secret *key = NULL;
    _cleanup_opened_ struct opened disk = OPENED_NONE;
    struct error why = ERROR_NONE;
    int result = key_fetch(c, old, &key, &why);
    if (result == 0)
        result = disk_open(c, old, key, map ? map_use(map) : MAP_FOR_DOMAIN, SETTLE_NOW, &disk, &why);
    if (result == 0)
        result = c->read_seed(&disk, &r->kept_seed, &why);
    if (disk.fd >= 0 && !map) {
        opened_close(&disk);
        int closed_r = disk_close(c, old, SETTLE_NOW, &why);
        result = result < 0 ? result : closed_r;
    }
    r->new.seed = r->kept_seed;
    if (result == 0)
        return 0;
    error_append(&why, "; the contents of its seed disk cannot be kept: use --hostname, --ssh-key or "
                       "--user-data for a new one");
    return error_pass(e, result, &why);
}

int rebuild_check(struct rebuild *r, struct error *e)
{
    const struct context *c = r->new.context;
    int result = check_volumes(r->model, r->instance, e);
    if (result == 0)
        result = model_check_not_in_rescue(r->instance, e);
    if (result == 0)
        result = check_domain(r, e);
    if (result == 0)
        result = model_check_no_dependents(r->model, r->instance->volumes, r->instance->n_volumes, e);
    if (result == 0)
        result = check_all_seen(r, e);
    if (result == 0)
        result = check_keys(r, e);
    if (result == 0)
        result = check_seed(r, e);
    if (result == 0)
        result = disks_look(c, r->model, r->instance, MAP_FOR_DOMAIN, &r->disks, e);
    return result < 0 ? result : check_image(r, e);
}
