/* SPDX-License-Identifier: Apache-2.0 */
/* mayfly-disks: serves encrypted disks to a virtual machine over vhost-user, without root or device-mapper.
 * It gets all files as descriptors. It ends at SIGTERM, or some time after its last front end. */
#include "base/fd.h"
#include "base/log.h"
#include "crypt/cipher.h"
#include "disks/arguments.h"
#include "disks/keeper.h"
#include "disks/sandbox.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#ifdef __SANITIZE_ADDRESS__
/* Turns off the search for leaks at the end, which would trace the process: the filter forbids that. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "detect_leaks=0";
}
#endif

/* Keeps listening sockets from blocking, since a front end may be gone before it is accepted. */
static int prepare_disks(struct arguments *a, struct error *e)
{
    int r = 0;
    for (unsigned i = 0; r == 0 && i < a->n; i++) {
        struct disk *d = &a->disk[i];
        r = disk_lock(d, e);
        if (r == 0)
            r = disk_look(d, e);
        if (r == 0 && fcntl(d->listen_fd, F_SETFL, O_NONBLOCK) < 0)
            r = error_set(e, errno, "disk %s: its listening socket cannot be used: %m", d->id);
    }
    return r;
}

/* Makes room for the descriptors of front ends, which the keeper holds, too. What the limit allows must do.
 */
static void raise_descriptors(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur == limit.rlim_max)
        return;
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
        log_warning("mayfly-disks: the limit of open files cannot be raised: %m");
}

int main(int argc, char *argv[])
{
    static struct arguments a;
    struct error e = ERROR_NONE;
    log_set_program("mayfly-disks");
    int r = fd_keep_standard();
    if (r == 0)
        r = arguments_read(argc, argv, &a, &e);
    if (r == 0 && a.verbose)
        log_set_level(LOG_LEVEL_INFO);
    raise_descriptors();
    if (r == 0)
        r = tenure_begin(&a.tenure, &e);
    if (r == 0)
        r = prepare_disks(&a, &e);
    if (r == 0)
        r = cipher_begin(&e);
    if (r == 0)
        r = sandbox_keeper(&e);
    if (r == 0)
        r = keeper_run(a.disk, a.n, &a.tenure, a.ready_fd, &e);
    if (r < 0)
        log_error("%s", e.text);
    return exit_code(r);
}
