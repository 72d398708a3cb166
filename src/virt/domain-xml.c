/* SPDX-License-Identifier: Apache-2.0 */
/* Puts one instance into a template of libvirt XML.
 *
 *     <domain>                      type (built-in template alone)
 *       name uuid memory vcpu       replaced
 *       genid, ...                  removed: see domain-shared.h
 *       os/@firmware                set, if the caller chooses one
 *       os/nvram                    named by the uuid, if there is one
 *       iothreads                   added, if missing: a thread that serves our disks
 *       memoryBacking               shared memory, if another process serves the disks (vhost-user)
 *       metadata/mayfly:instance    added: the mark of our domains
 *       devices/disk...             kept; our disks follow
 *       devices/controller          free ports for more disks (built-in template alone)
 *       devices/interface           added, if the caller names a network
 *       devices/serial              added: keeps QEMU from saving the guest's RAM to a file
 *
 * All text is escaped by libxml2, never by hand. domain-read.c reads the template; domain-disk.c writes
 * disks.
 */
#include "virt/domain-xml.h"
#include "base/str.h"
#include "domain-template.h"
#include "virt/domain-build.h"
#include "virt/domain-nvram.h"
#include "virt/domain-shared.h"

#include <inttypes.h>
#include <stdio.h>

/* ------------------------------------------------------------------ writing */

static void remove_children(xmlNodePtr parent, const char *name)
{
    xmlNodePtr node;
    while ((node = domain_child(parent, name))) {
        xmlUnlinkNode(node);
        xmlFreeNode(node);
    }
}

/* ---------------------------------------------------------------- the parts */

static bool put_identity(xmlNodePtr root, const struct domain_spec *spec)
{
    domain_drop_identity(root);
    xmlUnsetProp(root, BAD_CAST "id"); /* a dump of a running domain has one */
    remove_children(root, "uuid");
    remove_children(root, "name");
    char trial[sizeof TRIAL_NAME + UUID_TEXT];
    snprintf(trial, sizeof trial, "%s%s", TRIAL_NAME, spec->uuid);
    xmlNodePtr uuid = set_text(domain_child_or_new(root, "uuid"), spec->uuid);
    return uuid && set_text(domain_child_or_new(root, "name"), spec->trial ? trial : spec->name);
}

static int put_memory(xmlNodePtr root, const struct domain_spec *spec, struct error *e)
{
    if (!spec->memory_bytes)
        return 0;
    if (domain_child(domain_child(domain_child(root, "cpu"), "numa"), "cell"))
        return error_set(e, -EINVAL,
                         "domain XML: its NUMA cells set the memory; leave out --memory, or remove the cells "
                         "from the template");
    char text[32];
    snprintf(text, sizeof text, "%" PRIu64, spec->memory_bytes / 1024 + !!(spec->memory_bytes % 1024));
    remove_children(root, "currentMemory");
    return attribute(set_text(domain_child_or_new(root, "memory"), text), "unit", "KiB") ? 0
                                                                                         : error_memory(e);
}

static bool put_vcpus(xmlNodePtr root, const struct domain_spec *spec)
{
    if (!spec->vcpus)
        return true;
    char text[16];
    snprintf(text, sizeof text, "%" PRIu32, spec->vcpus);
    remove_children(root, "vcpus");
    xmlNodePtr vcpu = set_text(domain_child_or_new(root, "vcpu"), text);
    if (vcpu)
        xmlUnsetProp(vcpu, BAD_CAST "current");
    return vcpu;
}

/* Sets the firmware. A domain that names none has a BIOS. */
static int put_firmware(xmlNodePtr root, const struct domain_spec *spec, struct error *e)
{
    xmlNodePtr os = domain_child(root, "os");
    bool uefi = spec->firmware == FIRMWARE_UEFI;
    if (spec->firmware == FIRMWARE_TEMPLATE || domain_has_property(os, "firmware", uefi ? "efi" : "bios"))
        return 0;
    if (domain_child(os, "loader") || (os && xmlHasProp(os, BAD_CAST "firmware")))
        return error_set(e, -EINVAL,
                         "domain XML: it names its firmware; leave out --firmware, or remove the firmware "
                         "from the template");
    return !uefi || attribute(os ? os : add(root, "os"), "firmware", "efi") ? 0 : error_memory(e);
}

