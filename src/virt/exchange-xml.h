/* SPDX-License-Identifier: Apache-2.0 */
/* Has a definition name its disks by sockets instead of devices, or the other way round. */
#pragma once

#include "virt/domain-xml.h"

struct exchanged_disk {
    const char *was; /* its device or socket before */
    struct domain_disk is;
};

/* Exchanges the disks, which keep target, address and boot order. What serves a socket gets the guest's
 * memory shared. *ret: the new definition, which the caller frees; NULL: all disks were as they should be.
 * -ENOENT: the definition does not name a disk; -EINVAL: the disk is not on virtio; or not a definition. The
 * sentences lack their subject, the domain. */
int exchange_xml(const char *xml, const struct exchanged_disk disks[], size_t n, char **ret,
                 struct error *e) _must_check_;
