/* SPDX-License-Identifier: Apache-2.0 */
/* What a template of somebody's names that two domains can't share. The domain that it was printed from may
 * still be there, and several instances may be made from it. */
#pragma once

#include "base/error.h"

#include <libxml/tree.h>

#define DOMAIN_SHARED_MAX 400

/* Takes out what identifies one machine, where libvirt makes another: path of the NVRAM file, generation id,
 * hardware uuid, and the uuid that SMBIOS tells. */
void domain_drop_identity(xmlNodePtr root);

/* Fixed things, of which a second domain that has them does not start, or disturbs the first: MAC addresses,
 * ports, sockets, names of network devices, devices of the host, labels; "" where there are none: "the MAC
 * address 52:54:00:12:34:56, port 5900 of graphics". -EUNSAFE: a disk that two guests would write to. -EINVAL
 * as domain_xml(). */
int domain_shared(const char *template_xml, char ret[DOMAIN_SHARED_MAX], struct error *e) _must_check_;
