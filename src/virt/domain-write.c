/* SPDX-License-Identifier: Apache-2.0 */
/* Adds elements to a domain's XML, and writes it as text. */
#include "virt/domain-write.h"

#include <stdlib.h>
#include <string.h>

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

int domain_write(xmlDocPtr doc, char **ret, struct error *e)
{
    _cleanup_(xmlFreep) xmlChar *text = NULL;
    int size = 0;
    xmlDocDumpFormatMemoryEnc(doc, &text, &size, "UTF-8", 1);
    *ret = text ? strdup((const char *)text) : NULL;
    return *ret ? 0 : error_memory(e);
}
