/* SPDX-License-Identifier: Apache-2.0 */
/* What connect.c and client.c share. */
#pragma once

#include "broker/client.h"

#include <sys/types.h>

/* For a broker that we started, when it has no connection any more. It is never killed: it may have begun
 * something, and has locks as long as it is at work. */
#define CLIENT_END_DEADLINE_MSEC 60000

/* A broker at the other end of *socket, which it takes over. `pid`: of the broker if we started it, else 0.
 */
int client_new(int *socket, pid_t pid, struct broker **ret, struct error *e) _must_check_;
