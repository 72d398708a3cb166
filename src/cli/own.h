/* SPDX-License-Identifier: Apache-2.0 */
/* What a user has who is not root, where the host has nothing configured for him: his own folder of disks and
 * keys, his own libvirt, everything encrypted. */
#pragma once

#include "config/config.h"

/* Completes a configuration that was read: with all of that if it names no volume group and the caller may
 * not talk to the broker. With [pool] path the libvirt of this user, since the host's cannot have his disks.
 * -EINVAL: root has such a path. */
int own_complete(struct config *c, const char *broker_socket, struct error *e) _must_check_;

/* Are the volumes files of this user? */
bool own_has_pool(const struct config *c);
