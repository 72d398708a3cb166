/* SPDX-License-Identifier: Apache-2.0 */
/* What mayfly-keyagent gives up: most before it reads its first packet, files once it has read its own. */
#pragma once

#include "base/error.h"

/* Not traceable, no core dumps, no privileges to be gained, and from here on only the system calls that
 * resolving names, TLS, and keeping secrets take. -EPERM: root is refused. */
int keyagent_sandbox(struct error *e) _must_check_;

/* Before the first byte to a network: from here on no file can be opened but what resolving names and TLS
 * read. Without Landlock in the kernel it does nothing. */
int keyagent_hide_files(struct error *e) _must_check_;
