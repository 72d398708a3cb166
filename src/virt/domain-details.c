/* SPDX-License-Identifier: Apache-2.0 */
/* See domain-details.h. */
#include "virt/domain-details.h"

#include "virt/domain-read.h"

/* Returns how the state of the TPM is kept. libvirt keeps it if its own emulator serves the TPM, and not
 * otherwise. */
static enum domain_tpm find_tpm(const xmlNode *devices)
{
    for (const xmlNode *node = devices ? devices->children : NULL; node; node = node->next) {
        const xmlNode *backend = domain_is_element(node, "tpm") ? domain_child(node, "backend") : NULL;
        if (domain_has_property(backend, "type", "emulator"))
            return domain_child(backend, "encryption") ? TPM_ENCRYPTED : TPM_PLAIN;
    }
    return TPM_NONE;
}

int domain_details_read(const char *xml, struct domain_details *ret, struct error *e)
{
    _cleanup_(xmlFreeDocp) xmlDocPtr doc = NULL;
    int r = domain_read(xml, &doc, e);
    if (r < 0)
        return r;
    const xmlNode *root = xmlDocGetRootElement(doc);
    *ret = (struct domain_details){
        .save_refused = domain_refuses_save(domain_child(root, "devices")),
        .core_dumped = !domain_has_property(domain_child(root, "memory"), "dumpCore", "off"),
        .tpm = find_tpm(domain_child(root, "devices")),
    };
    return 0;
}
