/* SPDX-License-Identifier: Apache-2.0 */
/* Starting the domains of instances whose disks are open. */
#pragma once

#include "instance/model.h"

/* Starts up to STEPS_AT_ONCE domains at once; fills in why[n]. A process that serves a disk may end before
 * QEMU has connected, which would then wait without end. It is started again; if that fails, or the user
 * wants to stop, the domain is ended. */
void domains_start(const struct context *c, const struct instance *const instances[], size_t n,
                   struct error why[]);
