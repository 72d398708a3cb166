/* SPDX-License-Identifier: Apache-2.0 */
/* Parts of a template that two domains cannot share. The domain that the template was printed from may still
 * exist, and several instances may be made from it. */
#pragma once

#include "base/error.h"

#include <libxml/tree.h>

#define DOMAIN_SHARED_MAX 400

/* Removes what identifies one machine and libvirt makes anew: path of the NVRAM file, generation id, hardware
 * uuid, and SMBIOS's uuid. */
void domain_drop_identity(xmlNodePtr root);

/* Lists fixed things that keep a second domain from starting, or disturb the first one: MAC addresses, ports,
 * sockets, names of network devices, devices of the host, labels. For example "the MAC address
 * 52:54:00:12:34:56, port 5900 of graphics"; "": none. -EUNSAFE: a disk that two guests would write to.
 * -EINVAL as domain_xml(). */
int domain_shared(const char *template_xml, char ret[DOMAIN_SHARED_MAX], struct error *e) _must_check_;
