/* SPDX-License-Identifier: Apache-2.0 */
/* See exchange-xml.h. Memory stays shared, and the I/O threads stay, when nothing needs them any more: a
 * person may have asked for them. */
#include "virt/exchange-xml.h"

#include "base/str.h"
#include "virt/domain-build.h"

static xmlNodePtr find_disk(const xmlNode *devices, const char *path)
{
    for (xmlNodePtr node = devices ? devices->children : NULL; node; node = node->next) {
        const xmlNode *source = domain_is_element(node, "disk") ? domain_child(node, "source") : NULL;
        if (source && domain_has_property(source, domain_source_attribute(source), path))
            return node;
    }
    return NULL;
}

static bool move_child(xmlNodePtr from, xmlNodePtr to, const char *name)
{
    xmlNodePtr child = domain_child(from, name);
    if (!child)
        return true;
    xmlUnlinkNode(child);
    return xmlAddChild(to, child) != NULL;
}

/* Puts a new element into the place of the old one. */
static int exchange(xmlNodePtr root, xmlNodePtr old, const struct domain_disk *d, struct error *e)
{
    struct disk_place place;
    xmlNodePtr target = domain_child(old, "target");
    _cleanup_(xmlFreep) xmlChar *name = target ? xmlGetProp(target, BAD_CAST "dev") : NULL;
    domain_free_place(root, NULL, &place);
    if (!domain_has_property(target, "bus", "virtio") || !name ||
        str_copy(place.target, sizeof place.target, (const char *)name) < 0)
        return error_set(e, -EINVAL, "its disk %s is not on virtio; see virsh edit", d->device_path);
    xmlNodePtr new = domain_add_disk(old->parent, d, &place, false);
    if (!new)
        return error_memory(e);
    xmlUnlinkNode(new);
    xmlReplaceNode(old, new);
    bool moved = move_child(old, new, "boot") && move_child(old, new, "address");
    xmlFreeNode(old);
    return moved ? 0 : error_memory(e);
}

static int exchange_all(xmlNodePtr root, const struct exchanged_disk disks[], size_t n, size_t *ret_changed,
                        struct error *e)
{
    const xmlNode *devices = domain_child(root, "devices");
    int r = 0;
    for (size_t i = 0; r == 0 && i < n; i++) {
        xmlNodePtr old = find_disk(devices, disks[i].was);
        if (!old && !find_disk(devices, disks[i].is.device_path))
            return error_set(e, -ENOENT, "its definition does not name its disk %s; see virsh edit",
                             disks[i].was);
        if (!old)
            continue;
        bool ready = disks[i].is.vhost_user ? domain_share_memory(root) : domain_have_iothread(root);
        r = ready ? exchange(root, old, &disks[i].is, e) : error_memory(e);
        *ret_changed += r == 0;
    }
    return r;
}

int exchange_xml(const char *xml, const struct exchanged_disk disks[], size_t n, char **ret, struct error *e)
{
    _cleanup_(xmlFreeDocp) xmlDocPtr doc = NULL;
    size_t changed = 0;
    int r = domain_read(xml, &doc, e);
    if (r == 0)
        r = exchange_all(xmlDocGetRootElement(doc), disks, n, &changed, e);
    *ret = NULL;
    return r < 0 || !changed ? r : domain_write(doc, ret, e);
}
