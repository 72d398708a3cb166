/* SPDX-License-Identifier: Apache-2.0 */
/* Finds what two domains share that only one should have: a disk, or a file of UEFI variables. libvirt's hook
 * refuses to start a domain on another's disk, but libvirt asks no hook when a disk is attached to a running
 * guest. */
#include "instance/drift-internal.h"

#include <stdio.h>

/* Returns the volume that was reached; NULL: it belongs to no instance, such as a volume of Nova that was not
 * adopted. */
static const struct volume *find_volume(const struct model *m, const struct reached *r)
{
    size_t n = 0;
    const struct volume *v = inventory_volumes_of(m->inventory, r->instance, &n);
    for (size_t i = 0; i < n; i++)
        if (streq(v[i].lv, r->lv) && (!r->vg[0] || streq(v[i].vg, r->vg)))
            return &v[i];
    return NULL;
}

static const char *way_out(const struct disk_use *use, char text[200])
{
    const char *target = use->disk->target ? use->disk->target : use->source->path;
    if (use->source->use == SOURCE_MIRROR)
        snprintf(text, 200, "virsh blockjob %.80s %.80s --abort", use->domain->name, target);
    else
        snprintf(text, 200, "virsh detach-disk %.80s %.80s --live", use->domain->name, target);
    return text;
}

/* Reports a disk that two domains have. `has`: who has what; `v`: the disk; `own`: it belongs to the examined
 * instance. */
static void add_finding(struct drift_search *s, const struct disk_use *use, const struct volume *v, bool own,
                        const char *has)
{
    bool below = use->reached.kind == LINEAGE_VOLUME && volume_encrypted(v);
    char by[200];
    drift_add(s, DRIFT_SHARED, own ? v : NULL, 0, "%s (%.100s): %s; end that by %s", has, use->source->path,
              below ? "it is the volume below the encrypted disk, where a guest writes in plaintext"
                    : "two guests destroy what is on it",
              way_out(use, by));
}

static void look_at_use(struct drift_search *s, const struct disk_use *use)
{
    const struct volume *v = find_volume(s->model, &use->reached);
    const struct instance *i = NULL;
    char has[200];
    if (!v)
        return;
    if (streq(use->reached.instance, s->instance->uuid)) {
        snprintf(has, sizeof has, "the running domain %.100s has its disk %s", use->domain->name, v->role);
        add_finding(s, use, v, true, has);
    } else if (streq(use->domain->uuid, s->instance->uuid) &&
               model_find(s->model, use->reached.instance, &i, NULL) == 0) {
        snprintf(has, sizeof has, "its running guest has disk %s of instance %.100s", v->role, i->name);
        add_finding(s, use, v, false, has);
    }
}

static void look_at_nvram(struct drift_search *s)
{
    const char *uuid = s->instance->uuid;
    const struct domain_sides *own = survey_domain(s->survey, uuid);
    const char *path = own ? own->definition.nvram : NULL;
    const struct domain_sides *other = path ? virt_views_nvram_user(&s->survey->views, path, uuid) : NULL;
    if (other)
        drift_add(s, DRIFT_NVRAM, NULL, 0,
                  "its UEFI keeps its variables in %.120s, which domain %.80s has, too; give one of them a "
                  "file of its own by virsh edit",
                  path, other->name);
    else if (path && own->definition.ours && !own->definition.nvram_own)
        drift_add(
            s, DRIFT_NVRAM, NULL, 0,
            "its UEFI keeps its variables in %.120s, which was not made for it, and which mayfly delete "
            "leaves",
            path);
}

void drift_find_shared(struct drift_search *s)
{
    for (size_t i = 0; i < s->survey->n_uses; i++)
        look_at_use(s, &s->survey->uses[i]);
    look_at_nvram(s);
}
