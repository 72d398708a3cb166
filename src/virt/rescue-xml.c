/* SPDX-License-Identifier: Apache-2.0 */
/* A guest numbers its disks by their addresses. So the rescue disk becomes vda only if it takes the place of
 * the first disk. All other disks move on by one place; removal moves them back:
 *
 *     place     vda 0000:02    vdb 0000:03    vdc 0000:04    vdd (libvirt finds one)
 *     before    root           eph0           swap
 *     after     rescue         root           eph0           swap
 *
 * Boot orders grow by one. libvirt may add controllers for the new place. A record in the metadata lists the
 * controllers that were there before. Once libvirt has the definition, the record is changed to list the
 * controllers that libvirt has added: these are removed with the rescue disk. A controller that a person adds
 * later is never in the record.
 */
#include "virt/rescue-xml.h"

#include "base/str.h"
#include "virt/domain-write.h"

#include <inttypes.h>
#include <stdio.h>

#define CHAIN_MAX 128 /* virtio disks of a domain */

/* The rescue disk and the disks after it, in the order of their places. */
struct chain {
    xmlNodePtr disk[CHAIN_MAX];
    size_t n;
};

static xmlNodePtr next_of(xmlNodePtr node, const char *name)
{
    while (node && !domain_is_element(node, name))
        node = node->next;
    return node;
}

static xmlNodePtr first_child(xmlNodePtr parent, const char *name)
{
    return parent ? next_of(parent->children, name) : NULL;
}

static bool has_value(xmlNodePtr node, const char *attribute, const char *wanted)
{
    _cleanup_(xmlFreep) xmlChar *value = node ? xmlGetProp(node, BAD_CAST attribute) : NULL;
    return value && streq((const char *)value, wanted);
}

/* --------------------------------------------------------------------- places */

static xmlNodePtr target_of(xmlNodePtr disk)
{
    return domain_child(disk, "target");
}

static bool is_virtio(xmlNodePtr disk)
{
    return has_value(target_of(disk), "bus", "virtio") && xmlHasProp(target_of(disk), BAD_CAST "dev");
}

/* Collects the virtio disks from `first` on. */
static int find_chain(xmlNodePtr first, struct chain *ret, struct error *e)
{
    ret->n = 0;
    for (xmlNodePtr disk = first; disk; disk = next_of(disk->next, "disk")) {
        if (!is_virtio(disk))
            continue;
        if (ret->n == CHAIN_MAX)
            return error_set(e, -EINVAL, "it has more than %d virtio disks", CHAIN_MAX);
        ret->disk[ret->n++] = disk;
    }
    return 0;
}

/* Gives each disk the place of the disk `step` further on in the circle. */
static bool move_places(const struct chain *c, size_t step)
{
    xmlNodePtr address[CHAIN_MAX];
    xmlChar *name[CHAIN_MAX];
    bool ok = true;
    for (size_t i = 0; i < c->n; i++) {
        address[i] = domain_child(c->disk[i], "address");
        name[i] = xmlGetProp(target_of(c->disk[i]), BAD_CAST "dev");
        if (address[i])
            xmlUnlinkNode(address[i]);
    }
    for (size_t i = 0; i < c->n; i++) {
        size_t from = (i + step) % c->n;
        ok = name[from] && xmlSetProp(target_of(c->disk[i]), BAD_CAST "dev", name[from]) && ok;
        if (address[from]) /* last, as libvirt does */
            xmlAddChild(c->disk[i], address[from]);
    }
    for (size_t i = 0; i < c->n; i++)
        xmlFree(name[i]);
    return ok;
}

/* -------------------------------------------------------------- boot orders */

/* Adds `by` to each boot order; false: no device has one. */
static bool move_boot_orders(xmlNodePtr devices, int by)
{
    bool any = false;
    for (xmlNodePtr device = devices ? devices->children : NULL; device; device = device->next) {
        xmlNodePtr boot = domain_child(device, "boot");
        _cleanup_(xmlFreep) xmlChar *text = boot ? xmlGetProp(boot, BAD_CAST "order") : NULL;
        uint64_t order = 0;
        char moved[24];
        if (!text || str_to_u64((const char *)text, &order) < 0 || order > UINT32_MAX)
            continue;
        snprintf(moved, sizeof moved, "%" PRId64, (int64_t)order + by);
        xmlSetProp(boot, BAD_CAST "order", BAD_CAST moved);
        any = true;
    }
    return any;
}

static xmlNodePtr find_first(xmlNodePtr devices, bool (*wanted)(xmlNodePtr disk))
{
    xmlNodePtr disk = first_child(devices, "disk");
    while (disk && !wanted(disk))
        disk = next_of(disk->next, "disk");
    return disk;
}

/* True if it is not a drive with removable disks. */
static bool is_fixed(xmlNodePtr disk)
{
    return !xmlHasProp(disk, BAD_CAST "device") || has_value(disk, "device", "disk");
}