/* Names the file by the uuid: see domain-nvram.h. */
static bool put_nvram(xmlNodePtr root, const struct domain_spec *spec)
{
    if (!spec->nvram)
        return true;
    _cleanup_free_ char *path = domain_nvram_of(spec->nvram, spec->uuid);
    xmlNodePtr os = domain_child(root, "os"), nvram = domain_child(os, "nvram");
    return path && set_text(nvram ? nvram : add(os, "nvram"), path);
}

static bool put_mark(xmlNodePtr root, const struct domain_spec *spec)
{
    xmlNodePtr mark = add(domain_child_or_new(root, "metadata"), "instance");
    const char *namespace = spec->trial ? TRIAL_XML_NAMESPACE : DOMAIN_XML_NAMESPACE;
    xmlNsPtr ns = mark ? xmlNewNs(mark, BAD_CAST namespace, BAD_CAST "mayfly") : NULL;
    if (!ns)
        return false;
    xmlSetNs(mark, ns);
    return attribute(mark, "version", "1");
}

static bool has_vhost_user(const struct domain_spec *spec)
{
    for (size_t i = 0; i < spec->n_disks; i++)
        if (spec->disks[i].vhost_user)
            return true;
    return false;
}

/* The template may set the number, also to none. Disks that another process serves need none. */
static bool put_iothreads(xmlNodePtr root, const struct domain_spec *spec)
{
    return has_vhost_user(spec) || domain_have_iothread(root);
}

bool domain_have_iothread(xmlNodePtr root)
{
    return domain_child(root, "iothreads") || domain_child(root, "iothreadids") ||
           set_text(domain_child_or_new(root, "iothreads"), "1");
}

static bool put_shared_memory(xmlNodePtr root, const struct domain_spec *spec)
{
    return !has_vhost_user(spec) || domain_share_memory(root);
}

/* What else the template says of the memory's pages (huge pages, for example) stays. */
bool domain_share_memory(xmlNodePtr root)
{
    xmlNodePtr backing = domain_child(root, "memoryBacking");
    if (!backing)
        backing = add(root, "memoryBacking");
    xmlNodePtr source = domain_child(backing, "source"), access = domain_child(backing, "access");
    return (source || attribute(add(backing, "source"), "type", "memfd")) &&
           attribute(access ? access : add(backing, "access"), "mode", "shared");
}

/* Refuses the definition of an instance, which as a template would give its disks to a second guest. */
static int refuse_instance(const xmlNode *root, struct error *e)
{
    if (!domain_find_mark(root))
        return 0;
    return error_set(e, -EINVAL,
                     "domain XML: it is the definition of an instance, whose disks a second one would share; "
                     "remove its disks and the element mayfly:instance");
}

/* -------------------------------------------------------------------- disks */

/* True if devices or <os><boot> have a boot order; libvirt never accepts both. */
static bool says_what_boots(const xmlNode *root, const xmlNode *devices)
{
    for (const xmlNode *node = devices->children; node; node = node->next)
        if (domain_child(node, "boot"))
            return true;
    return domain_child(domain_child(root, "os"), "boot");
}

static bool put_disks(xmlNodePtr root, const struct domain_spec *spec)
{
    xmlNodePtr devices = domain_child(root, "devices");
    if (!devices)
        devices = add(root, "devices");
    if (!devices)
        return false;

    bool boots = !says_what_boots(root, devices);
    for (size_t i = 0; i < spec->n_disks; i++) {
        struct disk_place place;
        domain_free_place(root, NULL, &place);
        if (!domain_add_disk(devices, &spec->disks[i], &place, boots && i == 0))
            return false;
    }
    return true;
}

/* ------------------------------------------------------------------ network */

/* Adds the interface. libvirt chooses the MAC address. There is no option ROM: an instance boots from its
 * disks. */
static bool put_interface(xmlNodePtr root, const struct network *n)
{
    if (n->kind == NETWORK_NONE)
        return true;
    const char *kind = n->kind == NETWORK_BRIDGE ? "bridge" : "network";
    xmlNodePtr interface = attribute(add(domain_child(root, "devices"), "interface"), "type", kind);
    return attribute(add(interface, "source"), kind, n->name) &&
           attribute(add(interface, "model"), "type", "virtio") &&
           attribute(add(interface, "rom"), "enabled", "no");
}

