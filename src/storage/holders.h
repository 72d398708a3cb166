/* SPDX-License-Identifier: Apache-2.0 */
/* Names who keeps a block device busy, without a look into processes: that would need CAP_SYS_PTRACE, which
 * the broker does not need for anything else. */
#pragma once

#include <stddef.h>
#include <sys/types.h>

/* " by map guest-root, mount /mnt, swap, loop0", cut at `size`; empty: no such holder, so it is a process. */
void holders_name(dev_t device, char *text, size_t size);
