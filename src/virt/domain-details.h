/* SPDX-License-Identifier: Apache-2.0 */
/* What libvirt may keep of a guest, read from its definition. */
#pragma once

#include "virt/virt.h"

/* Fills in all but `saved` and `autostart`. -EINVAL: not the definition of a domain. */
int domain_details_read(const char *xml, struct domain_details *ret, struct error *e) _must_check_;