/* Checks that a disk in the place of `first` would boot. Without boot orders a domain boots its first disk,
 * unless <os> says otherwise. */
static int check_boots(xmlNodePtr root, xmlNodePtr first, bool by_order, struct error *e)
{
    xmlNodePtr os = domain_child(root, "os"), boot = domain_child(os, "boot");
    if (!first)
        return error_set(e, -EINVAL,
                         "it has no virtio disk whose place a rescue disk could take; see virsh "
                         "dumpxml");
    if (domain_child(os, "kernel"))
        return error_set(e, -EINVAL,
                         "it boots a kernel of the host (<os><kernel>), not a disk; remove <kernel> "
                         "by virsh edit");
    if (!by_order &&
        ((boot && !has_value(boot, "dev", "hd")) || find_first(first->parent, is_fixed) != first))
        return error_set(e, -EINVAL,
                         "it does not boot from its first virtio disk (<os><boot>); give its disks "
                         "a <boot order> by virsh edit");
    return 0;
}

/* ------------------------------------------------------------------- metadata */

static xmlNodePtr find_record(const xmlNode *root)
{
    xmlNodePtr metadata = domain_child(root, "metadata");
    for (xmlNodePtr node = metadata ? metadata->children : NULL; node; node = node->next)
        if (node->ns && node->ns->href && streq((const char *)node->ns->href, RESCUE_XML_NAMESPACE))
            return node;
    return NULL;
}

static bool copy_attribute(xmlNodePtr from, xmlNodePtr to, const char *name)
{
    _cleanup_(xmlFreep) xmlChar *value = xmlGetProp(from, BAD_CAST name);
    return !value || xmlSetProp(to, BAD_CAST name, value);
}

/* Adds <mayfly:rescue> with the type and index of each controller. */
static bool put_record(xmlNodePtr root, xmlNodePtr devices)
{
    xmlNodePtr metadata = domain_child_or_new(root, "metadata");
    xmlNodePtr record = metadata ? xmlNewChild(metadata, NULL, BAD_CAST "rescue", NULL) : NULL;
    xmlNsPtr ns = record ? xmlNewNs(record, BAD_CAST RESCUE_XML_NAMESPACE, BAD_CAST "mayfly") : NULL;
    if (!ns)
        return false;
    xmlSetNs(record, ns);
    bool ok = true;
    for (xmlNodePtr c = first_child(devices, "controller"); ok && c; c = next_of(c->next, "controller")) {
        xmlNodePtr noted = xmlNewChild(record, ns, BAD_CAST "controller", NULL);
        ok = noted && copy_attribute(c, noted, "type") && copy_attribute(c, noted, "index");
    }
    return ok;
}

static bool is_recorded(const xmlNode *record, xmlNodePtr controller)
{
    _cleanup_(xmlFreep) xmlChar *type = xmlGetProp(controller, BAD_CAST "type");
    _cleanup_(xmlFreep) xmlChar *index = xmlGetProp(controller, BAD_CAST "index");
    if (!type || !index)
        return true;
    for (xmlNodePtr noted = record->children; noted; noted = noted->next)
        if (has_value(noted, "type", (const char *)type) && has_value(noted, "index", (const char *)index))
            return true;
    return false;
}

static void remove_node(xmlNodePtr node)
{
    xmlUnlinkNode(node);
    xmlFreeNode(node);
}

#define LISTS_ADDED "added" /* value of the attribute `lists`, absent at first */

/* True if the controller was added for the rescue disk. */
static bool is_added(xmlNodePtr record, xmlNodePtr controller)
{
    return has_value(record, "lists", LISTS_ADDED) == is_recorded(record, controller) &&
           xmlHasProp(controller, BAD_CAST "type") && xmlHasProp(controller, BAD_CAST "index");
}

/* Replaces the controllers in the record: it listed those that were there before, and now lists those that
 * libvirt has added. */
static bool turn_record(xmlNodePtr record, xmlNodePtr devices)
{
    xmlNodePtr list = xmlCopyNode(record, 2);
    bool ok = list && xmlSetProp(list, BAD_CAST "lists", BAD_CAST LISTS_ADDED);
    for (xmlNodePtr c = first_child(devices, "controller"); ok && c; c = next_of(c->next, "controller")) {
        if (!is_added(record, c))
            continue;
        xmlNodePtr noted = xmlNewChild(list, list->ns, BAD_CAST "controller", NULL);
        ok = noted && copy_attribute(c, noted, "type") && copy_attribute(c, noted, "index");
    }
    if (!ok) {
        xmlFreeNode(list);
        return false;
    }
    xmlReplaceNode(record, list);
    xmlFreeNode(record);
    return true;
}

/* Removes the added controllers with it. */
static void remove_record(xmlNodePtr record, xmlNodePtr devices)
{
    for (xmlNodePtr c = first_child(devices, "controller"), next; c; c = next) {
        next = next_of(c->next, "controller");
        if (is_added(record, c))
            remove_node(c);
    }
    xmlNodePtr metadata = record->parent;
    remove_node(record);
    if (!metadata->children)
        remove_node(metadata);
}

