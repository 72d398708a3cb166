/* SPDX-License-Identifier: Apache-2.0 */
/* Reads fio's report (--output-format=json) of one job. */
#pragma once

#include "bench/bench.h"

#include <stddef.h>

struct fio_result {
    struct bench_figures figures; /* without cpu_usec */
    uint64_t ios;
};

/* Reads a report, which warnings may precede. -EPROTO: `text` has no report, or nothing was measured. */
int fio_parse(const char *text, bool writes, struct fio_result *ret, struct error *e) _must_check_;