/* -------------------------------------------------------------------- ports */

#define SPARE_PORTS 4 /* for disks that are added while the guest runs; libvirt itself adds one port */

static size_t count_on_pci(const xmlNode *devices)
{
    static const char *const kinds[] = {"disk", "interface", "memballoon", "rng"};
    size_t n = 1; /* for the USB controller */
    for (const xmlNode *node = devices->children; node; node = node->next)
        for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
            n += domain_is_element(node, kinds[i]);
    return n;
}

/* Adds free ports. A port holds one device. Existing devices take theirs in libvirt's order. */
static bool put_ports(xmlNodePtr root)
{
    xmlNodePtr devices = domain_child(root, "devices");
    bool ok = true;
    for (size_t n = count_on_pci(devices) + SPARE_PORTS; ok && n > 0; n--)
        ok = attribute(attribute(add(devices, "controller"), "type", "pci"), "model", "pcie-root-port");
    return ok;
}

/* ---------------------------------------------------------------- guest RAM */

static bool is_without_usb(const xmlNode *devices)
{
    for (const xmlNode *node = devices->children; node; node = node->next)
        if (domain_is_element(node, "controller") && domain_has_property(node, "type", "usb") &&
            domain_has_property(node, "model", "none"))
            return true;
    return false;
}

/* Keeps the domain from being saved. libvirt can neither be told not to save a domain, nor does it ask a
 * hook. But it asks QEMU first, and QEMU cannot save a USB serial port. This one is connected to nothing. */
static bool refuse_save(xmlNodePtr root)
{
    xmlNodePtr devices = domain_child(root, "devices");
    if (domain_refuses_save(devices) || is_without_usb(devices))
        return true;
    return attribute(add(attribute(add(devices, "serial"), "type", "null"), "target"), "type", "usb-serial");
}

static bool guard_ram(xmlNodePtr root)
{
    xmlNodePtr memory = domain_child(root, "memory");
    if (memory && !xmlHasProp(memory, BAD_CAST "dumpCore") && !attribute(memory, "dumpCore", "off"))
        return false;
    return refuse_save(root);
}

/* --------------------------------------------------------------- the whole */

static int check_spec(const struct domain_spec *spec, struct error *e)
{
    if (!uuid_valid(spec->uuid) || !*spec->name || !domain_plain_text(spec->name))
        return error_set(e, -EINVAL, "domain: its name or uuid has characters that XML cannot hold");
    if (spec->network.kind != NETWORK_NONE && !domain_plain_text(spec->network.name))
        return error_set(e, -EINVAL, "domain %s: the name of its network has characters that XML cannot hold",
                         spec->name);
    for (size_t i = 0; i < spec->n_disks; i++)
        if (!domain_plain_disk(&spec->disks[i]))
            return error_set(e, -EINVAL,
                             "domain %s: the path or serial of disk %zu has characters that XML cannot hold",
                             spec->name, i);
    return 0;
}

int domain_xml(const struct domain_spec *spec, const char *template_xml, char **ret_xml, struct error *e)
{
    _cleanup_(xmlFreeDocp) xmlDocPtr doc = NULL;
    int r = check_spec(spec, e);
    if (r == 0)
        r = domain_read(template_xml ? template_xml : BUILTIN_DOMAIN_XML, &doc, e);
    if (r < 0)
        return r;

    xmlNodePtr root = xmlDocGetRootElement(doc);
    r = refuse_instance(root, e);
    if (r == 0)
        r = put_memory(root, spec, e);
    if (r == 0)
        r = put_firmware(root, spec, e);
    if (r < 0)
        return r;
    if (!template_xml && !attribute(root, "type", spec->kvm ? "kvm" : "qemu"))
        return error_memory(e);
    if (!put_iothreads(root, spec) || !put_shared_memory(root, spec) || !put_mark(root, spec) ||
        !put_identity(root, spec) || !put_nvram(root, spec) || !put_vcpus(root, spec) ||
        !put_disks(root, spec) || !put_interface(root, &spec->network) || !guard_ram(root) ||
        (!template_xml && !put_ports(root)))
        return error_memory(e);
    return domain_write(doc, ret_xml, e);
}
