/* SPDX-License-Identifier: Apache-2.0 */
/* Puts one instance into a template of libvirt XML.
 *
 *     <domain>                      type (built-in template alone)
 *       name uuid memory vcpu       replaced
 *       genid, ...                  taken out: see domain-shared.h
 *       os/@firmware                set where one is asked for
 *       os/nvram                    named by the uuid, where there is one
 *       iothreads                   added, unless it is there: what serves our disks
 *       metadata/mayfly:instance    added: how a domain of ours is known again
 *       devices/disk...             kept, ours behind them
 *       devices/controller          free ports for more disks (built-in template alone)
 *       devices/interface           added where a network is asked for
 *       devices/serial              added: what keeps QEMU from saving the guest's RAM to a file
 *
 * All text is escaped by libxml2, never by hand. domain-read.c reads the template.
 */
#include "virt/domain-xml.h"
#include "base/str.h"
#include "domain-template.h"
#include "virt/domain-nvram.h"
#include "virt/domain-shared.h"
#include "virt/domain-write.h"

#include <inttypes.h>
#include <stdio.h>

/* ------------------------------------------------------------------ writing */

/* These return NULL where memory ran out, or where they were given NULL: a chain of them is checked once. */

static xmlNodePtr attribute(xmlNodePtr node, const char *name, const char *value)
{
    return node && xmlSetProp(node, BAD_CAST name, BAD_CAST value) ? node : NULL;
}

/* The element, behind the last child. */
static xmlNodePtr add(xmlNodePtr parent, const char *name)
{
    return parent ? xmlNewChild(parent, NULL, BAD_CAST name, NULL) : NULL;
}

xmlNodePtr domain_child_or_new(xmlNodePtr parent, const char *name)
{
    xmlNodePtr node = domain_child(parent, name);
    if (node || !parent)
        return node;
    node = xmlNewDocNode(parent->doc, NULL, BAD_CAST name, NULL);
    if (!node)
        return NULL;
    return parent->children ? xmlAddPrevSibling(parent->children, node) : xmlAddChild(parent, node);
}

static xmlNodePtr set_text(xmlNodePtr node, const char *text)
{
    if (!node)
        return NULL;
    xmlNodeSetContent(node, NULL);
    xmlNodePtr content = xmlNewDocText(node->doc, BAD_CAST text);
    return content && xmlAddChild(node, content) ? node : NULL;
}

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
    xmlUnsetProp(root, BAD_CAST "id"); /* that of a running domain; the XML may be its dump */
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
                         "domain XML: it has NUMA cells, which say how much memory there is; leave out "
                         "--memory, or take the cells out of the template");
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

/* A BIOS is what a domain has that says nothing. */
static int put_firmware(xmlNodePtr root, const struct domain_spec *spec, struct error *e)
{
    xmlNodePtr os = domain_child(root, "os");
    bool uefi = spec->firmware == FIRMWARE_UEFI;
    if (spec->firmware == FIRMWARE_TEMPLATE || domain_has_property(os, "firmware", uefi ? "efi" : "bios"))
        return 0;
    if (domain_child(os, "loader") || (os && xmlHasProp(os, BAD_CAST "firmware")))
        return error_set(e, -EINVAL,
                         "domain XML: it names its firmware itself; leave out --firmware, or take the "
                         "firmware out of the template");
    return !uefi || attribute(os ? os : add(root, "os"), "firmware", "efi") ? 0 : error_memory(e);
}

/* By its uuid: see domain-nvram.h. */
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

/* The template may say how many: none, too. */
static bool put_iothreads(xmlNodePtr root)
{
    return domain_child(root, "iothreads") || domain_child(root, "iothreadids") ||
           set_text(domain_child_or_new(root, "iothreads"), "1");
}

/* An instance's definition as a template would give its disks to a second guest. */
static int refuse_instance(const xmlNode *root, struct error *e)
{
    if (!domain_find_mark(root))
        return 0;
    return error_set(
        e, -EINVAL,
        "domain XML: it is the definition of an instance, and a second one would share its disks; "
        "take out its disks and the element mayfly:instance");
}

/* -------------------------------------------------------------------- disks */

/* libvirt takes a boot order at the devices, or <os><boot>, never both. */
static bool says_what_boots(const xmlNode *root, const xmlNode *devices)
{
    for (const xmlNode *node = devices->children; node; node = node->next)
        if (domain_child(node, "boot"))
            return true;
    return domain_child(domain_child(root, "os"), "boot");
}

/* Why this and nothing else, see mayfly.conf(5), DISKS IN LIBVIRT. What is left out has the right default:
 * as many queues as processors (QEMU 5.2), queues of 256, no detection of zeroes, discards ignored. */
