/* SPDX-License-Identifier: Apache-2.0 */
/* mayfly rescue: the instance starts from a disk with a rescue image; its own disks follow that one.
 *
 *     create, open, fill | stop | open its own disks | definition | READY | start
 *       while it runs                                           commit point
 *
 * Before the commit point recover undoes the rescue. After it the instance is in rescue, also over stops and
 * starts. The rescue disk is encrypted like the other disks, with a key of its own derived from the same
 * secret. It lies in the group of the first disk, so it is never seen alone.
 */
#include "instance/rescue.h"

#include "base/audit.h"
#include "base/fd.h"
#include "instance/drift.h"
#include "instance/group.h"
#include "instance/keys.h"
#include "instance/lock.h"
#include "keys/derive.h"
#include "virt/rescue-xml.h"

#include <inttypes.h>
#include <stdio.h>

/* ------------------------------------------------------------------- checks */

/* Returns the disk whose parameters the rescue disk gets: an encrypted one, if there is one. */
static const struct volume *model_disk(const struct instance *i)
{
    for (size_t n = 0; n < i->n_volumes; n++)
        if (volume_encrypted(i->volumes[n]))
            return i->volumes[n];
    return i->volumes[0];
}

/* The domain is ended, and started from another definition. */
static const struct drift_need needs = {
    .cannot = "cannot be rescued",
    .refused = DRIFT(UNDEFINED) | DRIFT(TRANSIENT) | DRIFT(SAVED) | DRIFT(HELD) | DRIFT(BLOCK_COPY) |
               DRIFT(BARE) | DRIFT(OTHER_ENGINE),
    .told = DRIFT(OVERLAY) | DRIFT(REPLACED) | DRIFT(MISSING),
};

/* The program that defines the domain changes its definition, before or after. */
static const struct drift_need needs_of_disk = {.cannot = "cannot be given a rescue disk",
                                                .refused = DRIFT(SAVED) | DRIFT(BARE)};

static int check_not_ours(const struct rescue *r, struct error *e)
{
    const struct domain *domain = model_domain_of(r->model, r->instance->uuid);
    if (!r->request->disk_only || !domain || !domain->ours)
        return 0;
    return error_set(e, -EINVAL,
                     "instance %s: its domain was defined by Mayfly, which rescues it as a whole; leave out "
                     "--disk-only",
                     r->instance->name);
}

static int check_instance(const struct context *c, const struct rescue *r, struct error *e)
{
    const struct instance *i = r->instance;
    bool durable = true;
    int result = model_check_ready(r->model, i, e);
    if (result < 0)
        return result;
    result = check_not_ours(r, e);
    if (result == 0)
        result = drift_check(c, r->model, i, r->request->disk_only ? &needs_of_disk : &needs, e);
    if (result < 0)
        return result;
    if (!volume_encrypted(model_disk(i)) && c->config->encryption_enabled)
        return error_set(e, -EUNSAFE,
                         "instance %s: its disks are plain, so there is no key for a rescue disk, which must "
                         "be encrypted: enabled is true in [ephemeral_storage_encryption]",
                         i->name);
    if (volume_encrypted(model_disk(i)))
        result = key_durable(c, model_disk(i), &durable, e);
    if (result == 0 && !durable)
        return error_set(e, -EINVAL,
                         "instance %s: cannot be rescued: its key is ephemeral, so no other disk can be "
                         "encrypted with it; run mayfly stop, and look at its disks from the host",
                         i->name);
    return result;
}

