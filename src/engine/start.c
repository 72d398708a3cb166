/* SPDX-License-Identifier: Apache-2.0 */
/* Starts mayfly-disks in a session of its own, with these descriptors and no others. See engine-internal.h.
 *
 *     3 file   4 socket   5 state   6 this process   7 ready   8 key
 *
 * When it serves it writes a byte to 7. If it cannot it says why on standard error, which is its log.
 */
#include "base/fd.h"
#include "base/place.h"
#include "base/process.h"
#include "engine/engine-internal.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/pidfd.h>
#include <unistd.h>

#define START_MSEC 60000 /* long, for a busy host */
#define END_MSEC   5000  /* limit for the end of a keeper that cannot serve */
#define WORDS_MAX  500

enum passed { PASS_FILE, PASS_SOCKET, PASS_STATE, PASS_OPENER, PASS_READY, PASS_KEY, PASSED };
#define FIRST_FD 3

/* Moves a descriptor away from the numbers that the keeper gets. Closes `fd`. */
static int move_away(int fd)
{
    int high = fd < 0 ? -errno : fd_move_high(fd);
    fd_close(fd);
    return high;
}

static int error_no_descriptor(const struct volume *v, int r, struct error *e)
{
    return error_set(e, r, "disk %s: cannot be opened: no descriptor: %s", v->lv, strerror(-r));
}

/* Sets the attributes so that no signal is blocked or ignored in the keeper, whatever this process does. */
static int set_signals(posix_spawnattr_t *a)
{
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    int r = posix_spawnattr_setsigmask(a, &none);
    if (r == 0)
        r = posix_spawnattr_setsigdefault(a, &all);
    return r ? r
             : posix_spawnattr_setflags(a,
                                        POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSID);
}

static int set_files(posix_spawn_file_actions_t *a, const int fds[PASSED], int log)
{
    int r = posix_spawn_file_actions_addopen(a, STDIN_FILENO, "/dev/null", O_RDWR, 0);
    if (r == 0)
        r = posix_spawn_file_actions_adddup2(a, STDIN_FILENO, STDOUT_FILENO);
    if (r == 0)
        r = posix_spawn_file_actions_adddup2(a, log, STDERR_FILENO);
    for (int i = 0; r == 0 && i < PASSED; i++)
        if (fds[i] >= 0)
            r = posix_spawn_file_actions_adddup2(a, fds[i], FIRST_FD + i);
    return r ? r
             : posix_spawn_file_actions_addclosefrom_np(a,
                                                        FIRST_FD + (fds[PASS_KEY] < 0 ? PASS_KEY : PASSED));
}

/* Starts a program by posix_spawn, since fork would copy the page tables of all that libvirt has loaded. */
static int spawn(const char *const argv[], const int fds[PASSED], int log, pid_t *ret)
{
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    int r = posix_spawn_file_actions_init(&files);
    if (r)
        return -r;
    if ((r = posix_spawnattr_init(&attributes))) {
        posix_spawn_file_actions_destroy(&files);
        return -r;
    }
    r = set_files(&files, fds, log);
    if (r == 0)
        r = set_signals(&attributes);
    if (r == 0)
        r = posix_spawn(ret, argv[0], &files, &attributes, (char *const *)argv,
                        (char *const *)process_environment);
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&attributes);
    return -r;
}

static int run_program(const struct volume *v, const int fds[PASSED], struct keeper_limits limits, int log,
                       pid_t *ret, struct error *e)
{
    char program[PATH_MAX], disk[200], key[64] = "";
    if (fds[PASS_KEY] >= 0)
        snprintf(key, sizeof key, ",key=%d,key-bits=%u,sector-size=%u", FIRST_FD + PASS_KEY, v->key_bits,
                 v->sector_bytes);
    snprintf(disk, sizeof disk, "--disk=id=%.20s,file=%d,listen=%d%s%s", v->disk, FIRST_FD + PASS_FILE,
             FIRST_FD + PASS_SOCKET, key,
             limits.read_only ? ",read-only"
             : limits.discard ? ",discard"
                              : "");
    char state[24], opener[24], ready[24];
    snprintf(state, sizeof state, "--state=%d", FIRST_FD + PASS_STATE);
    snprintf(opener, sizeof opener, "--opener=%d", FIRST_FD + PASS_OPENER);
    snprintf(ready, sizeof ready, "--ready=%d", FIRST_FD + PASS_READY);
    place_find("src/disks", "mayfly-disks", program);
    const char *argv[] = {program, state, opener, ready, disk, NULL};
    int r = spawn(argv, fds, log, ret);
    return r < 0 ? error_set(e, r, "%s: cannot be run: %s; install all of Mayfly", program, strerror(-r)) : 0;
}

