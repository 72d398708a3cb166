/* SPDX-License-Identifier: Apache-2.0 */
/* See domain-view.h. Anyone who may define domains has written this XML.
 *
 *     <disk><source/><backingStore><source/><backingStore>...</backingStore></backingStore>
 *           <mirror><source/><backingStore>...</backingStore></mirror></disk>
 */
#include "virt/domain-view.h"

#include "virt/domain-nvram.h"
#include "virt/domain-read.h"

#define DEPTH_MAX 256 /* libvirt's own limit for a backing chain is 200 */

#define NOVA_NAMESPACE "http://openstack.org/xmlns/libvirt/nova/" /* a version follows */

/* Copies a property. NULL: there is none; or it could not be copied, and *lost is set. */
static char *take_property(const xmlNode *node, const char *name, bool *lost)
{
    _cleanup_(xmlFreep) xmlChar *text = node ? xmlGetProp(node, BAD_CAST name) : NULL;
    char *copy = text ? strdup((const char *)text) : NULL;
    *lost = *lost || (!copy && node && xmlHasProp(node, BAD_CAST name));
    return copy;
}

/* Copies the text of a node, as take_property() copies a property. */
static char *take_text(const xmlNode *node, bool *lost)
{
    _cleanup_(xmlFreep) xmlChar *text = node ? xmlNodeGetContent(node) : NULL;
    char *copy = text && *text ? strdup((const char *)text) : NULL;
    *lost = *lost || (!copy && node && (!text || *text));
    return copy;
}

/* Returns the path that a <source> names; NULL: none. */
static char *path_of(const xmlNode *source, bool *ret_volume, bool *lost)
{
    static const char *const names[] = {"dev", "file", "dir", "path", "name"};
    _cleanup_free_ char *pool = take_property(source, "pool", lost),
                        *volume = take_property(source, "volume", lost);
    char *path = NULL;
    *ret_volume = pool && volume;
    if (*ret_volume) {
        path = str_format("%s/%s", pool, volume);
        *lost = *lost || !path;
        return path;
    }
    for (size_t i = 0; !path && i < ARRAY_SIZE(names); i++)
        path = take_property(source, names[i], lost);
    return path;
}

static int add_source(struct disk_view *d, const xmlNode *source, enum source_use use, struct error *e)
{
    bool volume = false, lost = false;
    _cleanup_free_ char *path = path_of(source, &volume, &lost);
    if (lost)
        return error_memory(e);
    if (!path)
        return 0;
    struct domain_source *bigger = reallocarray(d->sources, d->n_sources + 1, sizeof *bigger);
    if (!bigger)
        return error_memory(e);
    d->sources = bigger;
    d->sources[d->n_sources++] = (struct domain_source){.use = use, .volume = volume, .path = TAKE_PTR(path)};
    return 0;
}

/* Adds the <source> of `node` (a <disk>, <mirror> or <backingStore>) and all sources below it. */
static int add_chain(struct disk_view *d, const xmlNode *node, enum source_use use, struct error *e)
{
    int r = 0;
    for (int depth = 0; r == 0 && node && depth < DEPTH_MAX; depth++) {
        const xmlNode *source = domain_child(node, "source"), *data = domain_child(source, "dataStore");
        r = add_source(d, source, use, e);
        if (r == 0 && data)
            r = add_source(d, domain_child(data, "source"), SOURCE_DATA, e);
        if (use == SOURCE_TOP)
            use = SOURCE_BACKING;
        node = domain_child(node, "backingStore");
    }
    return r;
}

/* Adds the sources of a <mirror>. Its older forms have the path as an attribute. */
static int add_mirror(struct disk_view *d, const xmlNode *mirror, struct error *e)
{
    int r = mirror ? add_chain(d, mirror, SOURCE_MIRROR, e) : 0;
    return r == 0 && mirror && !domain_child(mirror, "source") ? add_source(d, mirror, SOURCE_MIRROR, e) : r;
}

