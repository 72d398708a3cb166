/* SPDX-License-Identifier: Apache-2.0 */
/* Confines keeper and worker. Neither may open a file, make a socket or start a program. The worker, which
 * reads what guests write, may not start a process or make an io_uring either. */
#pragma once

#include "base/error.h"

/* Confines the program once it knows its descriptors: no core dumps, no new privileges, no files (Landlock,
 * where the kernel has it), and the calls of both. */
int sandbox_keeper(struct error *e) _must_check_;

/* Confines the worker further, before it reads the first byte from a front end. */
int sandbox_worker(struct error *e) _must_check_;
