/* SPDX-License-Identifier: Apache-2.0 */
/* A qemu-nbd over the device that was lent to us, as it is or through QEMU's LUKS driver, in the sandbox. */
#pragma once

#include "image/qemu.h"

struct nbd_server {
    struct qemu program;
    int socket; /* to connect to, by the name that /proc has for it (O_PATH): no other is left; -1: none */
};
#define NBD_SERVER_NONE ((struct nbd_server){.program = QEMU_NONE, .socket = -1})

/* With `luks` it overwrites the first BENCH_EDGE_BYTES of the device by a LUKS header, with a key that nobody
 * keeps. The caller must answer its listener (lend.h): the server opens the device as it starts.
 */
int nbd_server_start(int fd, bool luks, struct nbd_server *ret, struct error *e) _must_check_;
/* Adds to the error what it said, if anything. */
void nbd_server_explain(struct nbd_server *s, struct error *e);
void nbd_server_end(struct nbd_server *s);
