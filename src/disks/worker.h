/* SPDX-License-Identifier: Apache-2.0 */
/* The process that speaks with front ends and does the work. The keeper starts it, and another one if it
 * dies. */
#pragma once

#include "disks/disk.h"

/* What a worker writes into the pipe to its keeper, a byte each. */
#define MARK_SERVES 's' /* the keys have been taken */
#define MARK_COME   '+' /* a front end has connected */
#define MARK_GONE   '-'

/* Serves the disks until SIGTERM; SIGHUP: looks at their sizes again. Both signals are blocked. `mark` is the
 * end of a pipe, which closes when the last transfer has ended. */
int worker_run(struct disk *disks, unsigned n, int mark, struct error *e) _must_check_;
