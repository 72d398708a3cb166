/* SPDX-License-Identifier: Apache-2.0 */
/* mayfly bench. bench/bench.h says what is measured. */
#pragma once

#include "instance/steps.h"

#define BENCH_NAME       "mayfly-bench" /* name of the instance that the scratch volume appears to belong to */
#define BENCH_SIZE_MIN   (UINT64_C(16) << 20)
#define BENCH_ROUNDS_MAX 99

struct bench_request {
    const char *volume_group; /* NULL: the first configured group */
    uint64_t size_bytes;      /* of the scratch volume */
    unsigned runtime_sec;     /* of each measurement */
    unsigned rounds;
    unsigned jobs; /* a bit for each wanted job of bench_jobs[]; 0: all */
    bool dry_run;
};

/* The medians of all rounds. */
struct bench_result {
    char vg[VG_NAME_MAX];
    uint64_t size_bytes;
    unsigned runtime_sec, rounds, jobs;
    char why_not[BENCH_PAIRS][BENCH_WHY_MAX]; /* why a pair of columns was not measured; empty: it was */
    uint32_t sector_bytes[BENCH_COLUMNS];     /* of the disk that was measured; 0: not known */
    struct bench_figures figures[BENCH_JOBS][BENCH_COLUMNS];
    double ratio[BENCH_JOBS]
                [BENCH_COLUMNS]; /* ratio of IOPS to those of bench_compared_with() in the same round */
};

static inline bool bench_has(const struct bench_result *r, enum bench_column column)
{
    enum bench_pair pair = bench_pair_of(column);
    return pair == BENCH_PAIRS || !r->why_not[pair][0];
}

static inline bool bench_wants(unsigned jobs, unsigned job)
{
    return !jobs || jobs & 1U << job;
}

/* Makes a scratch volume, measures, and removes it. *ret is filled in unless this is a dry run; ret_plan as
 * in instance_launch(). -ENOENT: fio is not installed, or no such group. -ENOSPC. */
int instance_bench(const struct context *c, const struct bench_request *request, struct bench_result *ret,
                   struct steps **ret_plan, struct error *e) _must_check_;
