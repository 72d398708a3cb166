/* SPDX-License-Identifier: Apache-2.0 */
/* The key managers that talk to a network. */
#pragma once

#include "keys/keymgr.h"

/* NULL: there is none of this name. */
const struct keymgr_ops *network_manager(const char *name);
