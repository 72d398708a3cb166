/* SPDX-License-Identifier: Apache-2.0 */
/* Inside src/virt: makes parts of a <domain>. Functions that return a node return NULL if memory ran out, or
 * if they were given NULL: so a chain of calls is checked once. */
#pragma once

#include "virt/domain-read.h"
#include "virt/domain-xml.h"

/* True if XML can hold the text. libxml2 would write other text as it is, and no parser would read it. */
bool domain_plain_text(const char *text);
bool domain_plain_disk(const struct domain_disk *d);

/* Returns the first child of that name; made, as the first child, if there is none. */
xmlNodePtr domain_child_or_new(xmlNodePtr parent, const char *name);

/* Adds the <disk> as the last device; `boots`: with the first boot order. */
xmlNodePtr domain_add_disk(xmlNodePtr devices, const struct domain_disk *d, const struct disk_place *place,
                           bool boots);

/* Makes the guest's memory a file that another process may map; or adds an I/O thread, where the domain says
 * nothing of them. False: out of memory. */
bool domain_share_memory(xmlNodePtr root);
bool domain_have_iothread(xmlNodePtr root);

/* Makes a <disk> for an existing domain. The caller frees *ret_xml. -EINVAL: XML cannot hold the path or
 * serial. */
int domain_disk_xml(const struct domain_disk *d, const struct disk_place *place, char **ret_xml,
                    struct error *e) _must_check_;

/* Writes the XML as libvirt would, except for its quotes. The caller frees *ret. */
int domain_write(xmlDocPtr doc, char **ret, struct error *e) _must_check_;
