/* SPDX-License-Identifier: Apache-2.0 */
/* See process.h. Mayfly never runs a program through a shell. */
#include "base/process.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/str.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

const char *const process_environment[] = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C", NULL};

#define OUTPUT_LIMIT         (1 << 20) /* bytes of a program's output that are kept */
#define KILLED_DEADLINE_MSEC 2000      /* a process stuck in the kernel survives SIGKILL */
#define ASK_AGAIN_MSEC       20

void process_close_from(int first)
{
    close_range((unsigned)first, ~0U, 0);
}

const char *process_status_text(int status, char *field, size_t size)
{
    if (WIFSIGNALED(status))
        snprintf(field, size, "was killed by signal %d (%s)", WTERMSIG(status), strsignal(WTERMSIG(status)));
    else
        snprintf(field, size, "exited with status %d", WEXITSTATUS(status));
    return field;
}

/* Waits on the process's descriptor; polls on a kernel without pidfd. */
static void wait_a_while(int pidfd, uint64_t msec)
{
    struct pollfd p = {.fd = pidfd, .events = POLLIN};
    int limit = pidfd < 0 ? ASK_AGAIN_MSEC : INT_MAX;
    poll(&p, pidfd < 0 ? 0 : 1, msec < (uint64_t)limit ? (int)msec : limit);
}

static int wait_until(pid_t pid, uint64_t deadline)
{
    _cleanup_close_ int pidfd = pidfd_open(pid, 0);
    for (;;) {
        int status = 0;
        pid_t ended = waitpid(pid, &status, WNOHANG);
        uint64_t now = clock_msec();
        if (ended == pid)
            return status;
        if (ended < 0 && errno != EINTR)
            return -errno;
        if (now >= deadline)
            return -ETIMEDOUT;
        wait_a_while(pidfd, deadline - now);
    }
}

int process_await(pid_t pid, unsigned deadline_msec)
{
    return wait_until(pid, clock_msec() + deadline_msec);
}

int process_wait(pid_t pid, unsigned deadline_msec)
{
    int status = process_await(pid, deadline_msec);
    if (status != -ETIMEDOUT)
        return status;
    kill(pid, SIGKILL);
    process_await(pid, KILLED_DEADLINE_MSEC);
    return -ETIMEDOUT;
}

static const int group_signals[] = {SIGINT, SIGTERM, SIGHUP}; /* signals that go to a whole process group */

static sigset_t group_signals_set(void)
{
    sigset_t set;
    sigemptyset(&set);
    for (size_t i = 0; i < ARRAY_SIZE(group_signals); i++)
        sigaddset(&set, group_signals[i]);
    return set;
}

void process_begin_peer(void)
{
    const sigset_t set = group_signals_set();
    for (size_t i = 0; i < ARRAY_SIZE(group_signals); i++) {
        signal(group_signals[i], SIG_IGN); /* drops a pending signal */
        signal(group_signals[i], SIG_DFL);
    }
    sigprocmask(SIG_UNBLOCK, &set, NULL);
}

/* Uses posix_spawn, since fork would copy the page tables of all libraries that libvirt loads. */
static int spawn_on(int socket, const char *const argv[], pid_t *ret_pid)
{
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    const sigset_t blocked = group_signals_set(); /* until process_begin_peer() */
    int r = posix_spawn_file_actions_init(&files);
    if (r != 0)
        return -r;
    if ((r = posix_spawnattr_init(&attributes)) != 0) {
        posix_spawn_file_actions_destroy(&files);
        return -r;
    }
    posix_spawnattr_setsigmask(&attributes, &blocked);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSID);
    if ((r = posix_spawn_file_actions_adddup2(&files, socket, STDIN_FILENO)) == 0 &&
        (r = posix_spawn_file_actions_adddup2(&files, STDERR_FILENO, STDOUT_FILENO)) == 0 &&
        (r = posix_spawn_file_actions_addclosefrom_np(&files, 3)) == 0)
        r = posix_spawn(ret_pid, argv[0], &files, &attributes, (char *const *)argv,
                        (char *const *)process_environment);
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&attributes);
    return -r;
}

int process_start_peer(const char *const argv[], int *ret_socket, pid_t *ret_pid, struct error *e)
{
    int ends[2];
    if (access(argv[0], X_OK) < 0)
        return error_set(e, errno, "%s: cannot be run: %m; install all of Mayfly", argv[0]);
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
        return error_set(e, errno, "%s: cannot be connected: %m", argv[0]);
    _cleanup_close_ int ours = ends[0], theirs = ends[1];
    int r = spawn_on(theirs, argv, ret_pid);
    if (r < 0)
        return error_set(e, r, "%s: cannot be started: %s", argv[0], strerror(-r));
    *ret_socket = TAKE_FD(ours);
    return 0;
}

/* Resets what exec would keep: the signals that we ignore or block, and those that a shell, nohup or a daemon
 * may have ignored when it started us. */
