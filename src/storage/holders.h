/* SPDX-License-Identifier: Apache-2.0 */
/* Names who keeps a block device busy, without a look into processes: that would need CAP_SYS_PTRACE, which
 * the broker does not need for anything else. */
#pragma once

#include <stddef.h>
#include <sys/types.h>

/* Writes " by map guest-root, mount /mnt, swap, loop0", cut at `size`; empty if there is no such holder: then
 * a process holds the device. */
void holders_name(dev_t device, char *text, size_t size);
