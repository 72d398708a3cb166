/* SPDX-License-Identifier: Apache-2.0 */
/* The broker's loop over one connection. */
#pragma once

#include "broker/session.h"

/* Serves `socket` until the other end is gone, or `stop_fd` (-1: none) becomes readable between two requests.
 * With `start` (NULL: all is well) every request is answered by that error. Returns 0 at such an end, or a
 * negative errno of the socket. */
int server_serve(int socket, int stop_fd, struct session *s, const struct error *start) _must_check_;
