/* SPDX-License-Identifier: Apache-2.0 */
/* See removal.h. The mark of the first disk decides for the whole instance, so it is set before all others:
 * from then on recover finishes the removal, and no disk is ever opened again.
 */
#include "instance/removal-steps.h"

#include <stdio.h>

#define DESCRIPTION_MAX (DOMAIN_NAME_MAX + 32)

/* Refuses an adopting volume: data that existed before its adoption, and its key, are never destroyed until
 * the adoption is complete. */
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
                         "instance %s: cannot be removed: one of its volumes has damaged tags, and may need "
                         "the key; mend or remove that volume first, see mayfly list",
                         i->name);
    if (domain && domain->active && !domain->ours && r->whole)
        return error_set(
            e, -EUNSAFE,
            "instance %s: cannot be removed: a running domain has its uuid, but not Mayfly's mark, so others "
            "have defined it; shut it down first: mayfly stop %s, or virsh destroy %s",
            i->name, i->name, domain->uuid);
    int result = check_not_adopting(i, e);
    if (result == 0)
        result = model_check_no_dependents(r->model, r->volumes, r->n_volumes, e);
    if (result == -EUNSAFE)
        error_prefix(e, "instance %s: cannot be removed: ", i->name);
    return result;
}

static bool has_snapshot(const struct removal *r)
{
    return r->instance->snapshot;
}

static bool has_others(const struct removal *r)
{
    return r->n_volumes > 1;
}

static bool ends_domain(const struct removal *r)
{
    return removal_domain(r);
}

static bool is_whole(const struct removal *r)
{
    return r->whole;
}

static bool ends_key(const struct removal *r)
{
    return !removal_ends_rescue(r);
}

static bool any(const struct removal *first, bool (*is)(const struct removal *))
{
    for (const struct removal *r = first; r; r = r->next)
        if (is(r))
            return true;
    return false;
}

/* Describes the removals. `name`: "vm" or "20 instances"; `disks`: "the disks of vm" or "disk eph0 of vm". */
static void describe(const struct removal *first, char name[DESCRIPTION_MAX], char disks[DESCRIPTION_MAX])
{
    size_t n = 0;
    for (const struct removal *r = first; r; r = r->next)
        n++;
    if (n == 1)
        snprintf(name, DESCRIPTION_MAX, "%s", first->instance->name);
    else
        snprintf(name, DESCRIPTION_MAX, "%zu instances", n);
    if (first->whole)
        snprintf(disks, DESCRIPTION_MAX, "the disks of %.*s", DOMAIN_NAME_MAX, name);
    else
        snprintf(disks, DESCRIPTION_MAX, "disk %s of %.*s", first->volumes[0]->role, DOMAIN_NAME_MAX, name);
}

int removal_add_steps(struct steps *s, struct removal *first, struct error *e)
{
    char name[DESCRIPTION_MAX], disks[DESCRIPTION_MAX];
    describe(first, name, disks);
    const struct {
        bool (*needed)(const struct removal *); /* a removal of the list needs the step; NULL: always */
        step_fn *run;
        const char *what[3];
    } steps[] = {
        /* LVM would remove the snapshot with its volume, without asking */
        {has_snapshot, removal_remove_snapshots, {"remove the unfinished snapshot of ", name, ""}},
        {NULL, removal_doom_leads, {"mark ", first->whole ? name : disks, " doomed"}},
        {has_others, removal_doom_others, {"mark the other disks of ", name, " doomed"}},
        {ends_domain, removal_end_domains, {"stop and undefine domain ", name, ""}},
        {is_whole, removal_settle_domains, {"sync libvirt's definitions", "", ""}},
        {removal_restores_definition,
         removal_restore_definitions,
         {"give domain ", name, " its definition back"}},
        {removal_detaches_disks, removal_detach_disks, {"take ", disks, " out of its domain"}},
        {NULL, removal_close_maps, {"close ", disks, ""}},
        {ends_key,
         removal_destroy_keys,
         {"destroy the key of ", first->whole ? name : disks, ", unless others have it"}},
        {NULL, removal_remove_volumes, {"remove ", disks, ""}},
    };
    int r = 0;
    for (size_t i = 0; r == 0 && i < ARRAY_SIZE(steps); i++)
        if (!steps[i].needed || any(first, steps[i].needed))
            r = steps_add(s, steps[i].run, NULL, first, e, "%s%s%s", steps[i].what[0], steps[i].what[1],
                          steps[i].what[2]);
    return r;
}
