/* SPDX-License-Identifier: Apache-2.0 */
/* What was counted of a cell, before its share of the processors is known. */
#pragma once

#include "bench/bench.h"

struct measured {
    struct bench_figures figures; /* without cpu_usec */
    uint64_t ios;
};
