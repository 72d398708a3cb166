/* SPDX-License-Identifier: Apache-2.0 */
/* Starts mayfly-disks, which confines itself, with these descriptors and no others:
 *
 *     0 /dev/null   1, 2 a pipe to us   3 the device   4 the listening socket   5 the key
 *
 * A keeper of src/engine outlives its mayfly; this one does not.
 */
#include "bench/disks-server.h"

#include "base/fd.h"
#include "base/place.h"
#include "base/process.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#define END_LIMIT_MSEC 10000 /* for the transfers that are under way */

enum passed { PASS_DEVICE, PASS_SOCKET, PASS_KEY, PASSED };
#define FIRST_FD 3

/* What the child needs, made before fork. The descriptors have numbers above those that the child is going to
 * use. */
struct start {
    const char *const *argv;
    int null, words, fds[PASSED];
    pid_t parent;
};

static void start_end(struct start *s)
{
    fd_close(s->null);
    fd_close(s->words);
    for (int i = 0; i < PASSED; i++)
        fd_close(s->fds[i]);
}

static _noreturn_ void run_child(const struct start *s)
{
    bool whole = dup2(s->null, 0) >= 0 && dup2(s->words, 1) >= 0 && dup2(s->words, 2) >= 0;
    for (int i = 0; whole && i < PASSED; i++)
        whole = dup2(s->fds[i], FIRST_FD + i) >= 0;
    setsid(); /* Ctrl-C is for mayfly alone, which ends the program in order */
    process_reset_signals();
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (!whole || getppid() != s->parent)
        _exit(126);
    process_close_from(FIRST_FD + PASSED);
    execve(s->argv[0], (char *const *)s->argv, (char *const *)process_environment);
    _exit(127);
}

/* Makes the descriptors. The outputs go to a pipe that never blocks, as those of QEMU's programs. */
static int make_descriptors(const int fds[PASSED], struct start *s, int *ret_words)
{
    int ends[2], r;
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
        return -errno;
    _cleanup_close_ int ours = ends[0];
    _cleanup_close_ int theirs = ends[1];
    _cleanup_close_ int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if ((r = s->words = fd_move_high(theirs)) < 0 || (r = s->null = fd_move_high(null)) < 0)
        return r;
    for (int i = 0; i < PASSED; i++)
        if ((r = s->fds[i] = fd_move_high(fds[i])) < 0)
            return r;
    *ret_words = TAKE_FD(ours);
    return 0;
}

static int start(const char *const argv[], const int fds[PASSED], struct qemu *ret, struct error *e)
{
    _cleanup_(start_end) struct start s = {
        .argv = argv, .null = -1, .words = -1, .fds = {-1, -1, -1}, .parent = getpid()};
    _cleanup_close_ int words = -1;
    int r = make_descriptors(fds, &s, &words);
    if (r < 0)
        return error_set(e, r, "mayfly-disks: cannot be given its descriptors: %s", strerrordesc_np(-r));
    pid_t pid = fork();
    if (pid < 0)
        return error_set(e, errno, "mayfly-disks: cannot be started: %m");
    if (pid == 0)
        run_child(&s);
    *ret = QEMU_NONE;
    ret->pid = pid;
    ret->words = TAKE_FD(words);
    return 0;
}

int disks_server_start(int fd, const struct bench_cell *cell, int listening_fd, struct qemu *ret,
                       struct secret_handover **ret_key, struct error *e)
{
    _cleanup_handover_ struct secret_handover *key = NULL;
    char program[PATH_MAX], disk[160];
    const char *argv[] = {program, disk, NULL};
    int r = secret_handover(cell->volume_key, &key, e);
    if (r < 0)
        return r;
    place_find("src/disks", "mayfly-disks", program);
    snprintf(disk, sizeof disk, "--disk=id=bench,file=%d,listen=%d,key=%d,key-bits=%zu,sector-size=%u",
             FIRST_FD + PASS_DEVICE, FIRST_FD + PASS_SOCKET, FIRST_FD + PASS_KEY,
             8 * secret_size(cell->volume_key), cell->sector_bytes);
    const int fds[PASSED] = {fd, listening_fd, secret_handover_fd(key)};
    r = start(argv, fds, ret, e);
    if (r == 0)
        *ret_key = TAKE_PTR(key);
    return r;
}

void disks_server_end(struct qemu *program)
{
    if (program->pid > 0) {
        kill(program->pid, SIGTERM);
        process_wait(TAKE_FD(program->pid), END_LIMIT_MSEC);
    }
    qemu_end(program);
}
