/* SPDX-License-Identifier: Apache-2.0 */
/* Puts a rescue disk before the disks of a definition, and removes it again. Only the XML is needed for
 * either, and removal restores the text exactly. */
#pragma once

#include "virt/domain-xml.h"

/* In the metadata while the rescue disk is there. */
#define RESCUE_XML_NAMESPACE "urn:mayfly:rescue:1"

/* Adds the rescue disk, which boots, and gets the place (target, address) of the first virtio disk, which
 * gets that of the second, and so on. The caller frees *ret. -EEXIST: there is a rescue disk. -EINVAL: a disk
 * in that place would not boot; or not a definition. The sentences lack their subject, the domain. */
int rescue_xml_add(const char *xml, const struct domain_disk *rescue, char **ret,
                   struct error *e) _must_check_;

/* Notes which controllers libvirt has added for the rescue disk, in the definition that libvirt gives back.
 * The caller frees *ret; NULL: there is no rescue disk. */
int rescue_xml_note(const char *xml, char **ret, struct error *e) _must_check_;

/* Removes the rescue disk. *ret: the new definition, which the caller frees; NULL: there is no rescue disk.
 * Other changes since then stay. */
int rescue_xml_remove(const char *xml, char **ret, struct error *e) _must_check_;
