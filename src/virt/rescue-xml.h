/* SPDX-License-Identifier: Apache-2.0 */
/* The definition of a domain with a rescue disk in front of its own, and without it again: nothing but the
 * XML itself is needed for either, and the second undoes the first to the letter. */
#pragma once

#include "virt/domain-xml.h"

/* Is in the metadata for as long as the rescue disk is there. */
#define RESCUE_XML_NAMESPACE "urn:mayfly:rescue:1"

/* The rescue disk boots, and has the place (target, address) of the first virtio disk, which has that of the
 * second, and so on. The caller frees *ret. -EEXIST: it has one. -EINVAL: a disk in that place would not
 * boot; or it is no definition. The sentences lack their subject: the domain. */
int rescue_xml_add(const char *xml, const struct domain_disk *rescue, char **ret,
                   struct error *e) _must_check_;

/* The definition with a rescue disk, as libvirt gives it back: notes which controllers libvirt has added to
 * it. The caller frees *ret; NULL: there is no rescue disk in it. */
int rescue_xml_note(const char *xml, char **ret, struct error *e) _must_check_;

/* *ret: the definition as it was before, which the caller frees; NULL: there is no rescue disk in it. What
 * was changed elsewhere in it meanwhile stays changed. */
int rescue_xml_remove(const char *xml, char **ret, struct error *e) _must_check_;
