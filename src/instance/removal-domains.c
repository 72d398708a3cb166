/* SPDX-License-Identifier: Apache-2.0 */
/* The steps of a removal that change domains. See removal-steps.h. */
#include "instance/removal-steps.h"
#include "virt/rescue-xml.h"

const struct domain *removal_domain(const struct removal *r)
{
    const struct domain *domain = model_domain_of(r->model, r->instance->uuid);
    return domain && domain->ours && r->whole ? domain : NULL;
}

bool removal_ends_rescue(const struct removal *r)
{
    return !r->whole && volume_is_rescue(r->volumes[0]);
}

static bool domain_stays(const struct removal *r)
{
    return !removal_domain(r) && model_domain_of(r->model, r->instance->uuid);
}

bool removal_restores_definition(const struct removal *r)
{
    return domain_stays(r) && volume_is_rescue(r->volumes[r->n_volumes - 1]);
}

bool removal_detaches_disks(const struct removal *r)
{
    return domain_stays(r) && !removal_ends_rescue(r);
}

/* --------------------------------------------------------- domains that go */

static int end_domain(const struct context *c, const char *uuid, struct error *e)
{
    _cleanup_free_ char *kept = NULL;
    int r = virt_destroy(c->virt, uuid, e);
    if (r == 0)
        r = virt_undefine(c->virt, uuid, &kept, e);
    if (r == 0 && kept)
        report_warning(
            c,
            "domain %s: its NVRAM file %s stays: libvirt did not make it for this domain, or another one "
            "has it",
            uuid, kept);
    return r;
}

int domain_remove(const struct context *c, const char *uuid, struct error *e)
{
    int r = end_domain(c, uuid, e);
    return r < 0 ? r : virt_settle(c->virt, e);
}

static int end_our_domain(const struct context *c, const struct removal *r, struct error *e)
{
    return removal_domain(r) ? end_domain(c, removal_domain(r)->uuid, e) : 0;
}

int removal_end_domains(const struct context *c, void *removal, struct error *e)
{
    return removals_one_by_one(c, removal, end_our_domain, e);
}

/* Syncs definitions, also if there is no domain: an earlier run may have undefined it, and been cut off
 * before this. An instance without a domain is removed without libvirt, too. */
static int settle_domains(const struct context *c, const struct removals *which, struct error *e)
{
    (void)which;
    return c->virt ? virt_settle(c->virt, e) : 0;
}

int removal_settle_domains(const struct context *c, void *removal, struct error *e)
{
    return removals_at_once(c, removal, settle_domains, e);
}

/* ------------------------------------------------------- domains that stay */

int domain_restore_definition(const struct context *c, const char *uuid, struct error *e)
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
    return r < 0 ? error_pass(e, r, &why) : 0;
}

static int restore_definition(const struct context *c, const struct removal *r, struct error *e)
{
    return removal_restores_definition(r) ? domain_restore_definition(c, r->instance->uuid, e) : 0;
}

int removal_restore_definitions(const struct context *c, void *removal, struct error *e)
{
    return removals_one_by_one(c, removal, restore_definition, e);
}

/* Takes the disks out of the domain. The managed save goes first: it holds in plaintext what the guest has
 * read of the disks, and cannot be resumed without them. */
static int detach_disks(const struct context *c, const struct removal *r, struct error *e)
{
    if (!removal_detaches_disks(r))
        return 0;
    int result = r->whole ? virt_drop_save(c->virt, r->instance->uuid, e) : 0;
    for (size_t i = 0; result == 0 && i < r->n_volumes; i++)
        result = disk_detach_from_domain(c, r->volumes[i], e);
    return result;
}

int removal_detach_disks(const struct context *c, void *removal, struct error *e)
{
    return removals_one_by_one(c, removal, detach_disks, e);
}
