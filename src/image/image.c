/* SPDX-License-Identifier: Apache-2.0 */
/* Opens an image: one descriptor, judged by its head here, then served by a qemu-nbd of our own. The very
 * file that was judged is served (by /proc/self/fd, never by its name), with a format that is stated, with no
 * backing file, to one connection that exists before qemu-nbd does, and that ends it. Nobody else can
 * connect: the socket's name is gone by then.
 *
 *     mayfly: connected socket  <---- unix ---->  listening socket as fd 3, image as fd 4: qemu-nbd, in the
 * sandbox
 */
#include "image/image.h"

#include "base/fd.h"
#include "base/process.h"
#include "base/str.h"
#include "image/format.h"
#include "image/image-internal.h"
#include "image/sandbox.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define CONNECT_LIMIT_SEC 60
#define END_LIMIT_MSEC    2000
#define OPTIONS_BYTES     256

enum { FD_LISTENING = 3, FD_IMAGE = 4, FD_FIRST_CLOSED = 5 };

/* A file or block device open for reading. O_NONBLOCK: opening a FIFO would wait for its writer. */
static int open_file(const char *path, const char *name, int *ret_fd, struct stat *ret_st, struct error *e)
{
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0 && (errno == EACCES || errno == EPERM))
        return error_set(
            e, -EACCES,
            "image %s: cannot be opened: user %u may not read it; give that user read access to it "
            "and its folders",
            name, geteuid());
    if (fd < 0)
        return error_set(e, errno == ENXIO || errno == ENODEV ? -EINVAL : -errno,
                         "image %s: cannot be opened: %m", name);
    if (fstat(fd, ret_st) < 0)
        return error_set(e, errno, "image %s: cannot be examined: %m", name);
    if (!S_ISREG(ret_st->st_mode) && !S_ISBLK(ret_st->st_mode))
        return error_set(e, -EINVAL,
                         "image %s: cannot be used: it is neither a regular file nor a block device", name);
    *ret_fd = TAKE_FD(fd);
    return 0;
}

static int judge(int fd, const char *name, const char *wanted, enum image_format *ret, struct error *e)
{
    uint8_t head[IMAGE_HEAD_BYTES];
    off_t end = lseek(fd, 0, SEEK_END);
    if (end < 0)
        return error_set(e, errno, "image %s: its size cannot be found: %m", name);

    size_t size = (uint64_t)end < sizeof head ? (size_t)end : sizeof head;
    int r = fd_pread_all(fd, head, size, 0);
    if (r < 0)
        return error_set(e, r, "image %s: cannot be read: %s", name, strerrordesc_np(-r));
    r = image_format_detect(head, size, (uint64_t)end, wanted, ret, e);
    if (r < 0)
        error_prefix(e, "image %s: cannot be used: ", name);
    return r;
}

/* A listening socket and a connection to it, in a folder that only we could enter and that is gone again. */
static int make_connection(int *ret_listening, int *ret_ours, struct error *e)
{
    const char *base = secure_getenv("TMPDIR");
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char folder[sizeof address.sun_path];
    _cleanup_close_ int listening = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    _cleanup_close_ int ours = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (listening < 0 || ours < 0)
        return error_set(e, errno, "qemu-nbd: a socket for it cannot be made: %m");
    if (snprintf(folder, sizeof folder, "%s/mayfly-XXXXXX", base ? base : "/tmp") >= (int)sizeof folder - 4)
        return error_set(e, -ENAMETOOLONG,
                         "qemu-nbd: TMPDIR is too long for a socket in it; set a shorter one");
    if (!mkdtemp(folder))
        return error_set(e, errno, "qemu-nbd: a folder %s for its socket cannot be made: %m; set TMPDIR",
                         folder);

    int length =
        snprintf(address.sun_path, sizeof address.sun_path, "%.*s/s", (int)sizeof folder - 4, folder);
    const struct sockaddr *a = (const struct sockaddr *)&address;
    int r = length < 0 || bind(listening, a, sizeof address) < 0 || listen(listening, 1) < 0 ||
                    connect(ours, a, sizeof address) < 0
                ? -errno
                : 0;
    unlink(address.sun_path);
    rmdir(folder);
    if (r < 0)
        return error_set(e, r, "qemu-nbd: a socket for it in %s cannot be made: %s", folder,
                         strerrordesc_np(-r));

    if ((r = fd_move_high(listening)) < 0)
        return error_set(e, r, "qemu-nbd: its socket cannot be moved: %s", strerrordesc_np(-r));
    *ret_listening = r;
    *ret_ours = TAKE_FD(ours);
    return 0;
}

