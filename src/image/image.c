/* SPDX-License-Identifier: Apache-2.0 */
/* Opens an image: one descriptor, judged by its head here. A raw one needs no parser and is read as it is. A
 * qcow2 is checked as a whole by qemu-img, for what was cut off would read as zeros; then it is served by a
 * qemu-nbd of our own (qemu.h). That serves one connection, which exists before qemu-nbd does, and which ends
 * it. Nobody else can connect: the socket's name is gone by then.
 *
 *     mayfly: connected socket  <---- unix ---->  listening socket: qemu-nbd, in the sandbox
 */
#include "image/image.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/str.h"
#include "base/user.h"
#include "image/format.h"
#include "image/image-internal.h"

#include <fcntl.h>
#include <inttypes.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define SECTOR_BYTES      512
#define CONNECT_LIMIT_SEC 300
#define POLL_MSEC         200 /* how often a person is asked */
#define END_LIMIT_MSEC    2000

enum { CHECK_SOUND = 0, CHECK_DAMAGED = 2, CHECK_LEAKS = 3 }; /* how qemu-img check exits */

static int judge_kind(int fd, const char *name, bool *ret_device, struct error *e)
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        return error_set(e, errno, "image %s: cannot be examined: %m", name);
    if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode))
        return error_set(e, -EINVAL,
                         "image %s: cannot be used: it is neither a regular file nor a block device", name);
    *ret_device = S_ISBLK(st.st_mode);
    return 0;
}

/* O_NONBLOCK: opening a FIFO would wait for its writer. */
static int open_path(const char *path, const char *name, int *ret_fd, bool *ret_device, struct error *e)
{
    char user[USER_NAME_MAX];
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0 && (errno == EACCES || errno == EPERM))
        return error_set(
            e, -EACCES,
            "image %s: cannot be opened: user %s may not read it; give that user read access to it "
            "and its folders",
            name, user_name(geteuid(), user));
    if (fd < 0)
        return error_set(e, errno == ENXIO || errno == ENODEV ? -EINVAL : -errno,
                         "image %s: cannot be opened: %m", name);
    int r = judge_kind(fd, name, ret_device, e);
    if (r == 0)
        *ret_fd = TAKE_FD(fd);
    return r;
}

/* Of the very same file: nothing is looked up by name. A file system may have no such thing: -1. */
static int open_direct(int fd)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    return open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_DIRECT);
}

int image_open_early(const char *path, struct image_early *ret, struct error *e)
{
    _cleanup_free_ char *name = strdup(path);
    bool device = false;
    int fd = -1;
    if (!name)
        return error_memory(e);
    str_tame(name);
    int r = open_path(path, name, &fd, &device, e);
    if (r == 0)
        *ret = (struct image_early){.is_open = true, .fd = fd, .direct_fd = open_direct(fd)};
    return r;
}

void image_early_close(struct image_early *i)
{
    if (i->is_open) {
        fd_close(i->fd);
        fd_close(i->direct_fd);
    }
    *i = (struct image_early){.is_open = false};
}

static bool is_early(const struct image_source *source)
{
    return source->early && source->early->is_open;
}

static int duplicate(int fd)
{
    return fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 0);
}

static int open_source(const struct image_source *source, const char *name, int *ret_fd, bool *ret_device,
                       struct error *e)
{
    if (!is_early(source))
        return open_path(source->path, name, ret_fd, ret_device, e);
    _cleanup_close_ int fd = duplicate(source->early->fd);
    if (fd < 0)
        return error_set(e, errno, "image %s: cannot be opened once more: %m", name);
    int r = judge_kind(fd, name, ret_device, e);
    if (r == 0)
        *ret_fd = TAKE_FD(fd);
    return r;
}

/* Has it a key where it needs one? */
static int judge_key(const char *name, enum image_format format, const struct secret *key, struct error *e)
{
    if (format == IMAGE_LUKS && !key)
        return error_set(e, -EINVAL,
                         "image %s: cannot be used: it is encrypted; name its key by --image-key, or decrypt "
                         "it by qemu-img convert",
                         name);
    if (format != IMAGE_LUKS && key)
        return error_set(e, -EINVAL,
                         "image %s: cannot be used: it is not a qcow2 encrypted by LUKS, but a key was named "
                         "for it; leave that out if it is the right image",
                         name);
    return 0;
}

