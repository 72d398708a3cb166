/* SPDX-License-Identifier: Apache-2.0 */
/* See domain-nvram.h.
 *
 *     <os><nvram template='/usr/share/OVMF/OVMF_VARS.fd'>/var/lib/libvirt/qemu/nvram/web_VARS.fd</nvram>
 *     <os><nvram type='file' ...><source file='...'/></nvram>                             since libvirt 8.5
 */
#include "virt/domain-nvram.h"

#include "base/str.h"

#define NVRAM_FOLDER "/var/lib/libvirt/qemu/nvram/" /* of qemu:///system */

static xmlNodePtr find(const xmlNode *root)
{
    return domain_child(domain_child(root, "os"), "nvram");
}

static int copy(xmlChar *text, char **ret, struct error *e)
{
    *ret = text && *text ? strdup((const char *)text) : NULL;
    return *ret || !text || !*text ? 0 : error_memory(e);
}

int domain_nvram(const xmlNode *root, char **ret, struct error *e)
{
    const xmlNode *nvram = find(root);
    const xmlNode *source = domain_child(nvram, "source");
    _cleanup_(xmlFreep) xmlChar *text = source  ? xmlGetProp(source, BAD_CAST "file")
                                        : nvram ? xmlNodeGetContent(nvram)
                                                : NULL;
    return copy(text, ret, e);
}

/* NAME_VARS.fd, or another ending that says the format. */
static bool is_file_of(const char *file, const char *name)
{
    return name && *name && str_starts(file, name) && str_starts(file + strlen(name), "_VARS.");
}

static bool is_file_of_child(const char *file, const xmlNode *root, const char *child)
{
    _cleanup_free_ char *text = NULL;
    return domain_copy_child_text(root, child, &text, NULL) == 0 && is_file_of(file, text);
}

bool domain_nvram_is_own(const xmlNode *root, const char *path)
{
    if (!str_starts(path, NVRAM_FOLDER))
        return false;
    const char *file = path + strlen(NVRAM_FOLDER);
    const xmlNode *mark = domain_find_mark(root);
    _cleanup_(xmlFreep) xmlChar *launched = mark ? xmlGetProp(mark, BAD_CAST "name") : NULL;
    return is_file_of(file, (const char *)launched) || is_file_of_child(file, root, "name") ||
           is_file_of_child(file, root, "uuid");
}

char *domain_nvram_of(const char *path, const char *name)
{
    const char *slash = strrchr(path, '/'), *ending = strrchr(path, '.');
    return str_format("%.*s%s_VARS%s", slash ? (int)(slash + 1 - path) : 0, path, name,
                      ending && (!slash || ending > slash) ? ending : "");
}

static void remove_node(xmlNodePtr node)
{
    xmlUnlinkNode(node);
    xmlFreeNode(node);
}

void domain_drop_nvram(xmlNodePtr root)
{
    xmlNodePtr nvram = find(root);
    if (!nvram)
        return;
    while (nvram->children)
        remove_node(nvram->children);
    xmlUnsetProp(nvram, BAD_CAST "type"); /* of the source */
    if (!nvram->properties)
        remove_node(nvram);
}
