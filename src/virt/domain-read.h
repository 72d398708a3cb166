/* SPDX-License-Identifier: Apache-2.0 */
/* Inside src/virt: a <domain> as libxml2's tree, and how to find something in it. */
#pragma once

#include "base/error.h"

#include <libxml/parser.h>
#include <libxml/tree.h>
#include <stdbool.h>

DEFINE_CLEANUP(xmlDocPtr, xmlFreeDoc)
DEFINE_CLEANUP(xmlChar *, xmlFree)

/* Parses a <domain>. The caller frees *ret by xmlFreeDoc. -EINVAL as in domain-xml.h. */
int domain_read(const char *text, xmlDocPtr *ret, struct error *e) _must_check_;

/* True if it is an element of libvirt, which has no namespace. */
bool domain_is_element(const xmlNode *node, const char *name);

/* Returns the first child element of that name, or NULL; `parent` may be NULL. */
xmlNodePtr domain_child(const xmlNode *parent, const char *name);

/* True if the property has this value; `node` may be NULL. */
bool domain_has_property(const xmlNode *node, const char *name, const char *value);

/* True if QEMU refuses to save the domain, because of a device that it cannot save. domain_xml() adds one. */
bool domain_refuses_save(const xmlNode *devices);

/* Returns our mark in the metadata of the <domain>; NULL: it has none. */
xmlNodePtr domain_find_mark(const xmlNode *root);

/* Copies the text of the child element `name`; the caller frees *ret by free(). -EINVAL: there is no such
 * child. */
int domain_copy_child_text(const xmlNode *root, const char *name, char **ret, struct error *e) _must_check_;

/* ---- disks: targets are vda, vdb, ... vdz, vdaa ... */
#define TARGET_NAME_MAX 16

/* The place of a disk in its domain. */
struct disk_place {
    char target[TARGET_NAME_MAX];
    uint32_t iothread; /* 0: none, QEMU's main loop serves the disk */
};

/* Returns the attribute of a disk's <source> that names its device or socket. Allocates nothing. */
const char *domain_source_attribute(const xmlNode *source);

enum disk_kind { DISK_DEVICE, DISK_SOCKET /* <disk type='vhostuser'> */ };

/* Finds a place for one more disk: after all that the <domain> has, on the I/O thread with the fewest disks.
 * It is free in `other`, too; `other` (may be NULL) is the <domain> that runs under this definition. */
void domain_free_place(const xmlNode *root, const xmlNode *other, struct disk_place *ret);

/* True if the <domain> has a disk on this device or socket of the host. Gives its target and (may be NULL)
 * its kind. */
bool domain_find_disk(const xmlNode *root, const char *device_path, char target[TARGET_NAME_MAX],
                      enum disk_kind *ret_kind);
