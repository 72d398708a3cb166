/* SPDX-License-Identifier: Apache-2.0 */
/* A daemon that hangs (its event loop, not a call that takes long) is noticed after half a minute, and the
 * connection breaks: what waits for an answer fails, and is undone. */
#pragma once

#include "virt/libvirt.h"

/* Before the first connection: starts the thread that libvirt's keepalive needs. Does nothing the second
 * time, or where no thread can be had. */
void keepalive_begin(void);

void keepalive_watch(virConnectPtr libvirt);