/* Everything is stated and nothing is probed. No name of the user's is in it, so nothing needs quoting. */
static void make_options(char options[OPTIONS_BYTES], enum image_format format, bool device)
{
    snprintf(options, OPTIONS_BYTES,
             "json:{\"driver\":\"%s\",%s\"file\":{\"driver\":\"%s\",\"filename\":\"/proc/self/fd/%d\","
             "\"locking\":\"off\"}}",
             format == IMAGE_QCOW2 ? "qcow2" : "raw", format == IMAGE_QCOW2 ? "\"backing\":null," : "",
             device ? "host_device" : "file", FD_IMAGE);
}

/* What the child needs, all made before fork; the descriptors are above those that it is going to use. */
struct start {
    struct sandbox *sandbox;
    int listening, image, words, null;
    pid_t parent;
    char options[OPTIONS_BYTES];
};

static void release_start(struct start *s)
{
    sandbox_free(s->sandbox);
    fd_close(s->listening);
    fd_close(s->image);
    fd_close(s->words);
    fd_close(s->null);
}

static _noreturn_ void child(const struct start *s)
{
    char listen_pid[32];
    const char *argv[] = {"qemu-nbd", "--read-only", "--shared=1", s->options, NULL};
    /* One malloc arena: each of its own would take 64 MiB of the address space that the sandbox leaves. */
    const char *environment[] = {process_environment[0], process_environment[1],
                                 "LISTEN_FDS=1",         listen_pid,
                                 "MALLOC_ARENA_MAX=1",   NULL};

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    snprintf(listen_pid, sizeof listen_pid, "LISTEN_PID=%d", getpid());
    if (getppid() != s->parent || dup2(s->null, 0) < 0 || dup2(s->words, 1) < 0 || dup2(s->words, 2) < 0 ||
        dup2(s->listening, FD_LISTENING) < 0 || dup2(s->image, FD_IMAGE) < 0 ||
        close_range(FD_FIRST_CLOSED, ~0U, CLOSE_RANGE_CLOEXEC) < 0)
        _exit(126);
    int r = sandbox_enter(s->sandbox);
    if (r < 0) {
        dprintf(2, "its sandbox cannot be entered: %s\n", strerrordesc_np(-r));
        _exit(126);
    }
    process_exec(argv, environment);
}

/* Standard error as a pipe that never blocks: who floods it loses words, and nothing else. */
static int make_words(struct image *i, struct start *s)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
        return -errno;
    i->words = ends[0];
    _cleanup_close_ int low = ends[1];
    return (s->words = fd_move_high(low)) < 0 ? s->words : 0;
}

static int start_server(struct image *i, int fd, enum image_format format, bool device, int *ret_connection,
                        struct error *e)
{
    _cleanup_(release_start) struct start s = {
        .listening = -1, .image = -1, .words = -1, .null = -1, .parent = getpid()};
    _cleanup_close_ int ours = -1, null = open("/dev/null", O_RDONLY | O_CLOEXEC);

    make_options(s.options, format, device);
    int r = sandbox_prepare(fd, &s.sandbox, e);
    if (r == 0)
        r = make_connection(&s.listening, &ours, e);
    if (r < 0)
        return r;
    if ((r = make_words(i, &s)) < 0 || (r = s.image = fd_move_high(fd)) < 0 ||
        (r = s.null = fd_move_high(null)) < 0)
        return error_set(e, r, "qemu-nbd: cannot be given its descriptors: %s", strerrordesc_np(-r));

    i->pid = fork();
    if (i->pid < 0)
        return error_set(e, errno, "qemu-nbd: cannot be started: %m");
    if (i->pid == 0)
        child(&s);
    *ret_connection = TAKE_FD(ours);
    return 0;
}

