/* SPDX-License-Identifier: Apache-2.0 */
/* Starts qemu-img, qemu-nbd or qemu-storage-daemon in the sandbox. The program gets the very file that was
 * looked at (by /proc/self/fd, never by its name), in a stated format and without a backing file. The user
 * gives none of its arguments, and it gets no other descriptor or environment variable from us.
 *
 *     0 /dev/null   1, 2 a pipe to us   3 the listening socket, if there is one   4 the image
 *     5 a pipe with the passphrase of a LUKS image: the key in hex, as in OpenStack: QEMU takes text only
 */
#include "image/qemu.h"

#include "base/fd.h"
#include "base/place.h"
#include "base/process.h"
#include "base/str.h"
#include "image/lend.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define END_LIMIT_MSEC 2000
#define POLL_MSEC      200 /* how often the user is asked whether to stop */

enum { FD_LISTENING = 3, FD_IMAGE = 4, FD_KEY = 5, FD_FIRST_CLOSED = 6 };

const char qemu_file_name[] = "/proc/self/fd/4";

#define PRELOAD "LD_PRELOAD="

/* Finds inflate.so. Without it everything works, only slower. The dynamic linker takes spaces and colons as
 * separators. */
static void find_inflate(char preload[PATH_MAX])
{
    char path[PATH_MAX];
    place_find("src/image", "inflate.so", path);
    bool usable = access(path, R_OK) == 0 && !strpbrk(path, " :");
    if (!usable || snprintf(preload, PATH_MAX, PRELOAD "%s", path) >= PATH_MAX)
        snprintf(preload, PATH_MAX, PRELOAD);
}

static const char *const formats[] = {
    [IMAGE_RAW] = "\"driver\":\"raw\"",
    [IMAGE_QCOW2] = "\"driver\":\"qcow2\",\"backing\":null",
    [IMAGE_LUKS] = ("\"driver\":\"qcow2\",\"backing\":null,"
                    "\"encrypt\":{\"format\":\"luks\",\"key-secret\":\"key\"}"),
    [IMAGE_LUKS_BARE] = "\"driver\":\"luks\",\"key-secret\":\"key\"",
};

int qemu_view_make(const struct qemu_file *f, struct qemu_view *ret, struct error *e)
{
    struct qemu_view v = {.file = *f};
    find_inflate(v.preload);
    const char *library = v.preload + strlen(PRELOAD);
    enum sandbox_use use = f->exports ? SANDBOX_EXPORTS : f->writes ? SANDBOX_WRITES : SANDBOX_READS;
    int r = sandbox_prepare(f->fd, use, *library ? library : NULL, &v.sandbox, e);
    if (r < 0)
        return r;
    /* The format is stated, so nothing is probed. No name is the user's, so nothing needs quoting. */
    snprintf(v.options, sizeof v.options,
             "json:{%s,\"file\":{\"driver\":\"%s\",\"filename\":\"%s\",\"locking\":\"off\"}}",
             formats[f->format], f->device ? "host_device" : "file", qemu_file_name);
    v.key_option = f->key ? "--object=secret,id=key,format=raw,file=/proc/self/fd/5" : "--";
    *ret = v;
    return 0;
}

void qemu_view_release(struct qemu_view *v)
{
    v->sandbox = sandbox_free(v->sandbox);
}

/* What the child needs, made before fork. The descriptors have numbers above those that the child is going to
 * use. */
struct start {
    const struct sandbox *sandbox;
    const char *const *argv;
    const char *preload;
    int listening, image, key, words, null;
    int lend; /* socket for lend_begin(); -1: nothing is lent */
    pid_t parent;
};

static void start_end(struct start *s)
{
    fd_close(s->listening);
    fd_close(s->image);
    fd_close(s->key);
    fd_close(s->words);
    fd_close(s->null);
    fd_close(s->lend);
}

/* Gives the descriptor this number; -1: closes the number. */
static bool take_number(int fd, int number)
{
    if (fd < 0)
        close(number);
    return fd < 0 || dup2(fd, number) >= 0;
}

