/* SPDX-License-Identifier: Apache-2.0 */
/* The key managers that talk to a network. */
#pragma once

#include "keys/keymgr.h"

/* Returns the manager of this name, or NULL. */
const struct keymgr_ops *network_manager(const char *name);
