/* SPDX-License-Identifier: Apache-2.0 */
/* The file of a guest's UEFI variables: boot entries, Secure Boot keys. libvirt makes it at the first start,
 * if it does not exist. If told so, libvirt removes it with the domain, even if other domains use it. */
#pragma once

#include "base/error.h"
#include "virt/domain-read.h"

/* The folder where libvirt chooses the file: that of qemu:///system. A user's own libvirt has another, below
 * its configuration. Functions take `folder` with the slash at its end. */
#define NVRAM_OF_HOST "/var/lib/libvirt/qemu/nvram/"

/* Returns the path that the <domain> names, or that libvirt will choose at its start; *ret NULL: none, or no
 * file. The caller frees it. */
int domain_nvram(const xmlNode *root, const char *folder, char **ret, struct error *e) _must_check_;

/* True if the file belongs to this <domain> alone, since Mayfly has named it by the uuid. libvirt names it by
 * the domain's name, under which another domain may have left a file (virsh undefine --keep-nvram). */
bool domain_nvram_is_own(const xmlNode *root, const char *folder, const char *path);

/* Returns the path by the uuid, in the folder that libvirt has chosen; the caller frees it. NULL: memory ran
 * out. */
char *domain_nvram_of(const char *path, const char *uuid);

/* Lets the <domain> get a file of its own: removes what it says of one, except the template. */
void domain_drop_nvram(xmlNodePtr root);
