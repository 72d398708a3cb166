/* SPDX-License-Identifier: Apache-2.0 */
/* What the broker gives up before it reads a request. The programs that it runs inherit all of it. */
#pragma once

#include "base/error.h"

/* No core dumps, nobody traces it, files private, no terminal's signals, no descriptors but 0, 1 and 2. */
int sandbox_harden(struct error *e) _must_check_;

/* Drops every capability that LVM, device-mapper, the key ring and mkfs do without, the system calls that
 * none of them needs, and the rest of the file system to write to; locks this process into RAM. Root only.
 * There is no way back. */
int sandbox_enter(struct error *e) _must_check_;

/* In a child of the broker, just before it becomes a program that makes a file system: takes the rest, all
 * capabilities. */
int sandbox_mkfs(void);
