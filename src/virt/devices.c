/* SPDX-License-Identifier: Apache-2.0 */
/* Disks of existing domains, in their definition and in a running guest. Only disks that the caller names by
 * their device are touched. See virt.h. */
#include "virt/connection.h"
#include "virt/domain-write.h"

/* Returns the XML of that side; the caller frees *ret. */
static int text_of_side(struct virt *v, virDomainPtr domain, enum domain_side side, char **ret,
                        struct error *e)
{
    *ret = vir.DomainGetXMLDesc(domain, side == DOMAIN_DEFINITION ? VIR_DOMAIN_XML_INACTIVE : 0);
    return *ret ? 0 : domain_failed(v, domain, "read its definition", e);
}

/* Reads the <domain> of that side, which the caller frees; *ret NULL: no guest runs. For a guest that does
 * not run libvirt gives the definition; only a running domain has an id in it. */
static int read_side(struct virt *v, virDomainPtr domain, enum domain_side side, xmlDocPtr *ret,
                     struct error *e)
{
    _cleanup_(xmlFreeDocp) xmlDocPtr doc = NULL;
    _cleanup_free_ char *xml = NULL;
    int r = text_of_side(v, domain, side, &xml, e);
    if (r == 0)
        r = domain_read(xml, &doc, e);
    if (r < 0)
        return r;
    bool there = side == DOMAIN_DEFINITION || xmlHasProp(xmlDocGetRootElement(doc), BAD_CAST "id");
    *ret = there ? TAKE_PTR(doc) : NULL;
    return 0;
}

/* Chooses a place that is free on both sides. If one side has the disk already, its target is taken, and that
 * side is removed from *sides: so a call that is repeated after a broken connection finds its work done. */
static int choose_place(struct virt *v, virDomainPtr domain, const char *device_path, unsigned *sides,
                        struct disk_place *ret, struct error *e)
{
    _cleanup_(xmlFreeDocp) xmlDocPtr definition = NULL, guest = NULL;
    int r = read_side(v, domain, DOMAIN_DEFINITION, &definition, e);
    if (r == 0)
        r = read_side(v, domain, DOMAIN_GUEST, &guest, e);
    if (r < 0)
        return r;
    const xmlNode *root = xmlDocGetRootElement(definition);
    const xmlNode *running = guest ? xmlDocGetRootElement(guest) : NULL;
    domain_free_place(root, running, ret);
    if (domain_find_disk(root, device_path, ret->target, NULL))
        *sides &= ~(unsigned)DOMAIN_DEFINITION;
    if (running && domain_find_disk(running, device_path, ret->target, NULL))
        *sides &= ~(unsigned)DOMAIN_GUEST;
    return 0;
}

static unsigned affects(unsigned sides)
{
    return (sides & DOMAIN_DEFINITION ? (unsigned)VIR_DOMAIN_AFFECT_CONFIG : 0U) |
           (sides & DOMAIN_GUEST ? (unsigned)VIR_DOMAIN_AFFECT_LIVE : 0U);
}

int connection_attach_disk(struct virt *v, const char *uuid, const struct domain_disk *disk, unsigned sides,
                           struct error *e)
{
    _cleanup_domain_ virDomainPtr domain = NULL;
    _cleanup_free_ char *xml = NULL;
    struct disk_place place;
    int r = domain_require(v, uuid, &domain, e);
    if (r < 0)
        return r;
    r = choose_place(v, domain, disk->device_path, &sides, &place, e);
    if (r == 0 && !sides)
        return definitions_make_durable(v, e);
    if (r == 0)
        r = domain_disk_xml(disk, &place, &xml, e);
    if (r < 0)
        return r;
    if (vir.DomainAttachDeviceFlags(domain, xml, affects(sides)) == 0)
        return definitions_make_durable(v, e);
    /* libvirt has no error code for this */
    bool no_room = strstr(vir.GetLastErrorMessage(), "No more available PCI");
    r = domain_failed(v, domain, "take another disk", e);
    if (no_room && sides & DOMAIN_GUEST)
        error_append(e, "; shut the domain down, and add the disk then");
    return r;
}

/* Detaches the disk, which libvirt identifies by its target. */
static int detach(struct virt *v, virDomainPtr domain, const char *device_path, enum domain_side side,
                  struct error *e)
{
    _cleanup_(xmlFreeDocp) xmlDocPtr doc = NULL;
    _cleanup_free_ char *xml = NULL;
    struct disk_place place = {.iothread = 0};
    enum disk_kind kind = DISK_DEVICE;
    int r = read_side(v, domain, side, &doc, e);
    if (r < 0 || !doc || !domain_find_disk(xmlDocGetRootElement(doc), device_path, place.target, &kind))
        return r;
    const struct domain_disk disk = {.device_path = device_path, .vhost_user = kind == DISK_SOCKET};
    r = domain_disk_xml(&disk, &place, &xml, e);
    if (r < 0 || vir.DomainDetachDeviceFlags(domain, xml, affects(side)) == 0)
        return r;
    struct error why = ERROR_NONE;
    r = domain_failed(v, domain, "give a disk back", &why);
    if (side == DOMAIN_GUEST && vir.DomainIsActive(domain) == 0)
        return 0; /* the guest has ended */
    return error_pass(e, r, &why);
}

int connection_detach_disk(struct virt *v, const char *uuid, const char *device_path, enum domain_side side,
                           struct error *e)
{
    _cleanup_domain_ virDomainPtr domain = NULL;
    int r = domain_lookup(v, uuid, &domain, e);
    if (r == 0)
        r = detach(v, domain, device_path, side, e);
    if (r < 0 && r != -ENOENT)
        return r;
    /* also if the disk is gone: an earlier call may have been cut off before the sync */
    return side == DOMAIN_DEFINITION ? definitions_make_durable(v, e) : 0;
}

int connection_has_disk(struct virt *v, const char *uuid, const char *device_path, enum domain_side side,
                        bool *ret, struct error *e)
{
    _cleanup_domain_ virDomainPtr domain = NULL;
    _cleanup_(xmlFreeDocp) xmlDocPtr doc = NULL;
    char target[TARGET_NAME_MAX];
    int r = domain_lookup(v, uuid, &domain, e);
    if (r == 0)
        r = read_side(v, domain, side, &doc, e);
    if (r < 0 && r != -ENOENT)
        return r;
    *ret = doc && domain_find_disk(xmlDocGetRootElement(doc), device_path, target, NULL);
    return 0;
}