static bool take_descriptors(const struct start *s)
{
    if (dup2(s->null, 0) < 0 || dup2(s->words, 1) < 0 || dup2(s->words, 2) < 0 ||
        dup2(s->image, FD_IMAGE) < 0 || !take_number(s->listening, FD_LISTENING) ||
        !take_number(s->key, FD_KEY))
        return false;
    return close_range(FD_FIRST_CLOSED, ~0U, CLOSE_RANGE_CLOEXEC) == 0;
}

static _noreturn_ void run_child(const struct start *s)
{
    char listen_pid[32];
    /* One malloc arena: each more would take 64 MiB of the address space that the sandbox leaves. */
    const char *environment[] = {process_environment[0],
                                 process_environment[1],
                                 "MALLOC_ARENA_MAX=1",
                                 s->preload,
                                 s->listening < 0 ? NULL : "LISTEN_FDS=1",
                                 listen_pid,
                                 NULL};

    setsid(); /* Ctrl-C is for mayfly alone, which ends the program in order */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    snprintf(listen_pid, sizeof listen_pid, "LISTEN_PID=%d", getpid());
    if (getppid() != s->parent || !take_descriptors(s) || (s->lend >= 0 && lend_begin(s->lend) < 0))
        _exit(126);
    int r = sandbox_enter(s->sandbox);
    if (r < 0) {
        dprintf(2, "its sandbox cannot be entered: %s\n", strerrordesc_np(-r));
        _exit(126);
    }
    process_exec(s->argv, environment);
}

/* Makes a pipe with the key in it, so that the key is in no file, and in no memory that can be swapped. */
static int make_key(const struct secret *key, int *ret_fd, struct error *e)
{
    _cleanup_secret_ struct secret *hex = NULL;
    size_t size = 2 * secret_size(key);
    int ends[2];
    int r = secret_new(size + 1, &hex, e);
    if (r < 0)
        return r;
    str_hex(secret_peek(key), secret_size(key), (char *)secret_bytes(hex));
    if (pipe2(ends, O_CLOEXEC) < 0)
        return error_set(e, errno, "qemu: a pipe for a key cannot be made: %m");
    _cleanup_close_ int theirs = ends[0];
    _cleanup_close_ int ours = ends[1];
    r = fd_write_all(ours, secret_peek(hex), size); /* a pipe has room for many times this size */
    if (r == 0)
        r = fd_move_high(theirs);
    if (r < 0)
        return error_set(e, r, "qemu: the key cannot be handed to it: %s", strerrordesc_np(-r));
    *ret_fd = r;
    return 0;
}

/* Makes the descriptors. The outputs go to a pipe that never blocks: a program that floods it loses words,
 * and nothing else. */
static int make_descriptors(const struct qemu_view *v, int listening_fd, struct start *s, int *ret_words)
{
    int ends[2], r;
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
        return -errno;
    _cleanup_close_ int ours = ends[0];
    _cleanup_close_ int theirs = ends[1];
    _cleanup_close_ int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

    if ((r = s->words = fd_move_high(theirs)) < 0 || (r = s->image = fd_move_high(v->file.fd)) < 0 ||
        (r = s->null = fd_move_high(null)) < 0 ||
        (listening_fd >= 0 && (r = s->listening = fd_move_high(listening_fd)) < 0))
        return r;
    *ret_words = TAKE_FD(ours);
    return 0;
}

static int make_lending(struct start *s, int *ret_ours)
{
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
        return -errno;
    *ret_ours = ends[0];
    _cleanup_close_ int theirs = ends[1];
    int r = fd_move_high(theirs);
    if (r < 0)
        return r;
    s->lend = r;
    return 0;
}

int qemu_start(const struct qemu_view *v, const char *const argv[], int listening_fd, struct qemu *ret,
               struct error *e)
{
    _cleanup_(start_end) struct start s = {.sandbox = v->sandbox,
                                           .argv = argv,
                                           .preload = v->preload,
                                           .listening = -1,
                                           .image = -1,
                                           .key = -1,
                                           .words = -1,
                                           .null = -1,
                                           .lend = -1,
                                           .parent = getpid()};
    _cleanup_close_ int words = -1;
    _cleanup_close_ int lend = -1;
    int r = make_descriptors(v, listening_fd, &s, &words);
    if (r == 0 && v->file.lent)
        r = make_lending(&s, &lend);
    if (r < 0)
        return error_set(e, r, "%s: cannot be given its descriptors: %s", argv[0], strerrordesc_np(-r));
    r = v->file.key ? make_key(v->file.key, &s.key, e) : 0;
    if (r < 0)
        return r;