static int add_disk(struct domain_view *v, const xmlNode *node, struct error *e)
{
    struct disk_view *bigger = reallocarray(v->disks, v->n_disks + 1, sizeof *bigger);
    if (!bigger)
        return error_memory(e);
    v->disks = bigger;
    bool lost = false;
    struct disk_view *d = &v->disks[v->n_disks++];
    *d = (struct disk_view){.target = take_property(domain_child(node, "target"), "dev", &lost),
                            .serial = take_text(domain_child(node, "serial"), &lost)};
    int r = lost ? error_memory(e) : add_chain(d, node, SOURCE_TOP, e);
    return r < 0 ? r : add_mirror(d, domain_child(node, "mirror"), e);
}

/* Returns the first child of that name in Nova's namespace; `parent` may be NULL. */
static const xmlNode *nova_child(const xmlNode *parent, const char *name)
{
    const xmlNode *node = parent ? parent->children : NULL;
    while (node && !(node->type == XML_ELEMENT_NODE && node->ns && node->ns->href &&
                     str_starts((const char *)node->ns->href, NOVA_NAMESPACE) &&
                     streq((const char *)node->name, name)))
        node = node->next;
    return node;
}

/* Reads <nova:instance><nova:name/><nova:owner><nova:project uuid=""/></nova:owner></nova:instance>. */
static struct nova_server read_nova(const xmlNode *root, bool *lost)
{
    const xmlNode *instance = nova_child(domain_child(root, "metadata"), "instance");
    const xmlNode *project = nova_child(nova_child(instance, "owner"), "project");
    return (struct nova_server){.name = take_text(nova_child(instance, "name"), lost),
                                .project = take_text(project, lost),
                                .project_id = take_property(project, "uuid", lost)};
}

int domain_view_read(const char *xml, const char *nvram_folder, struct domain_view *ret, struct error *e)
{
    _cleanup_(xmlFreeDocp) xmlDocPtr doc = NULL;
    *ret = (struct domain_view){.found = false};
    int r = domain_read(xml, &doc, e);
    if (r < 0)
        return r;
    bool lost = false;
    const xmlNode *root = xmlDocGetRootElement(doc), *devices = domain_child(root, "devices");
    *ret = (struct domain_view){
        .found = true,
        .running = xmlHasProp(root, BAD_CAST "id"),
        .ours = domain_find_mark(root) != NULL,
        .save_refused = domain_refuses_save(devices),
        .name = take_text(domain_child(root, "name"), &lost),
        .uuid = take_text(domain_child(root, "uuid"), &lost),
        .nova = read_nova(root, &lost),
    };
    r = lost ? error_memory(e) : domain_nvram(root, nvram_folder, &ret->nvram, e);
    ret->nvram_own = ret->nvram && domain_nvram_is_own(root, nvram_folder, ret->nvram);
    for (const xmlNode *node = devices ? devices->children : NULL; r == 0 && node; node = node->next)
        if (domain_is_element(node, "disk"))
            r = add_disk(ret, node, e);
    return r;
}

static void end_disk(struct disk_view *d)
{
    for (size_t i = 0; i < d->n_sources; i++)
        free(d->sources[i].path);
    free(d->sources);
    free(d->target);
    free(d->serial);
}

void domain_view_end(struct domain_view *v)
{
    for (size_t i = 0; i < v->n_disks; i++)
        end_disk(&v->disks[i]);
    free(v->disks);
    free(v->name);
    free(v->uuid);
    free(v->nvram);
    free(v->nova.name);
    free(v->nova.project);
    free(v->nova.project_id);
    *v = (struct domain_view){.found = false};
}

const struct domain_source *disk_view_top(const struct disk_view *d)
{
    for (size_t i = 0; i < d->n_sources; i++)
        if (d->sources[i].use == SOURCE_TOP)
            return &d->sources[i];
    return NULL;
}
