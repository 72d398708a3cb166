/* SPDX-License-Identifier: Apache-2.0 */
/* Reads a definition or a template as if a stranger had written it: no network, no DTD and hence no entities,
 * one encoding, a limited size. Nothing is printed. */
#include "virt/domain-read.h"
#include "base/str.h"
#include "virt/domain-xml.h"

DEFINE_CLEANUP(xmlParserCtxtPtr, xmlFreeParserCtxt)

/* Notes the DTD and stops the parser, before that looks into the DTD. */
static void refuse_dtd(void *context, const xmlChar *name, const xmlChar *id, const xmlChar *system)
{
    (void)name, (void)id, (void)system;
    xmlParserCtxtPtr parser = context;
    *(bool *)parser->_private = true;
    xmlStopParser(parser);
}

static int not_xml(xmlParserCtxtPtr parser, struct error *e)
{
    const xmlError *why = xmlCtxtGetLastError(parser);
    if (why && why->code == XML_ERR_NO_MEMORY)
        return error_memory(e);

    const char *message = why && why->message ? why->message : "it cannot be read";
    return error_set(e, -EINVAL, "domain XML, line %d: not well-formed: %.*s; check it with xmllint",
                     why ? why->line : 0, (int)strcspn(message, "\n"), message);
}

bool domain_is_element(const xmlNode *node, const char *name)
{
    return node->type == XML_ELEMENT_NODE && !node->ns && streq((const char *)node->name, name);
}

int domain_read(const char *text, xmlDocPtr *ret, struct error *e)
{
    size_t size = strnlen(text, DOMAIN_XML_MAX_BYTES + 1);
    if (size > DOMAIN_XML_MAX_BYTES)
        return error_set(e, -EINVAL, "domain XML: it is larger than %d bytes; no definition is",
                         DOMAIN_XML_MAX_BYTES);

    /* libxml2 would print an error about a broken encoding to stderr, so the encoding is checked before */
    if (!xmlCheckUTF8((const unsigned char *)text))
        return error_set(e, -EINVAL,
                         "domain XML: it is not UTF-8; convert it, for example by iconv -t UTF-8");

    _cleanup_(xmlFreeParserCtxtp) xmlParserCtxtPtr parser = xmlNewParserCtxt();
    if (!parser)
        return error_memory(e);
    bool has_dtd = false;
    parser->_private = &has_dtd;
    parser->sax->internalSubset = refuse_dtd;
    parser->sax->comment = NULL; /* libvirt does not keep comments either */

    _cleanup_(xmlFreeDocp) xmlDocPtr doc =
        xmlCtxtReadMemory(parser, text, (int)size, NULL, "UTF-8",
                          XML_PARSE_NONET | XML_PARSE_NOBLANKS | XML_PARSE_NOERROR | XML_PARSE_NOWARNING);
    if (has_dtd)
        return error_set(e, -EINVAL, "domain XML: it has a DOCTYPE; remove that, libvirt needs none");
    if (!doc)
        return not_xml(parser, e);
    const xmlNode *root = xmlDocGetRootElement(doc);
    if (!root || !domain_is_element(root, "domain"))
        return error_set(e, -EINVAL, "domain XML: the outermost element is not <domain>; see virsh dumpxml");
    *ret = TAKE_PTR(doc);
    return 0;
}

xmlNodePtr domain_child(const xmlNode *parent, const char *name)
{
    for (xmlNodePtr node = parent ? parent->children : NULL; node; node = node->next)
        if (domain_is_element(node, name))
            return node;
    return NULL;
}

xmlNodePtr domain_find_mark(const xmlNode *root)
{
    const xmlNode *metadata = domain_child(root, "metadata");
    for (xmlNodePtr node = metadata ? metadata->children : NULL; node; node = node->next)
        if (node->ns && node->ns->href && streq((const char *)node->ns->href, DOMAIN_XML_NAMESPACE))
            return node;
    return NULL;
}

bool domain_has_property(const xmlNode *node, const char *name, const char *value)
{
    _cleanup_(xmlFreep) xmlChar *found = node ? xmlGetProp(node, BAD_CAST name) : NULL;
    return found && streq((const char *)found, value);
}

bool domain_refuses_save(const xmlNode *devices)
{
    for (const xmlNode *node = devices ? devices->children : NULL; node; node = node->next)
        if (domain_is_element(node, "serial") &&
            domain_has_property(domain_child(node, "target"), "type", "usb-serial"))
            return true;
    return false;
}

int domain_copy_child_text(const xmlNode *root, const char *name, char **ret, struct error *e)
{
    const xmlNode *node = domain_child(root, name);
    if (!node)
        return error_set(e, -EINVAL, "domain XML: it has no <%s>", name);
    _cleanup_(xmlFreep) xmlChar *text = xmlNodeGetContent(node);
    *ret = text ? strdup((const char *)text) : NULL;
    return *ret ? 0 : error_memory(e);
}

int domain_xml_identity(const char *xml, char **ret_name, char **ret_uuid, struct error *e)
{
    _cleanup_(xmlFreeDocp) xmlDocPtr doc = NULL;
    _cleanup_free_ char *name = NULL, *uuid = NULL;
    int r = domain_read(xml, &doc, e);
    if (r < 0)
        return r;
    const xmlNode *root = xmlDocGetRootElement(doc);
    r = domain_copy_child_text(root, "name", &name, e);
    if (r == 0)
        r = domain_copy_child_text(root, "uuid", &uuid, e);
    if (r < 0)
        return r;
    *ret_name = TAKE_PTR(name);
    *ret_uuid = TAKE_PTR(uuid);
    return 0;
}

