/* SPDX-License-Identifier: Apache-2.0 */
/* See hook-domain.h. Anyone who may define domains has written this XML. */
#include "virt/hook-domain.h"

#include "virt/domain-read.h"
#include "virt/domain-xml.h"

#define VOLUME_INFIX "_disk" /* in the name of a volume, after the uuid of its instance */

/* True if a uuid ends just before `at`. device-mapper doubles the hyphens of LVM's names. */
static bool ends_uuid(const char *xml, const char *at)
{
    char uuid[UUID_TEXT] = "";
    size_t n = UUID_TEXT - 1;
    while (n > 0 && at > xml) {
        uuid[--n] = *--at;
        if (*at == '-' && at > xml && at[-1] == '-')
            at--;
    }
    return n == 0 && uuid_valid(uuid);
}

bool hook_concerns_us(const char *xml)
{
    if (strstr(xml, DOMAIN_XML_NAMESPACE))
        return true;
    for (const char *at = xml; (at = strstr(at, VOLUME_INFIX)); at++)
        if (ends_uuid(xml, at))
            return true;
    return false;
}

/* Adds the path of <disk><source dev="..."/></disk>, or of the socket of <disk type="vhostuser">. */
static int add_device(struct hook_domain *d, const xmlNode *disk, struct error *e)
{
    const xmlNode *source = domain_child(disk, "source");
    _cleanup_(xmlFreep) xmlChar *path =
        source ? xmlGetProp(source, BAD_CAST domain_source_attribute(source)) : NULL;
    if (!path)
        return 0;
    char **bigger = reallocarray(d->devices, d->n_devices + 1, sizeof *bigger);
    if (!bigger)
        return error_memory(e);
    d->devices = bigger;
    d->devices[d->n_devices] = strdup((const char *)path);
    return d->devices[d->n_devices++] ? 0 : error_memory(e);
}

static int read_identity(const xmlNode *root, struct hook_domain *ret, struct error *e)
{
    _cleanup_free_ char *uuid = NULL;
    int r = domain_copy_child_text(root, "name", &ret->name, e);
    if (r == 0)
        r = domain_copy_child_text(root, "uuid", &uuid, e);
    if (r == 0 && !uuid_valid(uuid))
        r = error_set(e, -EINVAL, "domain XML: %.64s is not a uuid", uuid);
    return r < 0 ? r : str_copy(ret->uuid, sizeof ret->uuid, uuid);
}

int hook_domain_read(const char *xml, struct hook_domain *ret, struct error *e)
{
    _cleanup_(xmlFreeDocp) xmlDocPtr doc = NULL;
    *ret = (struct hook_domain){.ours = false};
    int r = domain_read(xml, &doc, e);
    if (r < 0)
        return r;
    const xmlNode *root = xmlDocGetRootElement(doc);
    r = read_identity(root, ret, e);
    ret->ours = domain_find_mark(root) != NULL;
    const xmlNode *devices = domain_child(root, "devices");
    for (const xmlNode *node = devices ? devices->children : NULL; r == 0 && node; node = node->next)
        if (domain_is_element(node, "disk"))
            r = add_device(ret, node, e);
    return r;
}

void hook_domain_end(struct hook_domain *d)
{
    for (size_t i = 0; i < d->n_devices; i++)
        free(d->devices[i]);
    free(d->devices);
    free(d->name);
}
