/* SPDX-License-Identifier: Apache-2.0 */
/* What mayfly-keyagent gives up before it reads its first packet. */
#pragma once

#include "base/error.h"

/* Not traceable, no core dumps, no privileges to be gained, and from here on only the system calls that
 * resolving names, TLS, and keeping secrets take. -EPERM: root is refused. */
int keyagent_sandbox(struct error *e) _must_check_;
