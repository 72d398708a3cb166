/* SPDX-License-Identifier: Apache-2.0 */
/* Where a guest's RAM may go, as its definition says. */
#pragma once

#include "virt/virt.h"

/* All but `saved`. -EINVAL: it is no definition of a domain. */
int domain_ram_read(const char *xml, struct domain_ram *ret, struct error *e) _must_check_;
