/* SPDX-License-Identifier: Apache-2.0 */
/* See domain-shared.h. */
#include "virt/domain-shared.h"

#include "base/str.h"
#include "virt/domain-nvram.h"

#include <stdio.h>

/* ----------------------------------------------------------------- identity */

static void remove_node(xmlNodePtr node)
{
    if (node) {
        xmlUnlinkNode(node);
        xmlFreeNode(node);
    }
}

static void drop_smbios_uuid(xmlNodePtr root)
{
    for (xmlNodePtr info = root->children; info; info = info->next) {
        xmlNodePtr system = domain_is_element(info, "sysinfo") ? domain_child(info, "system") : NULL;
        for (xmlNodePtr entry = system ? system->children : NULL, next; entry; entry = next) {
            next = entry->next;
            if (domain_is_element(entry, "entry") && domain_has_property(entry, "name", "uuid"))
                remove_node(entry);
        }
        if (system && !system->children) /* the schema refuses an empty element */
            remove_node(system);
    }
}

void domain_drop_identity(xmlNodePtr root)
{
    xmlNodePtr genid = domain_child(root, "genid");
    domain_drop_nvram(root);
    drop_smbios_uuid(root);
    remove_node(domain_child(root, "hwuuid"));
    while (genid && genid->children) /* an empty one is filled in by libvirt */
        remove_node(genid->children);
}

/* -------------------------------------------------------------- fixed things */

static void note(char list[DOMAIN_SHARED_MAX], const char *what, const xmlChar *value)
{
    size_t n = strlen(list);
    snprintf(list + n, DOMAIN_SHARED_MAX - n, "%s%s %.80s", n ? ", " : "", what,
             value ? (const char *)value : "");
}

/* Notes the attribute of the node, if it has it. */
static void note_attribute(char list[DOMAIN_SHARED_MAX], const char *what, const xmlNode *node,
                           const char *name)
{
    _cleanup_(xmlFreep) xmlChar *value = node ? xmlGetProp(node, BAD_CAST name) : NULL;
    if (value && *value)
        note(list, what, value);
}

static void note_interface(const xmlNode *node, char list[DOMAIN_SHARED_MAX])
{
    const xmlNode *target = domain_child(node, "target");
    _cleanup_(xmlFreep) xmlChar *device = target ? xmlGetProp(target, BAD_CAST "dev") : NULL;
    note_attribute(list, "the MAC address", domain_child(node, "mac"), "address");
    if (device && !str_starts((const char *)device, "vnet")) /* libvirt itself does not keep vnet names */
        note(list, "the network device", device);
    if (domain_has_property(node, "type", "hostdev"))
        note(list, "a network device of the host", NULL);
}

static bool is_automatic(const xmlChar *port)
{
    return !port || streq((const char *)port, "-1") || streq((const char *)port, "0");
}

static void note_graphics(const xmlNode *node, char list[DOMAIN_SHARED_MAX])
{
    static const char *const ports[] = {"port", "tlsPort", "websocket"};
    for (size_t i = 0; i < ARRAY_SIZE(ports) && !domain_has_property(node, "autoport", "yes"); i++) {
        _cleanup_(xmlFreep) xmlChar *port = xmlGetProp(node, BAD_CAST ports[i]);
        if (!is_automatic(port))
            note(list, "graphics' port", port);
    }
    note_attribute(list, "graphics' socket", node, "socket");
    for (const xmlNode *listen = node->children; listen; listen = listen->next)
        if (domain_is_element(listen, "listen"))
            note_attribute(list, "graphics' socket", listen, "socket");
}

/* Notes a character device that listens, or writes to a file. */
static void note_character(const xmlNode *node, char list[DOMAIN_SHARED_MAX])
{
    const xmlNode *log = domain_child(node, "log");
    for (const xmlNode *source = node->children; source; source = source->next) {
        if (!domain_is_element(source, "source") || domain_has_property(source, "mode", "connect"))
            continue;
        note_attribute(list, "the port", source, "service");
        if (domain_has_property(node, "type", "unix"))
            note_attribute(list, "the socket", source, "path");
        else if (domain_has_property(node, "type", "file") || domain_has_property(node, "type", "pipe") ||
                 domain_has_property(node, "type", "dev"))
            note_attribute(list, "the file", source, "path");
    }
    note_attribute(list, "the file", log, "file");
}

static void note_vsock(const xmlNode *node, char list[DOMAIN_SHARED_MAX])
{
    const xmlNode *cid = domain_child(node, "cid");
    if (!domain_has_property(cid, "auto", "yes"))
        note_attribute(list, "the vsock address", cid, "address");
}

static void note_host_device(const xmlNode *node, char list[DOMAIN_SHARED_MAX])
{
    _cleanup_(xmlFreep) xmlChar *type = xmlGetProp(node, BAD_CAST "type");
    note(list, "a device of the host:", type);
}

static void note_label(const xmlNode *root, char list[DOMAIN_SHARED_MAX])
{
    for (const xmlNode *node = root->children; node; node = node->next) {
        const xmlNode *label = domain_is_element(node, "seclabel") ? domain_child(node, "label") : NULL;
        _cleanup_(xmlFreep) xmlChar *text = label ? xmlNodeGetContent(label) : NULL;
        if (label && domain_has_property(node, "type", "static"))
            note(list, "the security label", text);
    }
}

static void note_devices(const xmlNode *devices, char list[DOMAIN_SHARED_MAX])
{
    static const struct {
        const char *element;
        void (*note)(const xmlNode *node, char list[DOMAIN_SHARED_MAX]);
    } kinds[] = {
        {"interface", note_interface}, {"graphics", note_graphics},   {"serial", note_character},
        {"console", note_character},   {"parallel", note_character},  {"channel", note_character},
        {"vsock", note_vsock},         {"hostdev", note_host_device},
    };
    for (const xmlNode *node = devices ? devices->children : NULL; node; node = node->next)
        for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
            if (domain_is_element(node, kinds[i].element))
                kinds[i].note(node, list);
}

/* -------------------------------------------------------------------- disks */

/* True if two domains would write to the disk. An empty drive has no source. A CD-ROM is always read-only. */
static bool is_written_by_two(const xmlNode *disk)
{
    const xmlNode *source = domain_child(disk, "source");
    return source && source->properties && !domain_has_property(disk, "device", "cdrom") &&
           !domain_child(disk, "readonly") && !domain_child(disk, "shareable") &&
           !domain_child(disk, "transient");
}

static int check_disks(const xmlNode *devices, struct error *e)
{
    for (const xmlNode *node = devices ? devices->children : NULL; node; node = node->next) {
        if (!domain_is_element(node, "disk") || !is_written_by_two(node))
            continue;
        const xmlNode *target = domain_child(node, "target");
        _cleanup_(xmlFreep) xmlChar *name = target ? xmlGetProp(target, BAD_CAST "dev") : NULL;
        return error_set(e, -EUNSAFE,
                         "domain XML: the instance would write to disk %.16s, and so may another domain that "
                         "has it; remove it from the template, or mark it <readonly/> or <shareable/>",
                         name ? (const char *)name : "?");
    }
    return 0;
}

int domain_shared(const char *template_xml, char ret[DOMAIN_SHARED_MAX], struct error *e)
{
    _cleanup_(xmlFreeDocp) xmlDocPtr doc = NULL;
    int r = domain_read(template_xml, &doc, e);
    if (r < 0)
        return r;
    const xmlNode *root = xmlDocGetRootElement(doc), *devices = domain_child(root, "devices");
    *ret = '\0';
    note_devices(devices, ret);
    note_label(root, ret);
    return check_disks(devices, e);
}
