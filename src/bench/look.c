/* SPDX-License-Identifier: Apache-2.0 */
/* What can be measured on this host. See bench.h. */
#include "base/place.h"
#include "base/process.h"
#include "bench/fio.h"

#include <liburing.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LOOK_LIMIT_SEC 30

static bool runs(const char *program, const char *option)
{
    const char *const argv[] = {program, option, NULL};
    return process_run(argv, LOOK_LIMIT_SEC, NULL, NULL) == 0;
}

static void look_for_nbd(char why_not[BENCH_WHY_MAX])
{
    if (!runs("qemu-nbd", "--version"))
        snprintf(why_not, BENCH_WHY_MAX, "there is no qemu-nbd; install it: apt install qemu-utils");
    else if (!runs("fio", "--enghelp=nbd"))
        snprintf(why_not, BENCH_WHY_MAX, "this fio cannot speak NBD");
}

/* Returns 0 or a negative errno. */
static int try_io_uring(void)
{
    struct io_uring ring;
    int r = io_uring_queue_init(1, &ring, 0);
    if (r == 0)
        io_uring_queue_exit(&ring);
    return r;
}

static void look_for_vhost(char why_not[BENCH_WHY_MAX])
{
    char program[PATH_MAX];
    int r = try_io_uring();
    place_find("src/disks", "mayfly-disks", program);
    if (access(program, X_OK) < 0)
        snprintf(why_not, BENCH_WHY_MAX, "there is no mayfly-disks; install all of Mayfly");
    else if (!runs("qemu-storage-daemon", "--version"))
        snprintf(why_not, BENCH_WHY_MAX,
                 "there is no qemu-storage-daemon; install it: apt install qemu-system-common");
    else if (r == -EPERM)
        snprintf(why_not, BENCH_WHY_MAX,
                 "io_uring is forbidden here; see the sysctl kernel.io_uring_disabled");
    else if (r < 0)
        snprintf(why_not, BENCH_WHY_MAX, "io_uring cannot be used here: %s", strerror(-r));
}

int bench_look(char ret_why_not[BENCH_PAIRS][BENCH_WHY_MAX], struct error *e)
{
    static const char *const fio[] = {"fio", "--version", NULL};
    struct error why = ERROR_NONE;
    int r = process_run(fio, LOOK_LIMIT_SEC, NULL, &why);
    if (r < 0)
        return r == -ENOENT ? error_set(e, r, FIO_MISSING) : error_pass(e, r, &why);
    memset(ret_why_not, 0, BENCH_PAIRS * BENCH_WHY_MAX);
    look_for_nbd(ret_why_not[BENCH_PAIR_NBD]);
    look_for_vhost(ret_why_not[BENCH_PAIR_VHOST]);
    return 0;
}
