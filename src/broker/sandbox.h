/* SPDX-License-Identifier: Apache-2.0 */
/* Gives up rights of the broker before it reads a request. The programs that it runs inherit the sandbox. */
#pragma once

#include "base/error.h"

/* Forbids core dumps and tracing, makes files private, ignores signals of terminals, closes all descriptors
 * but 0, 1 and 2. */
int sandbox_harden(struct error *e) _must_check_;

/* Drops the capabilities and system calls that LVM, device-mapper, the key ring and mkfs do not need, and
 * write access to the rest of the file system; locks this process into RAM. Root only. There is no way
 * back. */
int sandbox_enter(struct error *e) _must_check_;

/* Drops all other capabilities, too, in a child of the broker just before it becomes mkfs. */
int sandbox_mkfs(void);
