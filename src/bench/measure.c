/* SPDX-License-Identifier: Apache-2.0 */
/* Measures one cell, by fio or by a guest of our own. See bench.h.
 *
 * CPU time per I/O is the whole host's busy time divided by the number of I/Os: dm-crypt works in threads of
 * the kernel and in interrupts, which no process is charged for. Other work of the host counts, too.
 */
#include "base/fd.h"
#include "bench/fio.h"
#include "bench/vhost.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

/* Sums up the busy time of all processors since the host was started. */
static int busy_usec(double *ret, struct error *e)
{
    /* user (with guests), nice, system, idle, iowait, irq, softirq */
    unsigned long long t[7];
    char line[256] = "";
    _cleanup_close_ int fd = open("/proc/stat", O_RDONLY | O_CLOEXEC);
    if (fd < 0 || read(fd, line, sizeof line - 1) <= 0 ||
        sscanf(line, "cpu %llu %llu %llu %llu %llu %llu %llu", &t[0], &t[1], &t[2], &t[3], &t[4], &t[5],
               &t[6]) != 7)
        return error_set(e, -EIO, "/proc/stat: the time of the processors cannot be read");
    *ret = (double)(t[0] + t[1] + t[2] + t[5] + t[6]) * 1e6 / (double)sysconf(_SC_CLK_TCK);
    return 0;
}

/* Without a socket fio has the device itself. */
static int measure_by_fio(int fd, const struct bench_cell *cell, struct measured *ret, struct error *e)
{
    _cleanup_(nbd_server_end) struct nbd_server server = NBD_SERVER_NONE;
    int r = bench_pair_of(cell->column) == BENCH_PAIR_NBD
                ? nbd_server_start(fd, cell->column == BENCH_QEMU_LUKS, &server, e)
                : 0;
    if (r == 0)
        r = fio_measure(fd, &server, cell, ret, e);
    if (r < 0)
        nbd_server_explain(&server, e);
    return r;
}

static int measure(int fd, const struct bench_cell *cell, struct bench_figures *ret, struct error *e)
{
    double before_usec = 0, after_usec = 0;
    struct measured found;
    int r = busy_usec(&before_usec, e);
    if (r == 0)
        r = bench_pair_of(cell->column) == BENCH_PAIR_VHOST ? vhost_measure(fd, cell, &found, e)
                                                            : measure_by_fio(fd, cell, &found, e);
    if (r == 0)
        r = busy_usec(&after_usec, e);
    if (r < 0)
        return r;
    *ret = found.figures;
    ret->cpu_usec = (after_usec - before_usec) / (double)found.ios;
    return 0;
}

int bench_measure(int fd, const struct bench_cell *cell, struct bench_figures *ret, struct error *e)
{
    int r = 0;
    if (fcntl(fd, F_SETFL, O_DIRECT) < 0) /* a lent descriptor is used as it is */
        r = error_set(e, errno, "bench: the device cannot be used without the page cache: %m");
    if (r == 0)
        r = measure(fd, cell, ret, e);
    if (r < 0 && r != -ECANCELED)
        error_append(e, " (%s, %s)", cell->job->title, bench_column_name(cell->column));
    return r;
}
