/* SPDX-License-Identifier: Apache-2.0 */
/* One connection, from its first packet to its end. */
#pragma once

#include "base/error.h"

/* 0 when the other end has closed it. */
int keyagent_serve(int socket, struct error *e) _must_check_;