void process_reset_signals(void)
{
    static const int ignored[] = {SIGINT, SIGQUIT, SIGTERM, SIGHUP, SIGPIPE, SIGTSTP, SIGCHLD, SIGXFSZ};
    sigset_t none;
    sigemptyset(&none);
    for (size_t i = 0; i < ARRAY_SIZE(ignored); i++)
        signal(ignored[i], SIG_DFL);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

void process_exec(const char *const argv[], const char *const environment[])
{
    char path[128];
    static const char *const folders[] = {"/usr/sbin", "/usr/bin", "/sbin", "/bin"};
    for (size_t i = 0; i < ARRAY_SIZE(folders); i++) {
        snprintf(path, sizeof path, "%s/%s", folders[i], argv[0]);
        execve(path, (char *const *)argv, (char *const *)environment);
    }
    _exit(127);
}

static _noreturn_ void child(const char *const argv[], int (*prepare)(void), int input, int output)
{
    if (input < 0)
        input = open("/dev/null", O_RDONLY);

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    process_reset_signals();
    if (dup2(input, 0) < 0 || dup2(output, 1) < 0 || dup2(output, 2) < 0)
        _exit(126);
    process_close_from(3);
    if (prepare && prepare() < 0)
        _exit(126);
    process_exec(argv, process_environment);
}

/* Makes room as the output fills it: most programs print nothing. One byte is kept for the NUL. */
static int make_room(char **text, size_t used, size_t *room)
{
    if (used + 1 < *room || *room > OUTPUT_LIMIT)
        return 0;
    size_t more = *room ? 2 * *room : 1024;
    if (more > OUTPUT_LIMIT)
        more = OUTPUT_LIMIT + 1;
    char *bigger = realloc(*text, more);
    if (!bigger)
        return -ENOMEM;
    *text = bigger;
    *room = more;
    return 0;
}

/* Reads from the pipe until it is closed or the deadline is over. */
static int read_output(int pipe_fd, uint64_t deadline, char **ret_output)
{
    _cleanup_free_ char *text = NULL;
    size_t used = 0, room = 0;
    for (;;) {
        if (make_room(&text, used, &room) < 0)
            return -ENOMEM;
        uint64_t now = clock_msec(), rest = now < deadline ? deadline - now : 0;
        struct pollfd p = {.fd = pipe_fd, .events = POLLIN};
        int ready = poll(&p, 1, rest < INT_MAX ? (int)rest : INT_MAX);
        if (ready == 0 && clock_msec() >= deadline)
            return -ETIMEDOUT;
        if (ready <= 0)
            continue;
        char drain[4096];
        bool fits = used + 1 < room;
        ssize_t n = read(pipe_fd, fits ? text + used : drain, fits ? room - used - 1 : sizeof drain);
        if (n == 0)
            break;
        used += n > 0 && fits ? (size_t)n : 0;
    }
    text[used] = '\0';
    *ret_output = TAKE_PTR(text);
    return 0;
}

/* Returns the last line of a program's output, which mostly tells why it failed. */
static const char *last_line(char *text)
{
    size_t n = strlen(text);
    while (n && (text[n - 1] == '\n' || text[n - 1] == ' '))
        text[--n] = '\0';
    char *line = strrchr(text, '\n');
    line = line ? line + 1 : text;
    return line + strspn(line, " ");
}

int process_run_prepared(int input_fd, int (*prepare)(void), const char *const argv[], unsigned deadline_sec,
                         char **ret_output, struct error *e)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0)
        return error_set(e, errno, "%s: cannot make a pipe: %m", argv[0]);
    _cleanup_close_ int from = ends[0];
    _cleanup_close_ int to = ends[1];
    uint64_t deadline =
        deadline_sec == PROCESS_NO_DEADLINE ? UINT64_MAX : clock_msec() + (uint64_t)deadline_sec * 1000;

    pid_t pid = fork();
    if (pid < 0)
        return error_set(e, errno, "%s: cannot start: %m", argv[0]);
    if (pid == 0)
        child(argv, prepare, input_fd, to);
    to = fd_close(to);

    _cleanup_free_ char *output = NULL;
    int r = read_output(from, deadline, &output);
    if (r < 0)
        kill(pid, SIGKILL);
    int status = wait_until(pid, r < 0 ? clock_msec() + KILLED_DEADLINE_MSEC : deadline);
    if (r == 0 && status == -ETIMEDOUT)
        status = process_wait(pid, 0);
    if (r == -ETIMEDOUT || status == -ETIMEDOUT)
        return error_set(e, -ETIMEDOUT, "%s: did not end within %u seconds and was killed", argv[0],
                         deadline_sec);
    if (r < 0)
        return error_memory(e);
    if (status < 0)
        return error_set(e, status, "%s: cannot be waited for: %s", argv[0], strerror(-status));
    if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
        return error_set(e, -ENOENT, "%s: there is no such program; install the package that has it",
                         argv[0]);
    if (status != 0) {
        char field[64];
        return error_set(e, -EIO, "%s %s: %s", argv[0], process_status_text(status, field, sizeof field),
                         last_line(output));
    }
    if (ret_output)
        *ret_output = TAKE_PTR(output);
    return 0;
}

int process_run(const char *const argv[], unsigned deadline_sec, char **ret_output, struct error *e)
{
    return process_run_prepared(-1, NULL, argv, deadline_sec, ret_output, e);
}
