/* SPDX-License-Identifier: Apache-2.0 */
/* See worker.h. This thread handles messages; each queue has a thread of its own. */
#include "disks/worker.h"

#include "base/fd.h"
#include "base/log.h"
#include "disks/device.h"
#include "disks/sandbox.h"

#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

static int open_signals(void)
{
    sigset_t wanted;
    sigemptyset(&wanted);
    sigaddset(&wanted, SIGTERM);
    sigaddset(&wanted, SIGHUP);
    return signalfd(-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK);
}

static int begin_disks(struct disk *disks, unsigned n, int mark, struct error *e)
{
    int r = 0;
    for (unsigned i = 0; r == 0 && i < n; i++) {
        disks[i].mark = mark;
        r = disk_begin(&disks[i], e);
    }
    return r;
}

static void look_at_sizes(struct device *devices, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        if (disk_look_again(devices[i].disk))
            device_tell_size(&devices[i]);
}

/* Takes the signals that have come. True if the worker must end. */
static bool take_signals(int fd, struct device *devices, unsigned n)
{
    struct signalfd_siginfo s;
    while (read(fd, &s, sizeof s) == sizeof s) {
        if (s.ssi_signo == SIGTERM)
            return true;
        look_at_sizes(devices, n);
    }
    return false;
}

/* Tells the keeper of a front end. Never waits for long, since the keeper reads at once. Without the keeper
 * this process is killed. */
static void tell_keeper(const struct device *d, char mark)
{
    if (write(d->disk->mark, &mark, 1) != 1)
        log_warning("disk %s: cannot notify the keeper of a front end", d->disk->id);
}

static void accept_front_end(struct device *d)
{
    int socket = accept4(d->disk->listen_fd, NULL, NULL, SOCK_CLOEXEC);
    if (socket >= 0) {
        device_connect(d, socket);
        tell_keeper(d, MARK_COME);
    } else if (errno != EAGAIN && errno != ECONNABORTED && errno != EINTR)
        log_warning("disk %s: a front end cannot connect: %m", d->disk->id);
}

static void take_message(struct device *d)
{
    device_receive(d);
    if (d->socket < 0)
        tell_keeper(d, MARK_GONE);
}

static int serve(struct device *devices, unsigned n, int signals, struct error *e)
{
    struct pollfd p[1 + DISKS_MAX];
    for (;;) {
        p[0] = (struct pollfd){.fd = signals, .events = POLLIN};
        for (unsigned i = 0; i < n; i++) {
            int fd = devices[i].socket >= 0 ? devices[i].socket : devices[i].disk->listen_fd;
            p[1 + i] = (struct pollfd){.fd = fd, .events = POLLIN};
        }
        if (poll(p, 1 + n, -1) < 0 && errno != EINTR)
            return error_set(e, errno, "mayfly-disks: cannot wait for front ends: %m");
        if (p[0].revents && take_signals(signals, devices, n))
            return 0;
        for (unsigned i = 0; i < n; i++) {
            if (p[1 + i].revents && devices[i].socket >= 0)
                take_message(&devices[i]);
            else if (p[1 + i].revents)
                accept_front_end(&devices[i]);
        }
    }
}

static int serve_all(struct disk *disks, unsigned n, int signals, struct error *e)
{
    _cleanup_free_ struct device *devices = calloc(n, sizeof *devices);
    if (!devices)
        return error_memory(e);
    for (unsigned i = 0; i < n; i++)
        device_init(&devices[i], &disks[i]);
    int r = serve(devices, n, signals, e);
    for (unsigned i = 0; i < n; i++)
        device_disconnect(&devices[i]);
    return r;
}

int worker_run(struct disk *disks, unsigned n, int mark, struct error *e)
{
    _cleanup_close_ int signals = open_signals();
    int r = signals < 0 ? error_set(e, errno, "mayfly-disks: signals cannot be waited for: %m") : 0;
    if (r == 0)
        r = begin_disks(disks, n, mark, e);
    if (r == 0)
        r = sandbox_worker(e);
    if (r == 0)
        log_set_file(KEEPER_LOG_BYTES);
    if (r == 0 && write(mark, (char[]){MARK_SERVES}, 1) != 1)
        r = error_set(e, -EIO, "mayfly-disks: the keeper is gone");
    if (r == 0)
        r = serve_all(disks, n, signals, e);
    for (unsigned i = 0; i < n; i++)
        disk_end(&disks[i]);
    return r;
}
