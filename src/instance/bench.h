/* SPDX-License-Identifier: Apache-2.0 */
/* mayfly bench: see bench/bench.h for what is measured. */
#pragma once

#include "instance/steps.h"

#define BENCH_NAME       "mayfly-bench" /* of the instance that the scratch volume seems to be of */
#define BENCH_SIZE_MIN   (UINT64_C(16) << 20)
#define BENCH_ROUNDS_MAX 99

struct bench_request {
    const char *volume_group; /* NULL: the first configured */
    uint64_t size_bytes;      /* of the scratch volume */
    unsigned runtime_sec;     /* of each measurement */
    unsigned rounds;
    unsigned jobs; /* a bit for each of bench_jobs[] that is wanted; 0: all */
    bool dry_run;
};

/* The medians of all rounds. */
struct bench_result {
    char vg[VG_NAME_MAX];
    uint64_t size_bytes;
    unsigned runtime_sec, rounds, jobs;
    char why_not[BENCH_WHY_MAX];          /* nbd and qemu-luks were not measured; empty: they were */
    uint32_t sector_bytes[BENCH_COLUMNS]; /* of what was measured; 0: not known */
    struct bench_figures figures[BENCH_JOBS][BENCH_COLUMNS];
    double ratio[BENCH_JOBS]
                [BENCH_COLUMNS]; /* of IOPS, to those of bench_compared_with() in the same round */
};

static inline bool bench_has(const struct bench_result *r, enum bench_column column)
{
    return !r->why_not[0] || (column != BENCH_NBD && column != BENCH_QEMU_LUKS);
}

static inline bool bench_wants(unsigned jobs, unsigned job)
{
    return !jobs || jobs & 1U << job;
}

/* Makes a scratch volume, measures, and removes it again. *ret is filled in unless it is a dry run; ret_plan
 * as in instance_launch(). -ENOENT: there is no fio, or no such group. -ENOSPC. */
int instance_bench(const struct context *c, const struct bench_request *request, struct bench_result *ret,
                   struct steps **ret_plan, struct error *e) _must_check_;
