/* SPDX-License-Identifier: Apache-2.0 */
/* An image that is not raw is checked as a whole by qemu-img, then served by a qemu-nbd of our own (qemu.h).
 * That qemu-nbd serves one connection, which exists before qemu-nbd does, and ends with it. Nobody else can
 * connect, since the name of the socket is gone by then.
 *
 *     mayfly: connected socket  <---- unix ---->  listening socket: qemu-nbd, in the sandbox
 */
#include "base/clock.h"
#include "base/fd.h"
#include "image/image-internal.h"

#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#define CONNECT_LIMIT_SEC 300
#define POLL_MSEC         200 /* how often the user is asked whether to stop */
#define END_LIMIT_MSEC    2000

enum { CHECK_SOUND = 0, CHECK_DAMAGED = 2, CHECK_LEAKS = 3 }; /* how qemu-img check exits */

bool image_stopped(const struct image *i)
{
    const struct image_progress *p = i->progress;
    return p && p->stopped && p->stopped(p->context);
}

/* ----------------------------------------------------------------- checking */

static bool stopped(void *image)
{
    return image_stopped(image);
}

/* Checks that the tables of the image lead to nothing beyond the end of its file, where qemu-nbd would serve
 * zeros. Only a part of the last cluster may be missing: QEMU leaves it out if it was never written. There is
 * no limit to how long that takes, since an image of terabytes has hundreds of megabytes of tables. */
int image_check(const struct image *i, const struct qemu_view *v, struct error *e)
{
    const char *name = i->name;
    const char *cache = v->file.lent ? "none" : "writeback"; /* a lent descriptor is opened with O_DIRECT */
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

/* ------------------------------------------------------------------ serving */

/* Makes a listening socket, and one that is connected to it. */
static int make_connection(int *ret_listening, int *ret_ours, struct error *e)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    _cleanup_close_ int listening = -1;
    _cleanup_close_ int name_fd = -1;
    _cleanup_close_ int ours = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (ours < 0)
        return error_set(e, errno, "qemu-nbd: a socket for it cannot be made: %m");
    int r = qemu_listen("qemu-nbd", 1, &listening, &name_fd, e);
    if (r < 0)
        return r;
    snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d", name_fd);
    if (connect(ours, (const struct sockaddr *)&address, sizeof address) < 0)
        return error_set(e, errno, "qemu-nbd: its socket cannot be connected to: %m");
    *ret_listening = TAKE_FD(listening);
    *ret_ours = TAKE_FD(ours);
    return 0;
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
        fd_close(connection); /* after success libnbd owns it */
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

int image_serve(struct image *i, const struct qemu_view *v, struct error *e)
{
    int connection = -1;
    int r = start_server(i, v, &connection, e);
    return r < 0 ? r : connect_server(i, connection, e);
}

/* ------------------------------------------------------ waiting, and failures */

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
        (!i->nbd || nbd_aio_is_ready(i->nbd) != 1)) { /* qemu-nbd ends with its connection */
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
                     libnbd_words ? libnbd_words : "qemu-nbd does not answer");
}
