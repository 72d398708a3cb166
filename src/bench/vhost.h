/* SPDX-License-Identifier: Apache-2.0 */
/* A guest of our own over a server of vhost-user-blk, since fio cannot speak that. */
#pragma once

#include "bench/measured.h"

/* Measures a cell of BENCH_PAIR_VHOST. -ECANCELED: stopped. */
int vhost_measure(int fd, const struct bench_cell *cell, struct measured *ret, struct error *e) _must_check_;
