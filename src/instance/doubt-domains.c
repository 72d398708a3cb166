/* SPDX-License-Identifier: Apache-2.0 */
/* Domains as witnesses of volumes that are not seen: see doubt.h.
 *
 *     launch: volumes | DOMAIN            delete: DOMAIN | key | volumes
 *
 * So wherever an operation is cut off, the domain exists only while its volumes do.
 */
#include "instance/doubt.h"
#include "instance/model.h"
#include "storage/lineage.h"
#include "virt/domain-xml.h"

static bool has_volumes(const struct inventory *i, const char *uuid)
{
    size_t n = 0;
    return inventory_volumes_of(i, uuid, &n) && n > 0;
}

/* True if there is a volume of this name without Mayfly's tags, such as Nova makes. */
static bool is_untagged(const struct inventory *i, const char *lv)
{
    for (size_t n = 0; n < i->n_untagged; n++)
        if (streq(i->untagged[n].lv, lv))
            return true;
    return false;
}

/* True if the path leads to a disk of instance `uuid`. In a domain with our mark a volume below a map counts
 * too: people may have put it in the map's place. */
static bool is_own_disk(const struct inventory *i, const struct domain_view *v, const char *path,
                        const char *uuid)
{
    struct reached to;
    enum lineage kind = lineage_of_name(path, "", &to);
    if (kind == LINEAGE_NONE || !streq(to.instance, uuid))
        return false;
    return v->ours || (kind == LINEAGE_MAP && !is_untagged(i, to.lv));
}

static bool names_own_disk(const struct inventory *i, const struct domain_view *v, const char *uuid)
{
    for (size_t d = 0; d < v->n_disks; d++)
        for (size_t s = 0; s < v->disks[d].n_sources; s++)
            if (v->disks[d].sources[s].path && is_own_disk(i, v, v->disks[d].sources[s].path, uuid))
                return true;
    return false;
}

/* True if the domain is a trial, which has no volumes yet. */
static bool is_trial(const struct domain_view *v)
{
    return v->name && str_starts(v->name, TRIAL_NAME);
}

static int check_definition(const struct context *c, const struct inventory *i, const char *uuid,
                            struct error *e)
{
    _cleanup_domain_view_ struct domain_view view = {.found = false};
    struct error why = ERROR_NONE;
    int r = virt_view(c->virt, uuid, DOMAIN_DEFINITION, &view, &why);
    if (r == -ENOENT || (r == 0 && (is_trial(&view) || !names_own_disk(i, &view, uuid))))
        return 0;
    if (r < 0)
        return error_pass(e, r, &why);
    return error_set(e, -EUNSAFE,
                     "domain %s (%s) exists, but none of its volumes can be found, which may need the key; "
                     "bring back their volume group or its metadata (see vgs, vgcfgrestore, and "
                     "images_volume_group in mayfly.conf), or run virsh undefine if they are gone",
                     view.name ? view.name : "without a name", uuid);
}

static int check_virt(const struct context *c, struct error *e)
{
    return c->virt ? 0
                   : error_set(e, -ECONNREFUSED,
                               "libvirt cannot be reached to look for domains whose volumes are missing; see "
                               "systemctl status libvirtd");
}

int doubt_of_domain(const struct context *c, const struct inventory *i, const char *uuid, struct error *e)
{
    int r = check_virt(c, e);
    return r < 0 || has_volumes(i, uuid) ? r : check_definition(c, i, uuid, e);
}

/* Looks at domains before volumes, and at each domain again after them. So a launch or a delete at work never
 * looks like a domain without volumes. */
static int look_at_all(const struct context *c, struct error *e)
{
    _cleanup_model_ struct model *m = NULL;
    int r = check_virt(c, e);
    if (r == 0)
        r = model_load_domains(c, &m, e);
    if (r == 0)
        r = model_load_volumes(c, m, e);
    for (size_t d = 0; r == 0 && d < m->n_domains; d++)
        r = doubt_of_domain(c, m->inventory, m->domains[d].uuid, e);
    return r;
}

int doubt_of_any_domain(const struct context *c, struct doubts *once, struct error *e)
{
    if (!once->knows_domains)
        (void)!look_at_all(c, &once->domains);
    once->knows_domains = true;
    return once->domains.errnum ? error_pass(e, once->domains.errnum, &once->domains) : 0;
}
