/* SPDX-License-Identifier: Apache-2.0 */
/* One connection, from its first packet to its end. */
#pragma once

#include "base/error.h"

/* Serves one connection. Returns 0 when the other end has closed it. `hide_files` (NULL: none) is called once
 * the manager has read its files, before it talks to a network. */
int keyagent_serve(int socket, int (*hide_files)(struct error *e), struct error *e) _must_check_;
