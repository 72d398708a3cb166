/* SPDX-License-Identifier: Apache-2.0 */
/* fio over the device that was lent to us, or over a server in front of it. */
#pragma once

#include "bench/measured.h"
#include "bench/nbd.h"

#define FIO_MISSING "bench: cannot measure: there is no fio; install it: apt install fio"

/* `server`: without a socket where fio has the device itself. -ECANCELED: stopped. */
int fio_measure(int fd, const struct nbd_server *server, const struct bench_cell *cell, struct measured *ret,
                struct error *e) _must_check_;
