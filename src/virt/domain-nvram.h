/* SPDX-License-Identifier: Apache-2.0 */
/* The file in which a guest's UEFI keeps its variables: boot entries, Secure Boot keys. libvirt makes it at
 * the first start, unless it is there already, and removes it with the domain if it is told so, whoever else
 * may use it. */
#pragma once

#include "base/error.h"
#include "virt/domain-read.h"

/* The path that the <domain> names, or that libvirt will choose when it starts it; *ret NULL: none, or no
 * file. The caller frees it. */
int domain_nvram(const xmlNode *root, char **ret, struct error *e) _must_check_;

/* Is that the file of this <domain> alone? Then Mayfly has named it, by the uuid. libvirt itself goes by the
 * name, under which somebody may have left another's file (virsh undefine --keep-nvram). */
bool domain_nvram_is_own(const xmlNode *root, const char *path);

/* The path by the uuid, beside the one that libvirt has chosen; the caller frees it. NULL: memory ran out. */
char *domain_nvram_of(const char *path, const char *uuid);

/* The <domain> is to get a file of its own: what it says of one is taken out, but for the template. */
void domain_drop_nvram(xmlNodePtr root);
