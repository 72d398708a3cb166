/* SPDX-License-Identifier: Apache-2.0 */
/* The measurements of mayfly bench: fio over one device that was lent to us.
 *
 *     raw          descriptor of the scratch volume ---------------------------> fio (libaio, O_DIRECT)
 *     ours         descriptor of its map, with the table that a disk gets -----> fio
 *     cryptsetup   descriptor of its map, with the table of cryptsetup --------> fio
 *     nbd          scratch volume -> qemu-nbd ------------> unix socket -------> fio (nbd)
 *     qemu-luks    scratch volume -> qemu-nbd, LUKS ------> unix socket -------> fio (nbd)
 *
 * QEMU's LUKS driver needs QEMU. So qemu-luks is compared with nbd, the same path without LUKS, and the cost
 * of NBD is not blamed on LUKS. The others are compared with raw.
 */
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

enum bench_column {
    BENCH_RAW,
    BENCH_OURS,
    BENCH_CRYPTSETUP,
    BENCH_NBD,
    BENCH_QEMU_LUKS,
    BENCH_COLUMNS,
};
const char *bench_column_name(enum bench_column column);
enum bench_column bench_compared_with(enum bench_column column);

struct bench_job {
    const char *name;  /* for programs */
    const char *title; /* for people */
    const char *rw;    /* as fio calls it */
    bool writes;
    unsigned block_bytes, depth;
};
#define BENCH_JOBS 6
extern const struct bench_job bench_jobs[BENCH_JOBS];

struct bench_figures {
    double iops, bytes_per_sec;
    double mean_usec, p50_usec, p99_usec, p999_usec; /* from submission to completion */
    double cpu_usec;                                 /* processor time of the whole host, for one I/O */
};

/* One measurement. */
struct bench_cell {
    const struct bench_job *job;
    enum bench_column column;
    uint64_t size_bytes; /* size of the device */
    unsigned runtime_sec;
    bool (*stopped)(void *context); /* polled while fio runs; may be NULL */
    void *context;
};

/* Room at the beginning of the device for the LUKS header; no cell uses it. */
#define BENCH_EDGE_BYTES (UINT64_C(4) << 20)

/* Checks what can be measured here. -ENOENT: fio is missing. `ret_why_not` says why the columns of QEMU
 * cannot be measured; "": they can. */
#define BENCH_WHY_MAX 160
int bench_look(char ret_why_not[BENCH_WHY_MAX], struct error *e) _must_check_;

/* Runs one cell over the device `fd`, a volume or a map of it, which is in O_DIRECT mode from then on.
 * -ECANCELED: stopped. */
int bench_measure(int fd, const struct bench_cell *cell, struct bench_figures *ret,
                  struct error *e) _must_check_;

/* Sorts `n` values and returns their median. */
double bench_median(double values[], unsigned n);