static xmlNodePtr add_driver(xmlNodePtr disk, const struct domain_disk *d, uint32_t iothread)
{
    char id[16];
    snprintf(id, sizeof id, "%" PRIu32, iothread);
    xmlNodePtr driver = attribute(attribute(add(disk, "driver"), "name", "qemu"), "type", "raw");
    driver = attribute(attribute(driver, "cache", "none"), "io", d->io_uring ? "io_uring" : "native");
    if (d->discard)
        driver = attribute(driver, "discard", "unmap");
    return iothread ? attribute(driver, "iothread", id) : driver;
}

xmlNodePtr domain_add_disk(xmlNodePtr devices, const struct domain_disk *d, const struct disk_place *place,
                           bool boots)
{
    xmlNodePtr disk = attribute(attribute(add(devices, "disk"), "type", "block"), "device", "disk");
    bool ok = add_driver(disk, d, place->iothread) && attribute(add(disk, "source"), "dev", d->device_path);
    ok = ok && attribute(attribute(add(disk, "target"), "dev", place->target), "bus", "virtio");
    if (d->sector_bytes == 4096) {
        xmlNodePtr sizes = attribute(add(disk, "blockio"), "logical_block_size", "512");
        ok = ok && attribute(sizes, "physical_block_size", "4096");
    }
    if (d->read_only)
        ok = ok && add(disk, "readonly");
    if (d->serial)
        ok = ok && set_text(add(disk, "serial"), d->serial);
    if (boots)
        ok = ok && attribute(add(disk, "boot"), "order", "1");
    return ok ? disk : NULL;
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

/* libvirt chooses its MAC address. No option ROM: an instance boots from its disks. */
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

#define SPARE_PORTS                                                                                          \
    4 /* for disks that are added while the guest runs; libvirt gives a domain one by itself */

static size_t count_on_pci(const xmlNode *devices)
{
    static const char *const kinds[] = {"disk", "interface", "memballoon", "rng"};
    size_t n = 1; /* the USB controller */
    for (const xmlNode *node = devices->children; node; node = node->next)
        for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
            n += domain_is_element(node, kinds[i]);
    return n;
}

/* One port has one device. Each that is there takes one, in the order in which libvirt numbers them. */
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

/* libvirt has no switch against saving a domain, and no hook that is asked. But QEMU does not know how to
 * save a USB serial port, and libvirt asks it first. This one leads nowhere. */
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

int domain_write(xmlDocPtr doc, char **ret, struct error *e)
{
    _cleanup_(xmlFreep) xmlChar *text = NULL;
    int size = 0;
    xmlDocDumpFormatMemoryEnc(doc, &text, &size, "UTF-8", 1);
    *ret = text ? strdup((const char *)text) : NULL;
    return *ret ? 0 : error_memory(e);
}

/* What libxml2 would write as it is, and no XML parser would read again. */
static bool is_plain_text(const char *text)
{
    for (const char *c = text; *c; c++)
        if ((unsigned char)*c < 0x20)
            return false;
    return xmlCheckUTF8((const unsigned char *)text);
}

static bool is_plain_disk(const struct domain_disk *d)
{
    return is_plain_text(d->device_path) && (!d->serial || is_plain_text(d->serial));
}

static int check_spec(const struct domain_spec *spec, struct error *e)
{
    if (!uuid_valid(spec->uuid) || !*spec->name || !is_plain_text(spec->name))
        return error_set(e, -EINVAL, "domain: its name or uuid has characters that can't be in one");
    if (spec->network.kind != NETWORK_NONE && !is_plain_text(spec->network.name))
        return error_set(e, -EINVAL, "domain %s: the name of its network is not plain text", spec->name);
    for (size_t i = 0; i < spec->n_disks; i++)
        if (!is_plain_disk(&spec->disks[i]))
            return error_set(e, -EINVAL, "domain %s: the path or serial of disk %zu is not plain text",
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
    if (!put_iothreads(root) || !put_mark(root, spec) || !put_identity(root, spec) ||
        !put_nvram(root, spec) || !put_vcpus(root, spec) || !put_disks(root, spec) ||
        !put_interface(root, &spec->network) || !guard_ram(root) || (!template_xml && !put_ports(root)))
        return error_memory(e);
    return domain_write(doc, ret_xml, e);
}

int domain_disk_xml(const struct domain_disk *d, const struct disk_place *place, char **ret_xml,
                    struct error *e)
{
    if (!is_plain_disk(d))
        return error_set(e, -EINVAL, "disk: its path or serial is not plain text");
    _cleanup_(xmlFreeDocp) xmlDocPtr doc = xmlNewDoc(BAD_CAST "1.0");
    xmlNodePtr root = doc ? xmlNewDocNode(doc, NULL, BAD_CAST "devices", NULL) : NULL;
    if (!root)
        return error_memory(e);
    xmlDocSetRootElement(doc, root);
    if (!domain_add_disk(root, d, place, false))
        return error_memory(e);
    xmlDocSetRootElement(doc, root->children);
    xmlFreeNode(root);
    return domain_write(doc, ret_xml, e);
}