static int judge(struct image *i, int fd, const char *wanted, enum image_format *ret, struct error *e)
{
    uint8_t head[IMAGE_HEAD_BYTES], tail[IMAGE_TAIL_BYTES];
    struct image_ends ends = {.head = head, .tail = tail};
    off_t end = lseek(fd, 0, SEEK_END);
    if (end < 0)
        return error_set(e, errno, "image %s: its size cannot be found: %m", i->name);

    ends.file_bytes = (uint64_t)end;
    ends.head_bytes = ends.file_bytes < sizeof head ? (size_t)end : sizeof head;
    ends.tail_bytes = ends.file_bytes < sizeof tail ? (size_t)end : sizeof tail;
    int r = fd_pread_all(fd, head, ends.head_bytes, 0);
    if (r == 0)
        r = fd_pread_all(fd, tail, ends.tail_bytes, ends.file_bytes - ends.tail_bytes);
    if (r < 0)
        return error_set(e, r, "image %s: cannot be read: %s", i->name, strerrordesc_np(-r));
    r = image_format_detect(&ends, wanted, ret, e);
    if (r < 0)
        error_prefix(e, "image %s: cannot be used: ", i->name);
    else if (*ret == IMAGE_RAW && !wanted && !image_shows_disk(&ends))
        i->doubt = "no boot sector, partition table or file system that is known begins it; it is written as "
                   "it is, as a raw image";
    return r;
}

/* A listening socket and a connection to it, in a folder that only we could enter and that is gone again. */
static int make_connection(int *ret_listening, int *ret_ours, struct error *e)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char folder[sizeof address.sun_path];
    _cleanup_close_ int listening = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    _cleanup_close_ int ours = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (listening < 0 || ours < 0)
        return error_set(e, errno, "qemu-nbd: a socket for it cannot be made: %m");
    int r = fd_temporary_folder(folder, sizeof folder - 4);
    if (r < 0)
        return error_set(e, r, "qemu-nbd: a folder for its socket cannot be made in TMPDIR or /tmp: %s",
                         strerrordesc_np(-r));

    int length =
        snprintf(address.sun_path, sizeof address.sun_path, "%.*s/s", (int)sizeof folder - 4, folder);
    const struct sockaddr *a = (const struct sockaddr *)&address;
    r = length < 0 || bind(listening, a, sizeof address) < 0 || listen(listening, 1) < 0 ||
                connect(ours, a, sizeof address) < 0
            ? -errno
            : 0;
    unlink(address.sun_path);
    rmdir(folder);
    if (r < 0)
        return error_set(e, r, "qemu-nbd: a socket for it in %s cannot be made: %s", folder,
                         strerrordesc_np(-r));

    *ret_listening = TAKE_FD(listening);
    *ret_ours = TAKE_FD(ours);
    return 0;
}

bool image_stopped(const struct image *i)
{
    const struct image_progress *p = i->progress;
    return p && p->stopped && p->stopped(p->context);
}

static bool stopped(void *image)
{
    return image_stopped(image);
}

/* Does all that its tables lead to lie within the file? There is no limit to how long that takes: of an image
 * of terabytes the tables are hundreds of megabytes. qemu-nbd would serve what was cut off as zeros. Only
 * a part of the last cluster may be missing, as QEMU itself leaves it out where it was never written. */
static int check(const struct image *i, const struct qemu_view *v, struct error *e)
{
    const char *name = i->name;
    const char *cache = v->file.lent ? "none" : "writeback"; /* what is lent is asked for with O_DIRECT */
    const char *argv[] = {"qemu-img", "check", "-q", "-T", cache, v->key_option, v->options, NULL};
    char field[4096], status_text[64];
    _cleanup_(qemu_end) struct qemu q = QEMU_NONE;

    int r = qemu_start(v, argv, -1, &q, e);
    if (r < 0)
        return r;
    int status = qemu_wait_for(&q, stopped, (void *)i);
    if (status < 0)
        return error_set(e, status, "image %s: its check %s", name,
                         status == -ECANCELED ? "was stopped" : "failed");
    if (WIFEXITED(status) && (WEXITSTATUS(status) == CHECK_SOUND || WEXITSTATUS(status) == CHECK_LEAKS))
        return 0;
    if (WIFEXITED(status) && WEXITSTATUS(status) == CHECK_DAMAGED)
        return error_set(e, -EINVAL,
                         "image %.200s: is damaged or truncated: %.250s; fetch it again, or see qemu-img "
                         "check",
                         name, qemu_first_error(&q, field, sizeof field));
    const char *words = qemu_last_words(&q, field, sizeof field);
    if (strstr(words, "Invalid password"))
        return error_set(e, -EKEYREJECTED, "image %.200s: cannot be opened: this is not its key", name);
    return error_set(e, -EIO, "image %.200s: cannot be checked: qemu-img%s %.250s", name, *words ? ":" : "",
                     *words ? words : qemu_status_text(status, status_text, sizeof status_text));
}

