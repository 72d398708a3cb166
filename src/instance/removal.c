/* SPDX-License-Identifier: Apache-2.0 */
/* See removal.h. The lead's mark decides for the whole instance, so it is set before all others: from then on
 * recover finishes the job, and no disk is ever opened again.
 */
#include "instance/removal.h"

#include "instance/keys.h"
#include "virt/rescue-xml.h"

#include <stdio.h>

#define DESCRIPTION_MAX (INSTANCE_NAME_MAX + 32)

/* NULL: none, or it is not Mayfly's to touch, or only a disk goes. */
static const struct domain *our_domain(const struct removal *r)
{
    const struct domain *domain = model_domain_of(r->model, r->instance->uuid);
    return domain && domain->ours && r->whole ? domain : NULL;
}

/* A rescue disk alone? Its instance stays, with the key, even if no other disk of it is to be seen now. */
static bool ends_rescue(const struct removal *r)
{
    return !r->whole && volume_is_rescue(r->volumes[0]);
}

/* Data that was there before us: neither it nor its key is destroyed before it is wholly ours. */
static int check_not_adopting(const struct instance *i, struct error *e)
{
    for (size_t v = 0; v < i->n_volumes; v++)
        if (i->volumes[v]->state == VOLUME_ADOPTING)
            return error_set(
                e, -ENEEDSRECOVER,
                "instance %s: cannot be removed: the adoption of volume %s/%s was cut off; run mayfly "
                "recover first",
                i->name, i->volumes[v]->vg, i->volumes[v]->lv);
    return 0;
}

int removal_check(const struct removal *r, struct error *e)
{
    const struct instance *i = r->instance;
    const struct domain *domain = model_domain_of(r->model, i->uuid);
    if (model_damaged(r->model, i->uuid))
        return error_set(e, -EUNSAFE,
                         "instance %s: cannot be removed: the tags of one of its volumes are damaged, and it "
                         "may need the key; mend or remove that volume first, see mayfly list",
                         i->name);
    if (domain && domain->active && !domain->ours && r->whole)
        return error_set(
            e, -EUNSAFE,
            "instance %s: cannot be removed: a running domain has its uuid, but not Mayfly's mark, so others "
            "have defined it; shut it down first: mayfly stop %s, or virsh destroy %s",
            i->name, i->name, domain->uuid);
    return check_not_adopting(i, e);
}

/* Marks those of volumes `from` to `to` that say ready or rebuilding. What says building is as good as
 * doomed.
 */
static int doom(const struct context *c, const struct removal *r, size_t from, size_t to, struct error *e)
{
    const struct volume *ready[DISKS_MAX];
    size_t n = 0;
    for (size_t i = from; i < to && n < DISKS_MAX; i++)
        if (r->volumes[i]->state == VOLUME_READY || r->volumes[i]->state == VOLUME_REBUILDING)
            ready[n++] = r->volumes[i];
    return n ? broker_mark(c->broker, ready, n, VOLUME_DOOMED, e) : 0;
}

static int doom_lead(const struct context *c, void *removal, struct error *e)
{
    struct removal *r = removal;
    int result = doom(c, r, 0, 1, e);
    r->begun =
        result != -EBUSY && result != -EUNSAFE; /* refused by the broker; else it may have had its effect */
    return result;
}

static int doom_others(const struct context *c, void *removal, struct error *e)
{
    const struct removal *r = removal;
    return doom(c, r, 1, r->n_volumes, e);
}

int domain_remove(const struct context *c, const char *uuid, struct error *e)
{
    int r = virt_destroy(c->virt, uuid, e);
    return r < 0 ? r : virt_undefine(c->virt, uuid, e);
}

static int remove_domain(const struct context *c, void *removal, struct error *e)
{
    return domain_remove(c, our_domain(removal)->uuid, e);
}

static int leave_domain(const struct context *c, void *removal, struct error *e)
{
    const struct removal *r = removal;
    int result = 0;
    for (size_t i = 0; result == 0 && i < r->n_volumes; i++)
        result = disk_leave_domain(c, r->volumes[i], e);
    return result;
}