/* ----------------------------------------------------------------- the disk */

/* Finds the disk by the name of its volume, map or socket, which begins with the domain's uuid. *ret NULL:
 * there is none. */
static int find_rescue(const xmlNode *root, xmlNodePtr *ret, struct error *e)
{
    _cleanup_free_ char *uuid = NULL;
    *ret = NULL;
    int r = domain_child(root, "uuid") ? domain_copy_child_text(root, "uuid", &uuid, e) : 0;
    if (r < 0 || !uuid)
        return r;
    for (xmlNodePtr disk = first_child(domain_child(root, "devices"), "disk"); disk;
         disk = next_of(disk->next, "disk")) {
        xmlNodePtr source = domain_child(disk, "source");
        const xmlChar *where = BAD_CAST domain_source_attribute(source);
        _cleanup_(xmlFreep) xmlChar *path = source ? xmlGetProp(source, where) : NULL;
        if (!path && source && xmlHasProp(source, where))
            return error_memory(e);
        const char *name = path ? strrchr((const char *)path, '/') : NULL;
        if (name && str_starts(name + 1, uuid) && str_starts(name + 1 + strlen(uuid), "_disk.rescue")) {
            *ret = disk;
            return 0;
        }
    }
    return 0;
}

static int add_before(xmlNodePtr root, xmlNodePtr first, const struct domain_disk *rescue, bool by_order,
                      struct error *e)
{
    struct disk_place place;
    struct chain chain;
    domain_free_place(root, NULL, &place);
    xmlNodePtr disk = domain_add_disk(first->parent, rescue, &place, by_order);
    if (!disk)
        return error_memory(e);
    xmlUnlinkNode(disk);
    xmlAddPrevSibling(first, disk);
    int r = find_chain(disk, &chain, e);
    if (r == 0 && !move_places(&chain, 1))
        r = error_memory(e);
    return r;
}

int rescue_xml_add(const char *xml, const struct domain_disk *rescue, char **ret, struct error *e)
{
    _cleanup_(xmlFreeDocp) xmlDocPtr doc = NULL;
    int r = domain_read(xml, &doc, e);
    if (r < 0)
        return r;
    xmlNodePtr root = xmlDocGetRootElement(doc), devices = domain_child(root, "devices"), there = NULL;
    r = find_rescue(root, &there, e);
    if (r < 0)
        return r;
    if (there || find_record(root))
        return error_set(e, -EEXIST, "it has a rescue disk already; see virsh dumpxml --inactive");
    xmlNodePtr first = find_first(devices, is_virtio);
    bool by_order = move_boot_orders(devices, 1);
    r = check_boots(root, first, by_order, e);
    if (r == 0 && !put_record(root, devices))
        r = error_memory(e);
    if (r == 0)
        r = add_before(root, first, rescue, by_order, e);
    return r < 0 ? r : domain_write(doc, ret, e);
}

int rescue_xml_note(const char *xml, char **ret, struct error *e)
{
    _cleanup_(xmlFreeDocp) xmlDocPtr doc = NULL;
    int r = domain_read(xml, &doc, e);
    if (r < 0)
        return r;
    const xmlNode *root = xmlDocGetRootElement(doc);
    xmlNodePtr record = find_record(root);
    *ret = NULL;
    if (!record)
        return 0;
    return turn_record(record, domain_child(root, "devices")) ? domain_write(doc, ret, e) : error_memory(e);
}

/* Removes the rescue disk. If a person has moved it to another bus, it is in no other disk's place. */
static int remove_disk(xmlNodePtr disk, struct error *e)
{
    xmlNodePtr devices = disk->parent;
    bool by_order = domain_child(disk, "boot");
    struct chain chain;
    int r = is_virtio(disk) ? find_chain(disk, &chain, e) : 0;
    if (r == 0 && is_virtio(disk) && !move_places(&chain, chain.n - 1))
        r = error_memory(e);
    if (r < 0)
        return r;
    remove_node(disk);
    if (by_order)
        move_boot_orders(devices, -1);
    return 0;
}

int rescue_xml_remove(const char *xml, char **ret, struct error *e)
{
    _cleanup_(xmlFreeDocp) xmlDocPtr doc = NULL;
    int r = domain_read(xml, &doc, e);
    if (r < 0)
        return r;
    const xmlNode *root = xmlDocGetRootElement(doc);
    xmlNodePtr disk = NULL, record = find_record(root);
    r = find_rescue(root, &disk, e);
    if (r < 0)
        return r;
    if (!disk && !record) {
        *ret = NULL;
        return 0;
    }
    if (disk)
        r = remove_disk(disk, e);
    if (r == 0 && record)
        remove_record(record, domain_child(root, "devices"));
    return r < 0 ? r : domain_write(doc, ret, e);
}