/* -------------------------------------------------------------------- disks */

/* Returns the number of a target: vda is 0, vdz 25, vdaa 26, ...; -1: no such name. */
static long target_number(const char *name)
{
    if (!str_starts(name, "vd") || !name[2] || strlen(name) > 6)
        return -1;
    long number = 0;
    for (const char *c = name + 2; *c; c++) {
        if (*c < 'a' || *c > 'z')
            return -1;
        number = number * 26 + (*c - 'a' + 1);
    }
    return number - 1;
}

static void target_name(long number, char field[TARGET_NAME_MAX])
{
    char letters[8];
    size_t n = 0;
    for (long rest = number + 1; rest > 0; rest = (rest - 1) / 26)
        letters[n++] = (char)('a' + (rest - 1) % 26);
    char *end = stpcpy(field, "vd");
    while (n)
        *end++ = letters[--n];
    *end = '\0';
}

/* Returns the attribute of the child, which the caller frees by xmlFree(); NULL: there is none. */
static xmlChar *attribute_of_child(const xmlNode *node, const char *child, const char *name)
{
    const xmlNode *found = domain_child(node, child);
    return found ? xmlGetProp(found, BAD_CAST name) : NULL;
}

/* Returns the number of the first target after all others: 0 for vda. */
static long free_target(const xmlNode *root)
{
    long first = 0;
    const xmlNode *devices = domain_child(root, "devices");
    for (const xmlNode *node = devices ? devices->children : NULL; node; node = node->next) {
        _cleanup_(xmlFreep) xmlChar *name =
            domain_is_element(node, "disk") ? attribute_of_child(node, "target", "dev") : NULL;
        long number = name ? target_number((const char *)name) : -1;
        if (number >= first)
            first = number + 1;
    }
    return first;
}

const char *domain_source_attribute(const xmlNode *source)
{
    return source && xmlHasProp(source, BAD_CAST "path") ? "path" : "dev";
}

bool domain_find_disk(const xmlNode *root, const char *device_path, char target[TARGET_NAME_MAX],
                      enum disk_kind *ret_kind)
{
    const xmlNode *devices = domain_child(root, "devices");
    for (const xmlNode *node = devices ? devices->children : NULL; node; node = node->next) {
        if (!domain_is_element(node, "disk"))
            continue;
        const char *where = domain_source_attribute(domain_child(node, "source"));
        _cleanup_(xmlFreep) xmlChar *path = attribute_of_child(node, "source", where);
        _cleanup_(xmlFreep) xmlChar *name = attribute_of_child(node, "target", "dev");
        if (!path || !name || !streq((const char *)path, device_path))
            continue;
        if (ret_kind)
            *ret_kind = streq(where, "path") ? DISK_SOCKET : DISK_DEVICE;
        return str_copy(target, TARGET_NAME_MAX, (const char *)name) == 0;
    }
    return false;
}

/* ------------------------------------------------------------- I/O threads */

/* Returns the number; 0: the text is not one. */
static uint32_t as_number(const xmlChar *text)
{
    uint64_t n = 0;
    return text && str_to_u64((const char *)text, &n) == 0 && n <= UINT32_MAX ? (uint32_t)n : 0;
}

static uint32_t count_iothreads(const xmlNode *root)
{
    const xmlNode *node = domain_child(root, "iothreads");
    _cleanup_(xmlFreep) xmlChar *text = node ? xmlNodeGetContent(node) : NULL;
    return as_number(text);
}

/* Returns the id of the I/O thread at this index; 0: there are no more. Threads without ids are numbered from
 * 1. */
static uint32_t iothread_at(const xmlNode *root, uint32_t index)
{
    const xmlNode *ids = domain_child(root, "iothreadids");
    if (!ids)
        return index < count_iothreads(root) ? index + 1 : 0;
    for (const xmlNode *node = ids->children; node; node = node->next) {
        if (!domain_is_element(node, "iothread") || index-- > 0)
            continue;
        _cleanup_(xmlFreep) xmlChar *id = xmlGetProp(node, BAD_CAST "id");
        return as_number(id);
    }
    return 0;
}

static bool has_iothread(const xmlNode *root, uint32_t id)
{
    if (!domain_child(root, "iothreadids"))
        return id <= count_iothreads(root);
    for (uint32_t i = 0, found; (found = iothread_at(root, i)); i++)
        if (found == id)
            return true;
    return false;
}

static size_t count_disks(const xmlNode *root, uint32_t iothread)
{
    size_t n = 0;
    const xmlNode *devices = domain_child(root, "devices");
    for (const xmlNode *node = devices ? devices->children : NULL; node; node = node->next) {
        _cleanup_(xmlFreep) xmlChar *id =
            domain_is_element(node, "disk") ? attribute_of_child(node, "driver", "iothread") : NULL;
        n += id && as_number(id) == iothread;
    }
    return n;
}

static uint32_t free_iothread(const xmlNode *root, const xmlNode *other)
{
    uint32_t best = 0;
    size_t fewest = SIZE_MAX;
    for (uint32_t i = 0, id; fewest > 0 && (id = iothread_at(root, i)); i++) {
        size_t n = other && !has_iothread(other, id) ? SIZE_MAX : count_disks(root, id);
        if (n < fewest) {
            fewest = n;
            best = id;
        }
    }
    return best;
}

void domain_free_place(const xmlNode *root, const xmlNode *other, struct disk_place *ret)
{
    long here = free_target(root), there = other ? free_target(other) : 0;
    target_name(here > there ? here : there, ret->target);
    ret->iothread = free_iothread(root, other);
}
