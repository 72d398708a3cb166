/* SPDX-License-Identifier: Apache-2.0 */
/* The process that talks to front ends and does the transfers. The keeper starts it, and another one if it
 * dies. */
#pragma once

#include "disks/connection.h"

/* Once a worker serves, standard error is a file that grows no further than this. */
#define KEEPER_LOG_BYTES ((size_t)64 << 10)

/* Serves the disks until SIGTERM. At SIGHUP it looks at their sizes again. Both signals must be blocked.
 * `connections`, one for each disk, are those of an earlier worker. `mark` is the end of a pipe; the kernel
 * closes it when the last transfer has ended. `notes` is the worker's end of note_pair(). */
int worker_run(struct disk *disks, unsigned n, struct connection *connections, int mark, int notes,
               struct error *e) _must_check_;
