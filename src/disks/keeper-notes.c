/* SPDX-License-Identifier: Apache-2.0 */
/* What the keeper does while a worker serves: it accepts front ends, and carries out what the worker notes.
 */
#include "disks/keeper-internal.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"

#include <errno.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#define ACCEPT_AGAIN_MSEC 100

void keeper_signal(const struct keeper *k, int signal)
{
    if (k->worker > 0)
        kill(k->worker, signal);
}

/* Tells the worker something. One that cannot be told is killed: the next one finds it out by itself. */
static void tell_worker(struct keeper *k, const struct note *n)
{
    if (k->notes >= 0 && note_send(k->notes, n) < 0)
        keeper_signal(k, SIGKILL);
}

/* Tells why no front end can be accepted, and lets some time pass, since the next one waits already. */
static void refuse_later(const struct disk *d)
{
    log_warning("disk %s: a front end cannot connect: %m", d->id);
    clock_sleep_msec(ACCEPT_AGAIN_MSEC);
}

void keeper_accept(struct keeper *k, unsigned disk)
{
    int socket = accept4(k->disks[disk].listen_fd, NULL, NULL, SOCK_CLOEXEC);
    if (socket < 0) {
        if (errno != EAGAIN && errno != ECONNABORTED && errno != EINTR)
            refuse_later(&k->disks[disk]);
        return;
    }
    k->connections[disk].socket = socket;
    tenure_come(k->tenure);
    tell_worker(k, &(struct note){.kind = NOTE_COME, .disk = disk, .fd = {socket}, .n_fds = 1});
}

void keeper_end_connection(struct keeper *k, unsigned disk)
{
    struct connection *c = &k->connections[disk];
    if (c->socket >= 0)
        tenure_gone(k->tenure);
    connection_end(c);
}

static void carry_out(struct keeper *k, struct note *n)
{
    if (n->kind == NOTE_HANDLED && n->disk < k->n) {
        connection_handled(&k->connections[n->disk], n);
        tell_worker(k, &(struct note){.kind = NOTE_TAKEN, .disk = n->disk});
    } else if (n->kind == NOTE_GONE && n->disk < k->n)
        keeper_end_connection(k, n->disk);
}

uint32_t keeper_take_note(struct keeper *k)
{
    struct note n;
    if (k->notes < 0)
        return 0;
    int r = note_receive(k->notes, &n);
    if (r == 0) {
        carry_out(k, &n);
        note_end(&n);
    } else if (r != -EAGAIN) { /* it has ended, or must: nothing that it does is noted any more */
        k->notes = fd_close(k->notes);
        keeper_signal(k, SIGKILL);
    }
    return r == 0 ? n.kind : 0;
}
