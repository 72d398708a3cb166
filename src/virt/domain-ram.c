/* SPDX-License-Identifier: Apache-2.0 */
/* See domain-ram.h. */
#include "virt/domain-ram.h"

#include "virt/domain-read.h"

int domain_ram_read(const char *xml, struct domain_ram *ret, struct error *e)
{
    _cleanup_(xmlFreeDocp) xmlDocPtr doc = NULL;
    int r = domain_read(xml, &doc, e);
    if (r < 0)
        return r;
    const xmlNode *root = xmlDocGetRootElement(doc);
    *ret = (struct domain_ram){
        .save_refused = domain_refuses_save(domain_child(root, "devices")),
        .core_dumped = !domain_has_property(domain_child(root, "memory"), "dumpCore", "off"),
    };
    return 0;
}
