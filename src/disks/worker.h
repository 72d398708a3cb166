/* SPDX-License-Identifier: Apache-2.0 */
/* The process that talks to front ends and does the transfers. The keeper starts it, and another one if it
 * dies. */
#pragma once

#include "disks/disk.h"

/* The bytes that a worker writes into the pipe to its keeper. */
#define MARK_SERVES 's' /* the worker has taken the keys, and serves */
#define MARK_COME   '+' /* a front end has connected */
#define MARK_GONE   '-' /* a front end is gone */

/* Once a worker serves, standard error is a file that grows no further than this. */
#define KEEPER_LOG_BYTES ((size_t)64 << 10)

/* Serves the disks until SIGTERM. At SIGHUP it looks at their sizes again. Both signals must be blocked.
 * `mark` is the end of the pipe to the keeper; the kernel closes it when the last transfer has ended. */
int worker_run(struct disk *disks, unsigned n, int mark, struct error *e) _must_check_;