static void design_disk(const struct context *c, struct rescue *r, const struct group *group)
{
    uint64_t bytes = r->request->root_bytes ? r->request->root_bytes : image_size_bytes(r->image);
    r->v = *model_disk(r->instance);
    memcpy(r->v.vg, r->instance->volumes[0]->vg, sizeof r->v.vg);
    r->v.size_bytes = group_round_up(group, bytes);
    r->v.state = VOLUME_BUILDING;
    broker_disk_uuid(c->broker, r->v.disk);
    snprintf(r->v.role, sizeof r->v.role, ROLE_RESCUE);
    memset(r->v.fs, 0, sizeof r->v.fs); /* the image brings its file system */
    volume_set_lv_name(&r->v);
    if (!volume_encrypted(&r->v))
        return;
    snprintf(r->v.kdf, sizeof r->v.kdf, "%s", KDF_HKDF_SHA512);
    if (r->v.size_bytes % r->v.sector_bytes)
        r->v.sector_bytes = 512;
}

static int check_image(const struct context *c, struct rescue *r, struct error *e)
{
    const struct rescue_request *q = r->request;
    const char *vg = r->instance->volumes[0]->vg;
    const struct group *group = inventory_group(r->model->inventory, vg);
    char image[32];
    if (!group || !group->complete)
        return error_set(
            e, -ENODEV,
            "volume group %s: cannot create volumes: one of its physical volumes is missing; see pvs", vg);
    int result = wanted_image_open(c, &q->image, &r->image, e);
    if (result < 0)
        return result;
    design_disk(c, r, group);
    if (image_size_bytes(r->image) > r->v.size_bytes)
        return error_set(e, -EINVAL,
                         "image %s: its %s (%" PRIu64
                         " bytes) do not fit the rescue disk; use a larger --root",
                         q->image.path, str_from_bytes(image_size_bytes(r->image), image, sizeof image),
                         image_size_bytes(r->image));
    return group_check_room(group, r->v.size_bytes, 1, e);
}

/* Changes that a person makes until the rescue disk is added are kept: the definition is read again then. */
static int check_definition(const struct context *c, const struct rescue *r, struct error *e)
{
    _cleanup_free_ char *xml = NULL;
    return rescue_definition(c, r, &xml, e);
}

/* --------------------------------------------------------------------- plan */

static int add_disk(struct steps *s, struct rescue *r, struct error *e)
{
    const struct volume *v = &r->v;
    char size[32];
    str_from_bytes(v->size_bytes, size, sizeof size);
    int result = 0;
    if (volume_encrypted(v))
        result = steps_add(s, rescue_fetch_key, rescue_fetch_key_undo, r, e, "fetch the key of %s",
                           r->instance->name);
    if (result == 0)
        result = steps_add(s, rescue_create, rescue_create_undo, r, e, "create volume %s/%s of %s", v->vg,
                           v->lv, size);
    if (result == 0)
        result = steps_add(s, rescue_open, rescue_open_undo, r, e, "open %s/%s", v->vg, v->lv);
    if (result == 0)
        result = steps_add(s, rescue_fill, NULL, r, e, "write image %s to %s", r->request->image.path, v->lv);
    return result;
}

/* Looks again for changes: writing the image may have taken long. */
static int look_for_changes(const struct context *c, void *rescue, struct error *e)
{
    static const struct drift_need last = {.cannot = "cannot be rescued",
                                           .refused = DRIFT(UNDEFINED) | DRIFT(SAVED)};
    return drift_check_ended(c, ((const struct rescue *)rescue)->instance->uuid, &last, e);
}

/* Checks that a guest has the rescue disk. Somebody may have started the domain meanwhile, from the old
 * definition: that would be no rescue. */
static int see_rescue_disk(const struct context *c, void *rescue, struct error *e)
{
    const struct rescue *r = rescue;
    struct domain domain;
    char path[DEVICE_PATH_MAX];
    bool has = false;
    int result = virt_find_uuid(c->virt, r->instance->uuid, &domain, e);
    if (result < 0 || !domain.active)
        return result;
    volume_device_path(&r->v, path);
    result = virt_has_disk(c->virt, r->instance->uuid, path, DOMAIN_GUEST, &has, e);
    if (result < 0 || has)
        return result;
    return error_set(
        e, -EBUSY,
        "instance %s: cannot be rescued: somebody has started its domain meanwhile; stop it, and "
        "try again",
        r->instance->name);
}