/* Reads the last line of the log. */
static void read_words(int fd, char words[WORDS_MAX])
{
    off_t size = lseek(fd, 0, SEEK_END), from = size < WORDS_MAX ? 0 : size - WORDS_MAX + 1;
    ssize_t n = pread(fd, words, WORDS_MAX - 1, from);
    while (n > 0 && words[n - 1] == '\n')
        n--;
    words[n < 0 ? 0 : n] = '\0';
    const char *line = strrchr(words, '\n');
    if (line)
        memmove(words, line + 1, strlen(line));
    str_tame(words);
}

static int start_failed(const struct volume *v, pid_t pid, unsigned wait_msec, int log, struct error *e)
{
    char words[WORDS_MAX], status_text[80];
    int status = process_wait(pid, wait_msec);
    read_words(log, words);
    if (status < 0)
        return error_set(e, -ETIMEDOUT, "disk %s: cannot be opened: mayfly-disks does not begin to serve it",
                         v->lv);
    int r = WIFEXITED(status) && WEXITSTATUS(status) == EXIT_BUSY ? -EBUSY : -EIO;
    process_status_text(status, status_text, sizeof status_text);
    return error_set(e, r, "disk %s: cannot be opened: %s", v->lv, *words ? words : status_text);
}

static int wait_until_ready(const struct volume *v, pid_t pid, int ready, int log, struct error *e)
{
    struct pollfd p = {.fd = ready, .events = POLLIN};
    char byte;
    int n;
    do
        n = poll(&p, 1, START_MSEC);
    while (n < 0 && errno == EINTR);
    if (n > 0 && read(ready, &byte, 1) == 1)
        return 0;
    return start_failed(v, pid, n > 0 ? END_MSEC : 0, log, e);
}

static int start_with(const struct volume *v, int fds[PASSED], struct keeper_limits limits, int log,
                      struct error *e)
{
    int ready[2];
    pid_t pid = 0;
    if (pipe2(ready, O_CLOEXEC) < 0)
        return error_set(e, errno, "disk %s: cannot be opened: no pipe: %m", v->lv);
    fds[PASS_READY] = move_away(ready[1]);
    int r = fds[PASS_READY] < 0 ? error_no_descriptor(v, fds[PASS_READY], e) : 0;
    if (r == 0)
        r = run_program(v, fds, limits, log, &pid, e);
    fd_close(fds[PASS_READY]);
    if (r == 0)
        r = wait_until_ready(v, pid, ready[0], log, e);
    fd_close(ready[0]);
    return r;
}

int keeper_start(const struct volume *v, const struct keeper_files *files, const struct secret *volume_key,
                 struct keeper_limits limits, struct error *e)
{
    _cleanup_handover_ struct secret_handover *key = NULL;
    int r = volume_key ? secret_handover(volume_key, &key, e) : 0;
    if (r < 0)
        return r;
    const int ours[] = {[PASS_FILE] = files->disk,
                        [PASS_SOCKET] = files->socket,
                        [PASS_STATE] = files->state,
                        [PASS_KEY] = key ? secret_handover_fd(key) : -1};
    int fds[PASSED] = {-1, -1, -1, -1, -1, -1};
    _cleanup_close_ int log = fd_move_high(files->log);
    for (int i = 0; r == 0 && i < PASSED; i++) {
        if (i == PASS_READY || (i == PASS_KEY && !key))
            continue;
        fds[i] = i == PASS_OPENER ? move_away(pidfd_open(getpid(), 0)) : fd_move_high(ours[i]);
        r = fds[i] < 0 ? error_no_descriptor(v, fds[i], e) : 0;
    }
    if (r == 0)
        r = log < 0 ? error_no_descriptor(v, log, e) : start_with(v, fds, limits, log, e);
    for (int i = 0; i < PASSED; i++)
        if (i != PASS_READY)
            fd_close(fds[i]);
    return r;
}
