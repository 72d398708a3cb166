/* SPDX-License-Identifier: Apache-2.0 */
/* See keeper.h. */
#include "disks/keeper-internal.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/process.h"
#include "disks/worker.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define END_MSEC       5000 /* limit for a worker to end when it is told to */
#define MIN_LIFE_MSEC  1000 /* after a worker with a shorter life there is a pause */
#define PAUSE_MIN_MSEC 200
#define PAUSE_MAX_MSEC 10000

/* Opens a descriptor for signals. Ignores SIGPIPE, in workers too: a closed log, or a closed pipe of another
 * process, must not end them. */
static int open_signals(void)
{
    static const int wanted[] = {SIGTERM, SIGINT, SIGHUP};
    sigset_t set;
    signal(SIGPIPE, SIG_IGN);
    sigemptyset(&set);
    for (size_t i = 0; i < ARRAY_SIZE(wanted); i++)
        sigaddset(&set, wanted[i]);
    sigprocmask(SIG_BLOCK, &set, NULL);
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* --------------------------------------------------------------------- keys */

static int take_keys(struct keeper *k, struct error *e)
{
    int r = 0;
    for (unsigned i = 0; r == 0 && i < k->n; i++) {
        struct disk *d = &k->disks[i];
        if (d->key_fd < 0)
            continue;
        r = secret_receive(d->key_fd, d->key_bytes, &k->keys[i], e);
        d->key_fd = fd_close(d->key_fd);
    }
    return r;
}

static void end_handovers(struct keeper *k)
{
    for (unsigned i = 0; i < k->n; i++)
        k->handovers[i] = secret_handover_end(k->handovers[i]);
}

static int begin_handovers(struct keeper *k, struct error *e)
{
    int r = 0;
    for (unsigned i = 0; r == 0 && i < k->n; i++) {
        if (!k->keys[i])
            continue;
        r = secret_handover(k->keys[i], &k->handovers[i], e);
        k->disks[i].key_fd = r == 0 ? secret_handover_fd(k->handovers[i]) : -1;
    }
    return r;
}

/* ------------------------------------------------------------------ workers */

_noreturn_ static void become_worker(struct keeper *k, pid_t keeper, int mark, int notes)
{
    struct error e = ERROR_NONE;
    fd_close(k->signals);
    fd_close(k->mark);
    fd_close(k->notes);
    fd_close(k->ready);
    for (unsigned i = 0; i < k->n; i++)
        fd_close(k->disks[i].listen_fd);
    fd_close(k->tenure->state_fd);
    fd_close(k->tenure->opener_fd);
    int r = prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != keeper
                ? error_set(&e, -ESRCH, "mayfly-disks: the keeper is gone")
                : worker_run(k->disks, k->n, k->connections, mark, notes, &e);
    if (r < 0)
        log_error("%s", e.text);
    _exit(exit_code(r));
}

static int start_worker(struct keeper *k, struct error *e)
{
    int ends[2];
    _cleanup_close_ int notes = -1;
    pid_t keeper = getpid();
    k->started_msec = clock_msec();
    int r = begin_handovers(k, e);
    if (r < 0)
        return r;
    r = note_pair(&k->notes, &notes);
    if (r < 0)
        return error_set(e, r, "mayfly-disks: sockets for a worker cannot be made: %s", strerror(-r));
    if (pipe2(ends, O_CLOEXEC) < 0)
        return error_set(e, errno, "mayfly-disks: a pipe for a worker cannot be made: %m");
    k->mark = ends[0];
    k->worker = fork();
    if (k->worker == 0)
        become_worker(k, keeper, ends[1], notes);
    r = k->worker < 0 ? error_set(e, errno, "mayfly-disks: a worker cannot be started: %m") : 0;
    fd_close(ends[1]);
    return r;
}

static void take_signals(struct keeper *k)
{
    struct signalfd_siginfo s;
    while (read(k->signals, &s, sizeof s) == sizeof s) {
        k->is_ending = k->is_ending || s.ssi_signo != SIGHUP;
        keeper_signal(k, s.ssi_signo == SIGHUP ? SIGHUP : SIGTERM);
    }
}

/* The worker has its keys, and whoever has started the keeper need not wait any more. */
static void worker_serves(struct keeper *k)
{
    log_set_file(KEEPER_LOG_BYTES);
    end_handovers(k);
    if (k->ready >= 0 && write(k->ready, "", 1) != 1)
        log_warning("nobody waits any more for the disks to be served");
    k->ready = fd_close(k->ready);
    k->has_served = true;
}

/* Takes one note of the worker. False: there is none. */
static bool take_note(struct keeper *k)
{
    uint32_t kind = keeper_take_note(k);
    if (kind == NOTE_SERVES)
        worker_serves(k);
    return kind != 0;
}

static void end_unused(struct keeper *k)
{
    log_info("there is no front end any more");
    k->is_ending = true;
    keeper_signal(k, SIGTERM);
}

/* A disk without a front end waits for one. The worker looks after a front end; without a worker the keeper
 * itself watches for its end. */
static struct pollfd what_to_watch(const struct keeper *k, unsigned disk)
{
    int front_end = k->connections[disk].socket;
    if (front_end < 0)
        return (struct pollfd){.fd = k->disks[disk].listen_fd, .events = POLLIN};
    return (struct pollfd){.fd = k->notes < 0 ? front_end : -1}; /* POLLHUP always comes */
}

/* Kills a worker that does not end. True if not even that helps: its last transfers do not end, or somebody
 * has got hold of the pipe. */
static bool end_by_force(struct keeper *k)
{
    keeper_signal(k, SIGKILL);
    return k->kills++ > 0;
}

/* Waits for the next event, at most `limit_msec` (-1: without a limit). True if the worker and all its
 * transfers have ended, or must not be waited for. */
static bool wait_once(struct keeper *k, int limit_msec)
{
    struct pollfd p[4 + DISKS_MAX] = {{.fd = k->signals, .events = POLLIN},
                                      {.fd = k->mark, .events = POLLIN},
                                      {.fd = k->tenure->opener_fd, .events = POLLIN},
                                      {.fd = k->notes, .events = POLLIN}};
    char nothing;
    for (unsigned i = 0; i < k->n; i++)
        p[4 + i] = what_to_watch(k, i);
    int n = poll(p, 4 + k->n, limit_msec);
    if (n == 0 && k->is_ending)
        return end_by_force(k);
    if (n <= 0)
        return false;
    if (p[0].revents)
        take_signals(k);
    if (p[2].revents)
        tenure_opener_ended(k->tenure);
    if (p[3].revents)
        take_note(k);
    for (unsigned i = 0; i < k->n; i++)
        if (p[4 + i].revents && p[4 + i].fd == k->disks[i].listen_fd)
            keeper_accept(k, i);
        else if (p[4 + i].revents)
            keeper_end_connection(k, i);
    return p[1].revents && read(k->mark, &nothing, 1) != 1;
}

static void watch_worker(struct keeper *k)
{
    bool is_gone = false;
    while (!is_gone) {
        int left = k->is_ending ? END_MSEC : tenure_left_msec(k->tenure);
        if (left == 0)
            end_unused(k);
        else
            is_gone = wait_once(k, left);
    }
}

/* Looks how the worker has ended. Returns 0 if the keeper may start another one, or ends, too. */
static int check_end(struct keeper *k, struct error *e)
{
    char text[80];
    int status = process_wait(k->worker, END_MSEC);
    k->worker = 0;
    while (status >= 0 && take_note(k)) {
        /* what it said last */
    }
    if (k->is_ending && status >= 0)
        return 0;
    if (status < 0)
        return error_set(e, status, "mayfly-disks: its worker does not end");
    process_status_text(status, text, sizeof text);
    if (WIFEXITED(status) && !k->has_served)
        return error_set(e, -EIO, "mayfly-disks: its worker %s", text);
    log_warning("the worker %s; another one starts", text);
    return 0;
}

/* Runs a worker from its start to its end. */
static int run_worker(struct keeper *k, struct error *e)
{
    int r = start_worker(k, e);
    if (r == 0) {
        watch_worker(k);
        r = check_end(k, e);
    }
    k->notes = fd_close(k->notes);
    k->mark = fd_close(k->mark);
    end_handovers(k);
    return r;
}

/* Pauses after a worker that did not live long, longer each time. A signal ends the pause. */
static void pause_before_next(struct keeper *k)
{
    if (clock_msec() - k->started_msec >= MIN_LIFE_MSEC)
        k->pause_msec = 0;
    else
        k->pause_msec = k->pause_msec ? 2 * k->pause_msec : PAUSE_MIN_MSEC;
    if (k->pause_msec > PAUSE_MAX_MSEC)
        k->pause_msec = PAUSE_MAX_MSEC;
    struct pollfd p = {.fd = k->signals, .events = POLLIN};
    if (k->pause_msec > 0 && poll(&p, 1, (int)k->pause_msec) > 0)
        take_signals(k);
}

/* Runs workers until the keeper is told to end. If the first one fails, the keeper fails. Once a worker has
 * served, a guest depends on the next one, so a failure (no memory, no descriptors) is tried again. */
static int run_workers(struct keeper *k, struct error *e)
{
    while (!k->is_ending) {
        struct error now = ERROR_NONE;
        int r = run_worker(k, &now);
        if (r < 0 && (k->is_ending || !k->has_served))
            return error_set(e, r, "%s", now.text);
        if (r < 0)
            log_warning("%s; trying again", now.text);
        if (!k->is_ending)
            pause_before_next(k);
    }
    return 0;
}

static int keeper_begin(struct keeper *k, struct error *e)
{
    k->keys = calloc(k->n, sizeof(struct secret *));
    k->handovers = calloc(k->n, sizeof(struct secret_handover *));
    k->connections = calloc(k->n, sizeof *k->connections);
    if (!k->keys || !k->handovers || !k->connections)
        return error_memory(e);
    for (unsigned i = 0; i < k->n; i++)
        if (connection_new(&k->connections[i]) < 0)
            return error_memory(e);
    return take_keys(k, e);
}

static void keeper_end(struct keeper *k)
{
    for (unsigned i = 0; k->connections && i < k->n; i++)
        connection_free(&k->connections[i]);
    for (unsigned i = 0; k->keys && i < k->n; i++)
        secret_free(k->keys[i]);
    if (k->handovers)
        end_handovers(k);
    free(k->connections);
    free(k->keys);
    free(k->handovers);
    fd_close(k->signals);
    fd_close(k->ready);
}

int keeper_run(struct disk *disks, unsigned n, struct tenure *tenure, int ready_fd, struct error *e)
{
    struct keeper k = {.disks = disks,
                       .n = n,
                       .tenure = tenure,
                       .ready = ready_fd,
                       .signals = open_signals(),
                       .mark = -1,
                       .notes = -1};
    int r = keeper_begin(&k, e);
    if (r == 0)
        r = run_workers(&k, e);
    keeper_end(&k);
    return r;
}
