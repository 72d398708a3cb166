/* SPDX-License-Identifier: Apache-2.0 */
/* See domain-nvram.h.
 *
 *     <os><nvram template='/usr/share/OVMF/OVMF_VARS.fd'>/var/lib/libvirt/qemu/nvram/web_VARS.fd</nvram>
 *     <os><nvram type='file' ...><source file='...'/></nvram>                             since libvirt 8.5
 */
#include "virt/domain-nvram.h"

#include "base/str.h"

static xmlNodePtr find(const xmlNode *root)
{
    return domain_child(domain_child(root, "os"), "nvram");
}

static int copy(xmlChar *text, char **ret, struct error *e)
{
    *ret = text && *text ? strdup((const char *)text) : NULL;
    return *ret || !text || !*text ? 0 : error_memory(e);
}

/* Chooses the path as libvirt will. With firmware='efi' alone, libvirt 9.0 chooses it by the name at each
 * start, and never tells it. */
static int choose(const xmlNode *root, const char *folder, char **ret, struct error *e)
{
    const xmlNode *os = domain_child(root, "os");
    _cleanup_free_ char *name = NULL;
    if (!os || !domain_has_property(os, "firmware", "efi") ||
        domain_has_property(domain_child(os, "loader"), "stateless", "yes"))
        return 0;
    int r = domain_copy_child_text(root, "name", &name, e);
    if (r == 0)
        *ret = str_format("%s%s_VARS.fd", folder, name);
    return r < 0 || *ret ? r : error_memory(e);
}

int domain_nvram(const xmlNode *root, const char *folder, char **ret, struct error *e)
{
    const xmlNode *nvram = find(root);
    const xmlNode *source = domain_child(nvram, "source");
    _cleanup_(xmlFreep) xmlChar *text = source  ? xmlGetProp(source, BAD_CAST "file")
                                        : nvram ? xmlNodeGetContent(nvram)
                                                : NULL;
    int r = copy(text, ret, e);
    bool elsewhere = nvram && xmlHasProp((xmlNodePtr)nvram, BAD_CAST "type"); /* the file is on a network */
    return r < 0 || *ret || elsewhere ? r : choose(root, folder, ret, e);
}

bool domain_nvram_is_own(const xmlNode *root, const char *folder, const char *path)
{
    _cleanup_free_ char *uuid = NULL;
    if (!str_starts(path, folder) || domain_copy_child_text(root, "uuid", &uuid, NULL) < 0 || !*uuid)
        return false;
    const char *file = path + strlen(folder);
    return str_starts(file, uuid) && str_starts(file + strlen(uuid), "_VARS."); /* fd, or qcow2 */
}

char *domain_nvram_of(const char *path, const char *uuid)
{
    const char *slash = strrchr(path, '/'), *ending = strrchr(path, '.');
    return str_format("%.*s%s_VARS%s", slash ? (int)(slash + 1 - path) : 0, path, uuid,
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
    xmlUnsetProp(nvram, BAD_CAST "type"); /* the type is that of <source>, which is gone */
    if (!nvram->properties)
        remove_node(nvram);
}
