/* SPDX-License-Identifier: Apache-2.0 */
/* mayfly adopt: makes Nova's volumes the disks of an instance. Not a byte of them is written.
 *
 *     lock | look, try the key | tag each: adopting | import the key | FIRST DISK READY | others ready
 *                                                                     commit point
 *
 * Before the commit point this run, or recover, removes the tags again, and all is as it was. After it
 * recover finishes the adoption: it marks adopting volumes ready. An adopting volume is never removed, so no
 * volume is ever at risk.
 */
#include "instance/adopt.h"

#include "base/audit.h"
#include "instance/lock.h"
static int import_key(const struct context *c, void *object, struct error *e)
{
    const struct adoption *a = object;
    struct keymgr *km = NULL;
    int r = context_keymgr(c, ADOPT_MANAGER, &km, e);
    return r < 0 ? r : keymgr_import(km, &a->imports, a->request->secret, e);
}

/* Destroys the key with this id: the id is new, so only this run can have made the key. */
static int import_key_undo(const struct context *c, void *object, struct error *e)
{
    const struct adoption *a = object;
    struct keymgr *km = NULL;
    int r = context_keymgr(c, ADOPT_MANAGER, &km, e);
    return r < 0 ? r : keymgr_destroy(km, a->imports.id, e);
}

static int tag(const struct context *c, void *volume, struct error *e)
{
    return broker_adopt(c->broker, volume, e);
}

static int tag_undo(const struct context *c, void *volume, struct error *e)
{
    return broker_release(c->broker, volume, e);
}

static int lead_ready(const struct context *c, void *object, struct error *e)
{
    const struct volume *lead = ((struct adoption *)object)->volumes;
    context_hold_stop(c);
    return broker_mark(c->broker, &lead, 1, VOLUME_READY, e);
}

/* Fails if the first disk is ready: a ready volume never becomes adopting again. */
static int lead_ready_undo(const struct context *c, void *object, struct error *e)
{
    const struct volume *lead = ((struct adoption *)object)->volumes;
    _cleanup_inventory_ struct inventory *now = NULL;
    int r = broker_list(c->broker, &now, e);
    for (size_t i = 0; r == 0 && i < now->n_volumes; i++)
        if (streq(now->volumes[i].disk, lead->disk) && now->volumes[i].state != VOLUME_ADOPTING)
            r = error_set(e, -ENEEDSRECOVER,
                          "the adoption is past its commit point; mayfly recover finishes it");
    return r;
}

static int others_ready(const struct context *c, void *object, struct error *e)
{
    const struct adoption *a = object;
    const struct volume *others[DISKS_MAX];
    for (size_t i = 1; i < a->n_volumes; i++)
        others[i - 1] = &a->volumes[i];
    return broker_mark(c->broker, others, a->n_volumes - 1, VOLUME_READY, e);
}

static int make_plan(struct adoption *a, struct steps **ret, struct error *e)
{
    _cleanup_steps_ struct steps *s = NULL;
    int r = steps_new(&s, e);
    for (size_t i = 0; r == 0 && i < a->n_volumes; i++)
        r = steps_add(s, tag, tag_undo, &a->volumes[i], e, "tag volume %s/%s", a->volumes[i].vg,
                      a->volumes[i].lv);
    if (r == 0 && a->imports.id[0])
        r = steps_add(s, import_key, import_key_undo, a, e, "keep the key as %s", a->volumes[0].key);
    if (r == 0)
        r = steps_add_anchor(s, lead_ready, lead_ready_undo, a, e, "mark %s ready, the first of %zu disks",
                             a->volumes[0].lv, a->n_volumes);
    if (r == 0 && a->n_volumes > 1)
        r = steps_add(s, others_ready, NULL, a, e, "mark the other disks ready");
    if (r < 0)
        return r;
    *ret = TAKE_PTR(s);
    return 0;
}

static void adoption_end(struct adoption *a)
{
    model_free(a->model);
    free(a->volumes);
}

int instance_adopt(const struct context *c, const struct adopt_request *request, bool *ret_changed,
                   struct steps **ret_plan, struct error *e)
{
    _cleanup_(adoption_end) struct adoption a = {.context = c, .request = request};
    _cleanup_steps_ struct steps *plan = NULL;
    bool done = false;

    if (!uuid_valid(request->uuid))
        return error_set(e, -EINVAL, "'%s' is not a uuid; give the uuid of Nova's instance", request->uuid);
    int r = context_check_virt(c, e); /* without libvirt nobody knows whether the instance runs */
    if (r == 0)
        r = model_lock_uuid(c, request->uuid, e);
    if (r == 0)
        r = adopt_look(&a, &done, e);
    if (r == 0 && !done)
        r = make_plan(&a, &plan, e);
    if (r == 0 && !done && !request->dry_run)
        r = audit_instance("adopt", request->uuid, NULL, steps_run(plan, c, e), e);
    if (r < 0)
        return r;
    *ret_changed = !done;
    steps_hand_over(&plan, ret_plan);
    return 0;
}
