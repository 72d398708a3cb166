/* SPDX-License-Identifier: Apache-2.0 */
/* What libvirt may keep of a guest, as its definition says. */
#pragma once

#include "virt/virt.h"

/* All but `saved` and `autostart`. -EINVAL: it is no definition of a domain. */
int domain_details_read(const char *xml, struct domain_details *ret, struct error *e) _must_check_;