/* Adds the steps that change the domain. If its definition cannot be restored, the volume stays: recover
 * recognizes the case by it. */
static int add_domain(struct steps *s, struct rescue *r, struct error *e)
{
    const char *name = r->instance->name;
    int result = 0;
    if (r->instance->state == INSTANCE_RUNNING)
        result = steps_add(s, rescue_stop, rescue_stop_undo, r, e, "stop domain %s", name);
    if (result == 0 && r->disks.n_missing)
        result =
            steps_add_at_once(s, disks_open, disks_open_undo, &r->disks, e, "open the disks of %s", name);
    if (result == 0)
        result = steps_add(s, look_for_changes, NULL, r, e, "see that domain %s is as it was left", name);
    if (result == 0)
        result = steps_add_anchor(s, rescue_define, rescue_define_undo, r, e,
                                  "put the rescue disk into the definition of domain %s", name);
    if (result == 0)
        result =
            steps_add(s, see_rescue_disk, NULL, r, e, "see that a guest of %s has the rescue disk", name);
    if (result == 0)
        result = steps_add_anchor(s, rescue_ready, rescue_ready_undo, r, e, "mark %s ready", r->v.lv);
    if (result == 0)
        result = steps_add(s, rescue_start, rescue_start_undo, r, e, "start domain %s", name);
    return result;
}

/* Adds the steps that close the disk until somebody starts a domain that has it. */
static int add_end(struct steps *s, struct rescue *r, struct error *e)
{
    int result = steps_add(s, rescue_close, NULL, r, e, "close %s/%s", r->v.vg, r->v.lv);
    return result < 0 ? result
                      : steps_add(s, rescue_ready, rescue_ready_undo, r, e, "mark %s ready", r->v.lv);
}

static int make_plan(struct rescue *r, struct steps **ret, struct error *e)
{
    _cleanup_steps_ struct steps *s = NULL;
    int result = steps_new(&s, e);
    if (result == 0)
        result = add_disk(s, r, e);
    if (result == 0)
        result = r->request->disk_only ? add_end(s, r, e) : add_domain(s, r, e);
    if (result == 0)
        *ret = TAKE_PTR(s);
    return result;
}

static int check_and_plan(const struct context *c, struct rescue *r, struct steps **ret, struct error *e)
{
    int result = check_image(c, r, e);
    if (result == 0 && r->request->disk_only)
        return make_plan(r, ret, e);
    if (result == 0)
        result = check_definition(c, r, e);
    if (result == 0)
        result = disks_look(c, r->model, r->instance, MAP_FOR_DOMAIN, &r->disks, e);
    return result < 0 ? result : make_plan(r, ret, e);
}

static void end(struct rescue *r)
{
    opened_close(&r->disk);
    secret_free(r->secret);
    image_close(r->image);
    model_free(r->model);
}

int instance_rescue(const struct context *c, const char *name, const struct rescue_request *request,
                    bool *ret_changed, struct steps **ret_plan, struct error *e)
{
    _cleanup_(end) struct rescue rescue = {.request = request, .disk = OPENED_NONE};
    _cleanup_steps_ struct steps *s = NULL;
    struct rescue *r = &rescue;

    int result = context_check_virt(c, e);
    if (result == 0)
        result = model_lock(c, name, &r->model, &r->instance, e);
    if (result == 0)
        result = check_instance(c, r, e);
    if (result < 0)
        return result;
    bool changes = !instance_in_rescue(r->instance);
    result = changes ? check_and_plan(c, r, &s, e) : steps_new(&s, e);
    if (result == 0 && changes && !request->dry_run)
        result = audit_instance("rescue", r->instance->uuid, r->instance->name, steps_run(s, c, e), e);
    if (result < 0)
        return result;
    *ret_changed = changes;
    steps_hand_over(&s, ret_plan);
    return 0;
}
