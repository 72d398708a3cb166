/* SPDX-License-Identifier: Apache-2.0 */
/* The list of jobs, and the median. See bench.h. */
#include "bench/bench.h"

#include "base/str.h"

#include <stdlib.h>

const struct bench_job bench_jobs[BENCH_JOBS] = {
    {"read-4k-qd1", "read 4K QD1", "randread", false, true, 4096, 1},
    {"write-4k-qd1", "write 4K QD1", "randwrite", true, true, 4096, 1},
    {"read-4k-qd32", "read 4K QD32", "randread", false, true, 4096, 32},
    {"write-4k-qd32", "write 4K QD32", "randwrite", true, true, 4096, 32},
    {"read-128k", "read 128K seq", "read", false, false, 128 << 10, 8},
    {"write-128k", "write 128K seq", "write", true, false, 128 << 10, 8},
};

const char *bench_column_name(enum bench_column column)
{
    static const char *const names[BENCH_COLUMNS] = {
        [BENCH_RAW] = "raw",
        [BENCH_OURS] = "mayfly",
        [BENCH_CRYPTSETUP] = "cryptsetup",
        [BENCH_NBD] = "nbd",
        [BENCH_QEMU_LUKS] = "qemu-luks",
        [BENCH_VHOST] = "vhost",
        [BENCH_OURS_USER] = "mayfly-user",
    };
    return names[column];
}

enum bench_column bench_compared_with(enum bench_column column)
{
    switch (column) {
    case BENCH_QEMU_LUKS:
        return BENCH_NBD;
    case BENCH_OURS_USER:
        return BENCH_VHOST;
    default:
        return BENCH_RAW;
    }
}

enum bench_pair bench_pair_of(enum bench_column column)
{
    switch (column) {
    case BENCH_NBD:
    case BENCH_QEMU_LUKS:
        return BENCH_PAIR_NBD;
    case BENCH_VHOST:
    case BENCH_OURS_USER:
        return BENCH_PAIR_VHOST;
    default:
        return BENCH_PAIRS;
    }
}

const char *bench_pair_title(enum bench_pair pair)
{
    return pair == BENCH_PAIR_NBD ? "QEMU's LUKS" : "mayfly-disks";
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double bench_median(double values[], unsigned n)
{
    if (n == 0)
        return 0;
    qsort(values, n, sizeof *values, by_value);
    return (values[(n - 1) / 2] + values[n / 2]) / 2;
}