static int start_server(struct image *i, const struct qemu_view *v, int *ret_connection, struct error *e)
{
    const char *access = v->file.writes ? "--discard=ignore" : "--read-only";
    const char *cache = v->file.lent ? "--cache=none" : "--cache=writeback";
    const char *argv[] = {"qemu-nbd", access, cache, "--shared=1", v->key_option, v->options, NULL};
    _cleanup_close_ int listening = -1;
    _cleanup_close_ int ours = -1;

    int r = make_connection(&listening, &ours, e);
    if (r == 0)
        r = qemu_start(v, argv, listening, &i->server, e);
    if (r < 0)
        return r;
    *ret_connection = TAKE_FD(ours);
    return 0;
}

static int connect_server(struct image *i, int connection, struct error *e)
{
    uint64_t limit_msec = clock_msec() + CONNECT_LIMIT_SEC * 1000;

    i->nbd = nbd_create();
    if (!i->nbd || nbd_add_meta_context(i->nbd, LIBNBD_CONTEXT_BASE_ALLOCATION) < 0) {
        fd_close(connection);
        return error_memory(e);
    }
    int r = nbd_aio_connect_socket(i->nbd, connection);
    if (r < 0)
        fd_close(connection); /* else it is libnbd's now */
    while (r >= 0 && nbd_aio_is_connecting(i->nbd) == 1) {
        if (image_stopped(i))
            return error_set(e, -ECANCELED, "image %s: stopped before it was open", i->name);
        qemu_lend(&i->server);
        r = clock_msec() < limit_msec ? nbd_poll(i->nbd, POLL_MSEC) : -1;
    }
    if (r < 0 || nbd_aio_is_ready(i->nbd) != 1)
        return image_failed(i, -EIO, "cannot be read", e);

    int64_t size = nbd_get_size(i->nbd);
    if (size <= 0)
        return image_failed(i, -EIO, "has no size", e);
    i->size_bytes = (uint64_t)size;
    return 0;
}

int image_new(const char *path, struct image **ret, struct error *e)
{
    _cleanup_image_ struct image *i = calloc(1, sizeof *i);
    if (!i)
        return error_memory(e);
    i->server = QEMU_NONE;
    i->fd = i->direct_fd = -1;
    i->name = strdup(path);
    if (!i->name)
        return error_memory(e);
    str_tame(i->name);
    *ret = TAKE_PTR(i);
    return 0;
}

int image_serve(struct image *i, const struct qemu_view *v, struct error *e)
{
    int connection = -1;
    int r = start_server(i, v, &connection, e);
    return r < 0 ? r : connect_server(i, connection, e);
}

static int check_and_serve(struct image *i, const struct qemu_file *file, struct error *e)
{
    _cleanup_(qemu_view_release) struct qemu_view view = {0};
    int r = qemu_view_make(file, &view, e);
    if (r == 0)
        r = check(i, &view, e);
    return r < 0 ? r : image_serve(i, &view, e);
}

static int take_raw(struct image *i, int fd, const struct image_early *early, struct error *e)
{
    i->fd = fd;
    off_t end = lseek(fd, 0, SEEK_END);
    int flags = fcntl(fd, F_GETFL);
    if (end < 0 || flags < 0 || fcntl(fd, F_SETFL, flags & ~O_NONBLOCK) < 0)
        return error_set(e, errno, "image %s: cannot be examined: %m", i->name);
    i->direct_fd = early ? duplicate(early->direct_fd) : open_direct(fd);
    i->file_bytes = (uint64_t)end;
    i->size_bytes = (i->file_bytes + SECTOR_BYTES - 1) / SECTOR_BYTES * SECTOR_BYTES;
    return 0;
}

