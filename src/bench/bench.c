/* SPDX-License-Identifier: Apache-2.0 */
/* The list of jobs, and the median. See bench.h. */
#include "bench/bench.h"

#include "base/str.h"

#include <stdlib.h>

const struct bench_job bench_jobs[BENCH_JOBS] = {
    {"read-4k-qd1", "read 4K QD1", "randread", false, 4096, 1},
    {"write-4k-qd1", "write 4K QD1", "randwrite", true, 4096, 1},
    {"read-4k-qd32", "read 4K QD32", "randread", false, 4096, 32},
    {"write-4k-qd32", "write 4K QD32", "randwrite", true, 4096, 32},
    {"read-128k", "read 128K seq", "read", false, 128 << 10, 8},
    {"write-128k", "write 128K seq", "write", true, 128 << 10, 8},
};

const char *bench_column_name(enum bench_column column)
{
    static const char *const names[BENCH_COLUMNS] = {
        [BENCH_RAW] = "raw", [BENCH_OURS] = "mayfly",         [BENCH_CRYPTSETUP] = "cryptsetup",
        [BENCH_NBD] = "nbd", [BENCH_QEMU_LUKS] = "qemu-luks",
    };
    return names[column];
}

enum bench_column bench_compared_with(enum bench_column column)
{
    return column == BENCH_QEMU_LUKS ? BENCH_NBD : BENCH_RAW;
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
