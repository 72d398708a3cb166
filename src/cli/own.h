/* SPDX-License-Identifier: Apache-2.0 */
/* The defaults of a user who is not root, on a host that is not configured for that user: own folder of disks
 * and keys, own libvirt, everything encrypted. */
#pragma once

#include "config/config.h"

/* Completes a configuration that was read. Fills in these defaults if it names no volume group and the caller
 * may not use the broker. With [pool] path, fills in the libvirt of this user, since the host's cannot have
 * the disks. -EINVAL: root has such a path. */
int own_complete(struct config *c, const char *broker_socket, struct error *e) _must_check_;

/* True if the volumes are files of this user. */
bool own_has_pool(const struct config *c);
