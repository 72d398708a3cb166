/* SPDX-License-Identifier: Apache-2.0 */
/* The process that holds keys, disks and listening sockets while workers come and go. It reads nothing of a
 * front end's or a guest's.
 *
 *     keeper ---- fork: disks, sockets, keys in sealed memory ----> worker <---- rings, messages ---- front
 * end
 *
 * If a worker dies another one starts, once the kernel has ended what the old one had under way: else an old
 * write could reach the disk after a newer one. The front end connects again, and what was under way is done
 * again.
 */
#pragma once

#include "disks/disk.h"
#include "disks/tenure.h"

/* Until SIGTERM or SIGINT, or the end of its tenure. SIGHUP goes on to the worker. The keys are taken out of
 * the descriptors, and wiped there. `ready_fd` (-1: none) gets a byte when the first worker serves, and is
 * closed. */
int keeper_run(struct disk *disks, unsigned n, struct tenure *tenure, int ready_fd,
               struct error *e) _must_check_;
