/* SPDX-License-Identifier: Apache-2.0 */
/* The process that holds keys, disks and the sockets of front ends while workers come and go. It looks
 * at nothing that a front end or a guest has written.
 *
 *     keeper --fork: disks, sockets, keys in sealed memory--> worker <--rings, messages--> front end
 *
 * If a worker dies, the keeper waits until the kernel has ended its transfers, since an old write must not
 * reach the disk after a newer one. Then it starts another worker, which goes on with the front end
 * (connection.h) and does the requests again that were under way.
 */
#pragma once

#include "disks/disk.h"
#include "disks/tenure.h"

/* Keeps workers running until SIGTERM or SIGINT, or the end of its tenure. SIGHUP is passed on to the worker.
 * The keys are read from their descriptors, and wiped there. `ready_fd` (-1: none) gets a byte when the first
 * worker serves, and is closed. */
int keeper_run(struct disk *disks, unsigned n, struct tenure *tenure, int ready_fd,
               struct error *e) _must_check_;
