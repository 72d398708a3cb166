/* SPDX-License-Identifier: Apache-2.0 */
/* What keeper and worker may do. Neither opens a file, makes a socket or starts a program; the worker, which
 * reads what guests write, starts no process and makes no io_uring either. */
#pragma once

#include "base/error.h"

/* The whole program, once its descriptors are known: no core dumps, no new privileges, no files (Landlock,
 * where the kernel has it), and the calls of both. */
int sandbox_keeper(struct error *e) _must_check_;

/* The worker besides, before it reads the first byte of a front end's. */
int sandbox_worker(struct error *e) _must_check_;
