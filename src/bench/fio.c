/* SPDX-License-Identifier: Apache-2.0 */
/* Runs fio for one cell, with an exact argv and a device that is lent to it (lend.h). Its report comes by a
 * pipe.
 */
#include "bench/fio.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/process.h"
#include "base/str.h"
#include "bench/fio-json.h"
#include "image/lend.h"

#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define OUTPUT_LIMIT   (1 << 20)
#define SLACK_SEC      60 /* limit for the start and the end, on a busy host */
#define LOOK_MSEC      100
#define END_LIMIT_MSEC 5000

static const char *const quiet[] = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C", NULL};

/* A running fio. */
struct program {
    pid_t pid;
    int output, own_listener; /* -1: none */
    int listeners[2]; /* own_listener, and that of the qemu-nbd behind it; -1: none, or it has ended */
    char *text;
    size_t used;
};

static void release_program(struct program *p)
{
    if (p->pid > 0) {
        kill(p->pid, SIGKILL);
        process_wait(p->pid, END_LIMIT_MSEC);
    }
    fd_close(p->output);
    fd_close(p->own_listener);
    free(p->text);
}

static _noreturn_ void child(const char *const argv[], int input, int output, int socket, pid_t parent)
{
    setsid(); /* Ctrl-C is for mayfly alone, which ends fio */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent || dup2(input, 0) < 0 || dup2(output, 1) < 0 || dup2(output, 2) < 0 ||
        dup2(socket, 3) < 0)
        _exit(126);
    process_close_from(4);
    if (lend_begin(3) < 0)
        _exit(126);
    close(3);
    process_exec(argv, quiet);
}

static int start(const char *const argv[], int fd, struct program *ret, struct error *e)
{
    int pipe_ends[2], socket_ends[2];
    if (pipe2(pipe_ends, O_CLOEXEC) < 0)
        return error_set(e, errno, "fio: a pipe for it cannot be made: %m");
    ret->output = pipe_ends[0];
    _cleanup_close_ int its_output = pipe_ends[1];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, socket_ends) < 0)
        return error_set(e, errno, "fio: a socket for it cannot be made: %m");
    _cleanup_close_ int socket = socket_ends[0];
    _cleanup_close_ int its_socket = socket_ends[1];
    pid_t parent = getpid();
    ret->pid = fork();
    if (ret->pid < 0)
        return error_set(e, errno, "fio: cannot be started: %m");
    if (ret->pid == 0)
        child(argv, fd, its_output, its_socket, parent);
    its_socket = fd_close(its_socket); /* so that the end of fio is noticed */
    return lend_listen(socket, &ret->own_listener, e);
}

/* Reads the output that is there, and drops what is too much. 0: the output has ended. */
static ssize_t read_some(struct program *p)
{
    char drain[4096];
    bool room = p->used < OUTPUT_LIMIT;
    ssize_t n =
        read(p->output, room ? p->text + p->used : drain, room ? OUTPUT_LIMIT - p->used : sizeof drain);
    p->used += n > 0 && room ? (size_t)n : 0;
    return n;
}

/* Serves fio until it closes its outputs: lends the device when fio opens it, and keeps the output. */
static int attend(struct program *p, int lent_fd, const struct bench_cell *cell, struct error *e)
{
    uint64_t end_msec = clock_msec() + (cell->runtime_sec + SLACK_SEC) * UINT64_C(1000);
    for (;;) {
        struct pollfd fds[] = {{.fd = p->output, .events = POLLIN},
                               {.fd = p->listeners[0], .events = POLLIN},
                               {.fd = p->listeners[1], .events = POLLIN}};
        int n = poll(fds, ARRAY_SIZE(fds), LOOK_MSEC);
        if (cell->stopped && cell->stopped(cell->context))
            return error_set(e, -ECANCELED, "bench: stopped");
        if (clock_msec() > end_msec)
            return error_set(e, -ETIMEDOUT, "fio: did not end within %u seconds and was killed",
                             cell->runtime_sec + SLACK_SEC);
        for (size_t i = 0; n > 0 && i < ARRAY_SIZE(p->listeners); i++)
            if (fds[1 + i].revents & POLLIN)
                lend_answer(p->listeners[i], lent_fd);
            else if (fds[1 + i].revents)
                p->listeners[i] = -1; /* the program behind it has ended */
        if (n > 0 && fds[0].revents && read_some(p) == 0)
            return 0;
    }
}