    pid_t pid = fork();
    if (pid < 0)
        return error_set(e, errno, "%s: cannot be started: %m", argv[0]);
    if (pid == 0)
        run_child(&s);
    *ret = (struct qemu){.pid = pid, .words = TAKE_FD(words), .listener = -1, .lent = v->file.fd};
    s.lend = fd_close(s.lend); /* so that the end of the child is noticed */
    return v->file.lent ? lend_listen(lend, &ret->listener, e) : 0;
}

int qemu_wait(struct qemu *q, unsigned deadline_msec)
{
    return process_wait(TAKE_FD(q->pid), deadline_msec);
}

void qemu_lend(const struct qemu *q)
{
    struct pollfd p = {.fd = q->listener, .events = POLLIN};
    if (q->listener >= 0 && poll(&p, 1, 0) > 0 && p.revents & POLLIN)
        lend_answer(q->listener, q->lent);
}

int qemu_wait_for(struct qemu *q, bool (*stopped)(void *), void *context)
{
    _cleanup_close_ int pidfd = pidfd_open(q->pid, 0);
    struct pollfd p[] = {{.fd = pidfd, .events = POLLIN}, {.fd = q->listener, .events = POLLIN}};
    if (pidfd < 0)
        return -errno;
    for (;;) {
        int ready = poll(p, ARRAY_SIZE(p), POLL_MSEC);
        if (ready < 0 && errno != EINTR)
            return -errno;
        if (ready > 0 && p[0].revents)
            return qemu_wait(q, END_LIMIT_MSEC);
        qemu_lend(q);
        if (stopped && stopped(context)) {
            qemu_end(q);
            return -ECANCELED;
        }
    }
}

void qemu_end(struct qemu *q)
{
    if (q->pid > 0) {
        kill(q->pid, SIGKILL);
        process_wait(TAKE_FD(q->pid), END_LIMIT_MSEC);
    }
    q->words = fd_close(q->words);
    q->listener = fd_close(q->listener);
}

const char *qemu_status_text(int status, char *field, size_t size)
{
    if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
        snprintf(field, size, "is not installed; see the package qemu-utils");
    else
        process_status_text(status, field, size);
    return field;
}

/* Returns the line without the name of the program, and without the options that it quotes. */
static const char *trim_line(char *line)
{
    static const char *const openings[] = {
        "qemu-nbd: ", "qemu-img: ", "qemu-storage-daemon: ", "mayfly-disks: ", "ERROR: ", "ERROR "};
    str_tame(line);
    static const char *const quotes[] = {"}': ", "}: "};
    for (size_t n = 0; n < ARRAY_SIZE(quotes); n++) {
        const char *quoted = strstr(line, quotes[n]);
        if (quoted)
            return quoted + strlen(quotes[n]);
    }
    for (size_t n = 0; n < ARRAY_SIZE(openings); n++)
        if (str_starts(line, openings[n]))
            return line + strlen(openings[n]);
    return line;
}

const char *qemu_first_error(struct qemu *q, char *field, size_t size)
{
    ssize_t n = read(q->words, field, size - 1);
    field[n > 0 ? n : 0] = '\0';
    char *line = field;
    while (*line && !str_starts(line, "ERROR")) {
        line += strcspn(line, "\n");
        line += *line == '\n';
    }
    line[strcspn(line, "\n")] = '\0';
    return trim_line(line);
}

const char *qemu_last_words(struct qemu *q, char *field, size_t size)
{
    size_t used = 0;
    ssize_t n;
    while ((n = read(q->words, field + used, size - 1 - used)) > 0)
        if ((used += (size_t)n) == size - 1)
            used = 0; /* only the end counts */
    while (used && (field[used - 1] == '\n' || field[used - 1] == ' '))
        used--;
    field[used] = '\0';
    char *line = strrchr(field, '\n');
    return trim_line(line ? line + 1 : field);
}
