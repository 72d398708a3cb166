/* SPDX-License-Identifier: Apache-2.0 */
/* See worker.h. This thread handles messages; each queue has a thread of its own. */
#include "disks/worker.h"

#include "base/fd.h"
#include "base/log.h"
#include "disks/device.h"
#include "disks/note.h"
#include "disks/sandbox.h"

#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
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

static void take_note(struct device *d, struct note *n)
{
    if (n->kind == NOTE_TAKEN)
        d->awaits_keeper = false;
    else if (n->kind == NOTE_COME && n->n_fds == 1 && d->socket < 0)
        device_connect(d, TAKE_FD(n->fd[0]));
}

static int receive_note(int notes, struct device *devices, unsigned n, struct error *e)
{
    struct note note;
    int r = note_receive(notes, &note);
    if (r < 0)
        return error_set(e, r, "mayfly-disks: the keeper is gone");
    if (note.disk < n)
        take_note(&devices[note.disk], &note);
    note_end(&note);
    return 0;
}

static int serve(struct device *devices, unsigned n, int signals, int notes, struct error *e)
{
    struct pollfd p[2 + DISKS_MAX];
    int r = 0;
    while (r == 0) {
        p[0] = (struct pollfd){.fd = signals, .events = POLLIN};
        p[1] = (struct pollfd){.fd = notes, .events = POLLIN};
        for (unsigned i = 0; i < n; i++)
            p[2 + i] =
                (struct pollfd){.fd = devices[i].awaits_keeper ? -1 : devices[i].socket, .events = POLLIN};
        if (poll(p, 2 + n, -1) < 0 && errno != EINTR)
            return error_set(e, errno, "mayfly-disks: cannot wait for front ends: %m");
        if (p[0].revents && take_signals(signals, devices, n))
            return 0;
        for (unsigned i = 0; i < n; i++)
            if (p[2 + i].revents)
                device_receive(&devices[i]);
        if (p[1].revents)
            r = receive_note(notes, devices, n, e);
    }
    return r;
}

static int serve_all(struct disk *disks, unsigned n, struct connection *connections, int signals, int notes,
                     struct error *e)
{
    _cleanup_free_ struct device *devices = calloc(n, sizeof *devices);
    if (!devices)
        return error_memory(e);
    for (unsigned i = 0; i < n; i++) {
        device_init(&devices[i], &disks[i], i, notes);
        if (connections[i].socket >= 0)
            device_adopt(&devices[i], &connections[i]);
    }
    int r = serve(devices, n, signals, notes, e);
    for (unsigned i = 0; i < n; i++)
        device_leave(&devices[i]);
    return r;
}

int worker_run(struct disk *disks, unsigned n, struct connection *connections, int mark, int notes,
               struct error *e)
{
    _cleanup_close_ int signals = open_signals();
    int r = signals < 0 ? error_set(e, errno, "mayfly-disks: signals cannot be waited for: %m") : 0;
    if (r == 0)
        r = begin_disks(disks, n, mark, e);
    if (r == 0)
        r = sandbox_worker(e);
    if (r == 0)
        log_set_file(KEEPER_LOG_BYTES);
    if (r == 0 && note_send(notes, &(struct note){.kind = NOTE_SERVES}) < 0)
        r = error_set(e, -EIO, "mayfly-disks: the keeper is gone");
    if (r == 0)
        r = serve_all(disks, n, connections, signals, notes, e);
    for (unsigned i = 0; i < n; i++)
        disk_end(&disks[i]);
    return r;
}
