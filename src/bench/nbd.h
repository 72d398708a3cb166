/* SPDX-License-Identifier: Apache-2.0 */
/* A sandboxed qemu-nbd over the device that was lent to us, plain or through QEMU's LUKS driver. */
#pragma once

#include "image/qemu.h"

struct nbd_server {
    struct qemu program;
    int socket; /* O_PATH: its only name, in /proc, for connecting; -1: none */
};
#define NBD_SERVER_NONE ((struct nbd_server){.program = QEMU_NONE, .socket = -1})

/* Starts the server. With `luks` the first BENCH_EDGE_BYTES of the device are overwritten by a LUKS header,
 * whose key is not kept. The caller must answer the listener (lend.h), since the server opens the device as
 * it starts. */
int nbd_server_start(int fd, bool luks, struct nbd_server *ret, struct error *e) _must_check_;

/* Adds the last words of the server to the error, if it said anything. */
void nbd_server_explain(struct nbd_server *s, struct error *e);
void nbd_server_end(struct nbd_server *s);