static int connect_server(struct image *i, int connection, struct error *e)
{
    time_t limit = image_now_sec() + CONNECT_LIMIT_SEC;

    i->nbd = nbd_create();
    if (!i->nbd || nbd_add_meta_context(i->nbd, LIBNBD_CONTEXT_BASE_ALLOCATION) < 0) {
        fd_close(connection);
        return error_memory(e);
    }
    int r = nbd_aio_connect_socket(i->nbd, connection);
    if (r < 0)
        fd_close(connection); /* else it is libnbd's now */
    while (r >= 0 && nbd_aio_is_connecting(i->nbd) == 1)
        r = image_now_sec() < limit ? nbd_poll(i->nbd, 1000) : -1;
    if (r < 0 || nbd_aio_is_ready(i->nbd) != 1)
        return image_failed(i, -EIO, "cannot be read", e);

    int64_t size = nbd_get_size(i->nbd);
    if (size <= 0)
        return image_failed(i, -EIO, "has no size", e);
    i->size_bytes = (uint64_t)size;
    return 0;
}

static int make_image(const char *path, struct image **ret, struct error *e)
{
    _cleanup_image_ struct image *i = calloc(1, sizeof *i);
    if (!i)
        return error_memory(e);
    i->pid = i->words = -1;
    i->name = strdup(path);
    if (!i->name)
        return error_memory(e);
    for (char *c = i->name; *c; c++)
        if ((unsigned char)*c < ' ' || *c == 127)
            *c = '?';
    *ret = TAKE_PTR(i);
    return 0;
}

int image_open(const char *path, const char *format, struct image **ret, struct error *e)
{
    _cleanup_image_ struct image *i = NULL;
    _cleanup_close_ int fd = -1;
    struct stat st;
    enum image_format found = IMAGE_RAW;
    int connection = -1;

    int r = make_image(path, &i, e);
    if (r == 0)
        r = open_file(path, i->name, &fd, &st, e);
    if (r == 0)
        r = judge(fd, i->name, format, &found, e);
    if (r == 0)
        r = start_server(i, fd, found, S_ISBLK(st.st_mode), &connection, e);
    if (r == 0)
        r = connect_server(i, connection, e);
    if (r < 0)
        return r;
    *ret = TAKE_PTR(i);
    return 0;
}

uint64_t image_size_bytes(const struct image *i)
{
    return i->size_bytes;
}

/* The last line that qemu-nbd wrote, without the options that it quotes. */
static const char *last_words(struct image *i, char *field, size_t size)
{
    size_t used = 0;
    ssize_t n;
    while ((n = read(i->words, field + used, size - 1 - used)) > 0)
        if ((used += (size_t)n) == size - 1)
            used = 0; /* only the end counts */
    field[used] = '\0';
    while (used && field[used - 1] <= ' ')
        field[--used] = '\0';
    char *line = strrchr(field, '\n'), *quoted = strstr(field, "}': ");
    line = line ? line + 1 : field;
    if (quoted && quoted > line)
        return quoted + 4;
    return str_starts(line, "qemu-nbd: ") ? line + 10 : line;
}

int image_failed(struct image *i, int errnum, const char *what, struct error *e)
{
    char field[4096], status[64] = "";
    const char *libnbd_words = nbd_get_error();
    if (i->pid > 0 &&
        (!i->nbd || nbd_aio_is_ready(i->nbd) != 1)) { /* the connection is gone: so is qemu-nbd */
        int s = process_wait(i->pid, END_LIMIT_MSEC);
        i->pid = -1;
        if (s >= 0 && WIFEXITED(s) && WEXITSTATUS(s) == 127)
            snprintf(status, sizeof status, "is not installed; see the package qemu-utils");
        else if (s >= 0)
            process_status_text(s, status, sizeof status);
    }
    const char *words = last_words(i, field, sizeof field);
    if (*words)
        return error_set(e, errnum, "image %.200s: %s: qemu-nbd: %.250s", i->name, what, words);
    if (*status)
        return error_set(e, errnum, "image %.200s: %s: qemu-nbd %s", i->name, what, status);
    return error_set(e, errnum, "image %.200s: %s: %.250s", i->name, what,
                     libnbd_words ? libnbd_words : "qemu-nbd gives no answer");
}

/* Kills qemu-nbd at once: it has nothing to lose, for it cannot write. */
struct image *image_close(struct image *i)
{
    if (!i)
        return NULL;
    nbd_close(i->nbd); /* takes NULL */
    if (i->pid > 0) {
        kill(i->pid, SIGKILL);
        process_wait(i->pid, END_LIMIT_MSEC);
    }
    fd_close(i->words);
    free(i->name);
    free(i);
    return NULL;
}
