/* SPDX-License-Identifier: Apache-2.0 */
/* Helpers for files of src/virt that make elements. */
#pragma once

#include "virt/domain-write.h"

static inline xmlNodePtr attribute(xmlNodePtr node, const char *name, const char *value)
{
    return node && xmlSetProp(node, BAD_CAST name, BAD_CAST value) ? node : NULL;
}

/* Adds an element as the last child. */
static inline xmlNodePtr add(xmlNodePtr parent, const char *name)
{
    return parent ? xmlNewChild(parent, NULL, BAD_CAST name, NULL) : NULL;
}

static inline xmlNodePtr set_text(xmlNodePtr node, const char *text)
{
    if (!node)
        return NULL;
    xmlNodeSetContent(node, NULL);
    xmlNodePtr content = xmlNewDocText(node->doc, BAD_CAST text);
    return content && xmlAddChild(node, content) ? node : NULL;
}