/* Returns the first line of the output, for a sentence; the rest may be a report. */
static const char *first_line(char *text)
{
    text[strcspn(text, "\n")] = '\0';
    str_tame(text);
    return text;
}

static int judge_end(struct program *p, struct error *e)
{
    char field[64];
    int status = process_wait(TAKE_FD(p->pid), END_LIMIT_MSEC);
    if (status < 0)
        return error_set(e, status, "fio: does not end: %s", strerrordesc_np(-status));
    if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
        return error_set(e, -ENOENT, FIO_MISSING);
    if (status != 0)
        return error_set(e, -EIO, "fio: %s: %.300s", process_status_text(status, field, sizeof field),
                         first_line(p->text));
    return 0;
}

/* Runs fio. `input`: its standard input, which is the device or the socket of a server. */
static int run(const char *const argv[], int input, int lent_fd, int server_listener,
               const struct bench_cell *cell, char **ret_text, struct error *e)
{
    _cleanup_(release_program) struct program p = {.pid = -1, .output = -1, .own_listener = -1};
    p.text = calloc(1, OUTPUT_LIMIT + 1);
    if (!p.text)
        return error_memory(e);
    int r = start(argv, input, &p, e);
    p.listeners[0] = p.own_listener;
    p.listeners[1] = server_listener;
    if (r == 0)
        r = attend(&p, lent_fd, cell, e);
    if (r == 0)
        r = judge_end(&p, e);
    if (r == 0)
        *ret_text = TAKE_PTR(p.text);
    return r;
}

/* -------------------------------------------------------------------- cells */

struct words {
    char rw[24], block[24], depth[24], runtime[24], offset[40], size[40];
};

/* Spells the arguments of fio. All cells use the same bytes of the volume, except those of LUKS, which its
 * header shifts by less than BENCH_EDGE_BYTES. */
static void spell(const struct bench_cell *cell, struct words *w)
{
    uint64_t offset = cell->column == BENCH_QEMU_LUKS ? 0 : BENCH_EDGE_BYTES;
    snprintf(w->rw, sizeof w->rw, "--rw=%s", cell->job->rw);
    snprintf(w->block, sizeof w->block, "--bs=%u", cell->job->block_bytes);
    snprintf(w->depth, sizeof w->depth, "--iodepth=%u", cell->job->depth);
    snprintf(w->runtime, sizeof w->runtime, "--runtime=%u", cell->runtime_sec);
    snprintf(w->offset, sizeof w->offset, "--offset=%" PRIu64, offset);
    snprintf(w->size, sizeof w->size, "--size=%" PRIu64, cell->size_bytes - BENCH_EDGE_BYTES);
}

/* Runs one cell. Latency counts from submission, since a table without work queues encrypts there. */
static int run_cell(int fd, const struct nbd_server *server, const struct bench_cell *cell, char **ret_text,
                    struct error *e)
{
    struct words w;
    bool nbd = server->socket >= 0;
    const char *argv[] = {"fio",
                          "--name=cell",
                          "--thread",
                          nbd ? "--ioengine=nbd" : "--ioengine=libaio",
                          nbd ? "--uri=nbd+unix:///?socket=" LEND_NAME : "--filename=" LEND_NAME,
                          "--direct=1",
                          "--invalidate=0",
                          "--norandommap",
                          "--time_based",
                          "--lat_percentiles=1",
                          "--clat_percentiles=0",
                          "--percentile_list=50:99:99.9",
                          "--output-format=json",
                          w.rw,
                          w.block,
                          w.depth,
                          w.runtime,
                          w.offset,
                          w.size,
                          NULL};
    spell(cell, &w);
    return run(argv, nbd ? server->socket : fd, fd, server->program.listener, cell, ret_text, e);
}

int fio_measure(int fd, const struct nbd_server *server, const struct bench_cell *cell, struct measured *ret,
                struct error *e)
{
    _cleanup_free_ char *text = NULL;
    int r = run_cell(fd, server, cell, &text, e);
    return r < 0 ? r : fio_parse(text, cell->job->writes, ret, e);
}
