/* SPDX-License-Identifier: Apache-2.0 */
/* Who keeps a block device busy, as far as that can be seen without looking into processes: to do that would
 * need a capability (CAP_SYS_PTRACE) that the broker has no other use for. */
#pragma once

#include <stddef.h>
#include <sys/types.h>

/* " by map guest-root, mount /mnt, swap, loop0", cut at `size`; empty: nobody who can be named, so it is a
 * process. */
void holders_name(dev_t device, char *text, size_t size);
