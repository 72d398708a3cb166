/* SPDX-License-Identifier: Apache-2.0 */
/* The measurements of mayfly bench: fio, or a guest of our own, over one device that was lent to us.
 *
 *     raw          descriptor of the scratch volume ---------------------------> fio (libaio, O_DIRECT)
 *     ours         descriptor of its map, with the table that a disk gets -----> fio
 *     cryptsetup   descriptor of its map, with the table of cryptsetup --------> fio
 *     nbd          scratch volume -> qemu-nbd ------------> unix socket -------> fio (nbd)
 *     qemu-luks    scratch volume -> qemu-nbd, LUKS ------> unix socket -------> fio (nbd)
 *     vhost        scratch volume -> qemu-storage-daemon -> unix socket, shared memory -> front end (load.h)
 *     mayfly-user  scratch volume -> mayfly-disks --------> unix socket, shared memory -> front end
 *
 * QEMU's LUKS driver needs QEMU. So qemu-luks is compared with nbd, the same path without LUKS, and the cost
 * of NBD is not blamed on LUKS. For the same reason mayfly-user is compared with vhost. The others are
 * compared with raw. fio cannot speak vhost-user-blk.
 */
#pragma once

#include "secret/secret.h"

#include <stdbool.h>
#include <stdint.h>

enum bench_column {
    BENCH_RAW,
    BENCH_OURS,
    BENCH_CRYPTSETUP,
    BENCH_NBD,
    BENCH_QEMU_LUKS,
    BENCH_VHOST,
    BENCH_OURS_USER,
    BENCH_COLUMNS,
};
const char *bench_column_name(enum bench_column column);
enum bench_column bench_compared_with(enum bench_column column);

/* Columns that can only be measured together. */
enum bench_pair {
    BENCH_PAIR_NBD,   /* nbd, qemu-luks */
    BENCH_PAIR_VHOST, /* vhost, mayfly-user */
    BENCH_PAIRS,
};
enum bench_pair bench_pair_of(enum bench_column column); /* BENCH_PAIRS: it is always measured */
const char *bench_pair_title(enum bench_pair pair);      /* for people: "QEMU's LUKS" */

struct bench_job {
    const char *name;  /* for programs */
    const char *title; /* for people */
    const char *rw;    /* as fio calls it */
    bool writes, random;
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
    const struct secret *volume_key; /* of BENCH_OURS_USER; for AES-XTS */
    uint32_t sector_bytes;           /* the units that BENCH_OURS_USER encrypts */
    bool (*stopped)(void *context);  /* polled while it is measured; may be NULL */
    void *context;
};

/* Room at the beginning of the device for the LUKS header; no cell uses it. */
#define BENCH_EDGE_BYTES (UINT64_C(4) << 20)

/* Checks what can be measured here. -ENOENT: fio is missing. `ret_why_not` says why a pair of columns cannot
 * be measured; "": it can. */
#define BENCH_WHY_MAX 160
int bench_look(char ret_why_not[BENCH_PAIRS][BENCH_WHY_MAX], struct error *e) _must_check_;

/* Runs one cell over the device `fd`, a volume or a map of it, which is in O_DIRECT mode from then on.
 * -ECANCELED: stopped. */
int bench_measure(int fd, const struct bench_cell *cell, struct bench_figures *ret,
                  struct error *e) _must_check_;

/* Sorts `n` values and returns their median. */
double bench_median(double values[], unsigned n);
