/* SPDX-License-Identifier: Apache-2.0 */
/* A mayfly-disks over the device that was lent to us, with the key of this run. */
#pragma once

#include "bench/bench.h"
#include "image/qemu.h"

/* Starts it. It serves the device on the socket `listening_fd`, and ends with us. The caller keeps the
 * descriptors that it names, and ends *ret_key after the server. */
int disks_server_start(int fd, const struct bench_cell *cell, int listening_fd, struct qemu *ret,
                       struct secret_handover **ret_key, struct error *e) _must_check_;

/* Ends it by SIGTERM, so that the kernel has ended its transfers, too. */
void disks_server_end(struct qemu *program);