int domain_leave_rescue(const struct context *c, const char *uuid, struct error *e)
{
    _cleanup_free_ char *xml = NULL, *before = NULL;
    struct error why = ERROR_NONE;
    int r = virt_definition(c->virt, uuid, &xml, &why);
    if (r == -ENOENT)
        return 0;
    if (r == 0)
        r = rescue_xml_remove(xml, &before, &why);
    if (r == 0 && before)
        r = virt_redefine(c->virt, before, &why);
    return r < 0 ? error_set(e, r, "%s", why.text) : 0;
}

static int leave_rescue(const struct context *c, void *removal, struct error *e)
{
    return domain_leave_rescue(c, ((const struct removal *)removal)->instance->uuid, e);
}

static int close_maps(const struct context *c, void *removal, struct error *e)
{
    const struct removal *r = removal;
    int result = 0;
    for (size_t i = 0; result == 0 && i < r->n_volumes; i++)
        result = disk_close(c, r->volumes[i], e);
    return result;
}

static int destroy_keys(const struct context *c, void *removal, struct error *e)
{
    const struct removal *r = removal;
    return keys_destroy_unused(c, r->model->inventory, r->volumes, r->n_volumes, e);
}

static int remove_volumes(const struct context *c, void *removal, struct error *e)
{
    const struct removal *r = removal;
    return broker_remove(c->broker, r->volumes, r->n_volumes, e);
}

/* "the disks of vm", "disk eph0 of vm": for people. */
static void describe(const struct removal *r, char field[DESCRIPTION_MAX])
{
    if (r->whole)
        snprintf(field, DESCRIPTION_MAX, "the disks of %s", r->instance->name);
    else
        snprintf(field, DESCRIPTION_MAX, "disk %s of %s", r->volumes[0]->role, r->instance->name);
}

int snapshot_remove(const struct context *c, const struct volume *v, struct error *e)
{
    int r = disk_close(c, v, e);
    if (r == 0 && v->state == VOLUME_BUILDING) /* else it is a file's: see snapshot.c */
        r = key_destroy_of_image(c, v, e);
    return r < 0 ? r : broker_remove(c->broker, &v, 1, e);
}

static int remove_snapshot(const struct context *c, void *removal, struct error *e)
{
    return snapshot_remove(c, ((const struct removal *)removal)->instance->snapshot, e);
}

/* The domain stays. */
static int add_leaving(struct steps *s, struct removal *removal, const char *disks, struct error *e)
{
    int r = 0;
    if (!model_domain_of(removal->model, removal->instance->uuid))
        return 0;
    if (volume_is_rescue(removal->volumes[removal->n_volumes - 1]))
        r = steps_add(s, leave_rescue, NULL, removal, e, "give domain %s its definition back",
                      removal->instance->name);
    if (r == 0 && !ends_rescue(removal))
        r = steps_add(s, leave_domain, NULL, removal, e, "take %s out of its domain", disks);
    return r;
}

int removal_add_steps(struct steps *s, struct removal *removal, struct error *e)
{
    const char *name = removal->instance->name;
    char disks[DESCRIPTION_MAX];
    describe(removal, disks);
    int r = 0;
    if (removal->instance->snapshot) /* LVM would take it along, unasked */
        r = steps_add(s, remove_snapshot, NULL, removal, e, "remove the unfinished snapshot of %s", name);
    if (r == 0)
        r = removal->whole ? steps_add(s, doom_lead, NULL, removal, e, "mark %s doomed", name)
                           : steps_add(s, doom_lead, NULL, removal, e, "mark %s doomed", disks);
    if (r == 0 && removal->n_volumes > 1)
        r = steps_add(s, doom_others, NULL, removal, e, "mark the other disks of %s doomed", name);
    if (r == 0 && our_domain(removal))
        r = steps_add(s, remove_domain, NULL, removal, e, "stop and undefine domain %s", name);
    else if (r == 0)
        r = add_leaving(s, removal, disks, e);
    if (r == 0)
        r = steps_add(s, close_maps, NULL, removal, e, "close %s", disks);
    if (r == 0 && !ends_rescue(removal))
        r = removal->whole
                ? steps_add(s, destroy_keys, NULL, removal, e, "destroy the key of %s", name)
                : steps_add(s, destroy_keys, NULL, removal, e, "destroy its key, unless others have it too");
    if (r == 0)
        r = steps_add(s, remove_volumes, NULL, removal, e, "remove %s", disks);
    return r;
}