int image_open(const struct image_source *source, struct image **ret, struct error *e)
{
    _cleanup_image_ struct image *i = NULL;
    _cleanup_close_ int fd = -1;
    bool device = false;
    enum image_format found = IMAGE_RAW;

    int r = image_new(source->path, &i, e);
    if (r == 0)
        r = open_source(source, i->name, &fd, &device, e);
    if (r == 0)
        r = judge(i, fd, source->format, &found, e);
    if (r == 0)
        r = judge_key(i->name, found, source->key, e);
    if (r < 0)
        return r;
    i->encrypted = found == IMAGE_LUKS;
    i->progress = source->progress;
    const struct qemu_file file = {
        .fd = fd, .format = found, .device = device, .lent = is_early(source), .key = source->key};
    r = found == IMAGE_RAW ? take_raw(i, TAKE_FD(fd), is_early(source) ? source->early : NULL, e)
                           : check_and_serve(i, &file, e);
    if (r < 0)
        return r;
    i->progress = NULL;
    *ret = TAKE_PTR(i);
    return 0;
}

uint64_t image_size_bytes(const struct image *i)
{
    return i->size_bytes;
}

const char *image_doubt(const struct image *i)
{
    return i->doubt;
}

int image_await(struct image *i, int64_t cookie, int errnum, const char *what, struct error *e)
{
    while (cookie >= 0) {
        int completed = nbd_aio_command_completed(i->nbd, (uint64_t)cookie);
        if (completed > 0)
            return 0;
        if (completed < 0 || nbd_poll(i->nbd, POLL_MSEC) < 0)
            break;
        if (image_stopped(i)) {
            nbd_close(i->nbd);
            i->nbd = NULL;
            return error_set(e, -ECANCELED, "image %s: stopped", i->name);
        }
    }
    return image_failed(i, errnum ? errnum : nbd_get_errno() == ENOSPC ? -ENOSPC : -EIO, what, e);
}

int image_failed(struct image *i, int errnum, const char *what, struct error *e)
{
    char field[4096], status[64] = "";
    const char *libnbd_words = nbd_get_error();
    if (i->server.pid > 0 &&
        (!i->nbd || nbd_aio_is_ready(i->nbd) != 1)) { /* the connection is gone: so is qemu-nbd */
        int s = qemu_wait(&i->server, END_LIMIT_MSEC);
        if (s >= 0)
            qemu_status_text(s, status, sizeof status);
    }
    const char *words = qemu_last_words(&i->server, field, sizeof field);
    if (*words)
        return error_set(e, errnum, "image %.200s: %s: qemu-nbd: %.250s", i->name, what, words);
    if (*status)
        return error_set(e, errnum, "image %.200s: %s: qemu-nbd %s", i->name, what, status);
    return error_set(e, errnum, "image %.200s: %s: %.250s", i->name, what,
                     libnbd_words ? libnbd_words : "qemu-nbd gives no answer");
}

int image_read_failed(struct image *i, int errnum, uint64_t at_bytes, struct error *e)
{
    char what[64];
    snprintf(what, sizeof what, "cannot be read at byte %" PRIu64, at_bytes);
    if (i->fd < 0)
        return image_failed(i, errnum, what, e);
    return error_set(e, errnum, "image %.200s: %s: %s", i->name, what, strerrordesc_np(-errnum));
}

int image_expect(struct image *i, const char *sha256, struct error *e)
{
    long size = 0;
    OPENSSL_free(i->sha256);
    i->sha256 = OPENSSL_hexstr2buf(sha256, &size);
    if (i->sha256 && size == IMAGE_SHA256_BYTES)
        return 0;
    return error_set(e, -EINVAL, "image %s: '%.80s' is no SHA-256, which has 64 hexadecimal digits", i->name,
                     sha256);
}

struct image *image_close(struct image *i)
{
    if (!i)
        return NULL;
    nbd_close(i->nbd); /* takes NULL */
    qemu_end(&i->server);
    fd_close(i->fd);
    fd_close(i->direct_fd);
    OPENSSL_free(i->sha256);
    free(i->name);
    free(i);
    return NULL;
}
