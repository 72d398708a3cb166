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

/* Until SIGTERM or SIGINT. SIGHUP goes on to the worker. The keys are taken out of the descriptors, and wiped
 * there. */
int keeper_run(struct disk *disks, unsigned n, struct error *e) _must_check_;
