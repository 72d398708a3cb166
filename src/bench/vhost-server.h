/* SPDX-License-Identifier: Apache-2.0 */
/* A server of vhost-user-blk over the device that was lent to us: a sandboxed qemu-storage-daemon, plain, or
 * mayfly-disks with the key of this run. */
#pragma once

#include "bench/bench.h"
#include "image/qemu.h"

struct vhost_server {
    enum bench_column column;
    struct qemu program;
    int socket;                  /* O_PATH: its only name, in /proc, for connecting; -1: none */
    struct secret_handover *key; /* of mayfly-disks */
};
#define VHOST_SERVER_NONE ((struct vhost_server){.program = QEMU_NONE, .socket = -1})

/* Starts the server for cell->column. The caller calls qemu_lend() until the server answers, since
 * qemu-storage-daemon opens the device as it starts. */
int vhost_server_start(int fd, const struct bench_cell *cell, struct vhost_server *ret,
                       struct error *e) _must_check_;

/* Adds to the error how the server has ended, or the last that it said. */
void vhost_server_explain(struct vhost_server *s, struct error *e);
void vhost_server_end(struct vhost_server *s);
