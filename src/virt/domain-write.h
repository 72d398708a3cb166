/* SPDX-License-Identifier: Apache-2.0 */
/* Inside src/virt: making parts of a <domain>. What returns a node returns NULL where memory ran out, or
 * where it was given NULL: a chain of them is checked once. */
#pragma once

#include "virt/domain-read.h"
#include "virt/domain-xml.h"

/* Can it be in XML? There is what libxml2 would write as it is, and no XML parser would read again. */
bool domain_plain_text(const char *text);
bool domain_plain_disk(const struct domain_disk *d);

/* The first child of that name, made as the first child where there is none. */
xmlNodePtr domain_child_or_new(xmlNodePtr parent, const char *name);

/* The <disk>, behind the last device; `boots`: first of all. */
xmlNodePtr domain_add_disk(xmlNodePtr devices, const struct domain_disk *d, const struct disk_place *place,
                           bool boots);

/* A <disk> alone, for a domain that is defined already. The caller frees *ret_xml. -EINVAL: its path or
 * serial is not plain text. */
int domain_disk_xml(const struct domain_disk *d, const struct disk_place *place, char **ret_xml,
                    struct error *e) _must_check_;

/* As libvirt would write it, but for the form of its quotes. The caller frees *ret. */
int domain_write(xmlDocPtr doc, char **ret, struct error *e) _must_check_;
