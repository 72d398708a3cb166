/* SPDX-License-Identifier: Apache-2.0 */
/* The broker's server over the storage in memory, and real clients of it. Each connection is served by a
 * thread of the test, since all are of one host. It may use the group "vg0". */
#pragma once

#include "broker/client.h"

/* cmocka's, for a group: *state is a folder with the socket and the locks. */
int broker_threads_begin(void **state);
int broker_threads_end(void **state); /* ends those whose client was left, too */

struct broker *broker_threads_connect(void);
void broker_threads_wait(void); /* until one more connection has ended */
