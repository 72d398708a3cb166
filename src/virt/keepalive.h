/* SPDX-License-Identifier: Apache-2.0 */
/* Notices a daemon that hangs: after half a minute without its event loop the connection breaks, and calls
 * that wait for an answer fail. A call that takes long does not count. */
#pragma once

#include "virt/libvirt.h"

/* Starts the thread that libvirt's keepalive needs; to be called before the first connection. Does nothing
 * the second time, or if no thread can be made. */
void keepalive_begin(void);

void keepalive_watch(virConnectPtr libvirt);
