/* SPDX-License-Identifier: Apache-2.0 */
/* The file in which a guest's UEFI keeps its variables: boot entries, Secure Boot keys. libvirt makes it at
 * the first start, and removes it with the domain if it is told so, whoever else may use it. */
#pragma once

#include "base/error.h"
#include "virt/domain-read.h"

/* The path that the <domain> names; *ret NULL: none, or no file. The caller frees it. */
int domain_nvram(const xmlNode *root, char **ret, struct error *e) _must_check_;

/* Did libvirt choose this path for the <domain>? It does so by the name that the domain has when it is
 * defined, and keeps the path when the domain is renamed; our mark has the name of the launch. */
bool domain_nvram_is_own(const xmlNode *root, const char *path);

/* The path that libvirt chooses for a domain of this name, beside the one that it has chosen for another; the
 * caller frees it. NULL: memory ran out. */
char *domain_nvram_of(const char *path, const char *name);

/* The <domain> is to get a file of its own: what it says of one is taken out, but for the template. */
void domain_drop_nvram(xmlNodePtr root);
