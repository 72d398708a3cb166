/* SPDX-License-Identifier: Apache-2.0 */
/* See keeper.h. */
#include "image/keeper-internal.h"

#include "base/fd.h"
#include "base/packet.h"
#include "base/process.h"
#include "base/str.h"
#include "image/file.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define END_LIMIT_MSEC 2000

/* -------------------------------------------------------------- the process */

static int make_file(const char *path, uid_t writer, struct image_file **file, struct error *e)
{
    if (*file)
        return error_set(e, -EINVAL, "file %.200s: cannot be made: this process has made a file already",
                         path);
    int r = image_file_new(path, file, e);
    if (r == 0 && fchown(image_file_fd(*file), writer, (gid_t)-1) < 0) {
        r = error_set(e, errno, "file %.200s: cannot change its owner: %m", path);
        *file = image_file_free(*file);
    }
    return r;
}

static int name_file(struct image_file *file, struct error *e)
{
    if (fchown(image_file_fd(file), geteuid(), (gid_t)-1) < 0)
        return error_set(e, errno, "the file: cannot change its owner back: %m");
    return image_file_link(file, e);
}

static int answer_one(const struct keeper_question *q, uid_t writer, struct image_file **file,
                      struct error *e)
{
    if (q->task == KEEPER_NEW)
        return make_file(q->path, writer, file, e);
    if (!*file)
        return error_set(e, -EINVAL, "the file: was not made");
    return q->task == KEEPER_LINK ? name_file(*file, e) : image_file_unlink(*file, e);
}

static _noreturn_ void answer_questions(int socket, uid_t writer)
{
    _cleanup_image_file_ struct image_file *file = NULL;
    struct keeper_question q;
    size_t size;
    int fd = -1;
    setsid(); /* Ctrl-C is for mayfly alone, which asks this process to undo */
    while (packet_receive(socket, &q, sizeof q, &size, &fd) == 0 && size == sizeof q) {
        struct error e = ERROR_NONE;
        fd_close(fd);
        q.path[sizeof q.path - 1] = '\0';
        struct keeper_answer a = {.result = answer_one(&q, writer, &file, &e), .parts = e.parts};
        memcpy(a.text, e.text, sizeof a.text);
        bool made = q.task == KEEPER_NEW && a.result == 0;
        if (packet_send(socket, &a, sizeof a, made ? image_file_fd(file) : -1) < 0)
            break;
    }
    file = image_file_free(file);
    _exit(0);
}

/* --------------------------------------------------------- the caller's end */

int image_keeper_start(uid_t writer, struct image_keeper **ret, struct error *e)
{
    int ends[2];
    _cleanup_image_keeper_ struct image_keeper *k = calloc(1, sizeof *k);
    if (!k)
        return error_memory(e);
    k->pid = -1;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0) {
        k->socket = -1;
        return error_set(e, errno, "a process for the file cannot be started: %m");
    }
    k->socket = ends[0];
    _cleanup_close_ int theirs = ends[1];
    k->pid = fork();
    if (k->pid < 0)
        return error_set(e, errno, "a process for the file cannot be started: %m");
    if (k->pid == 0) {
        close(ends[0]); /* else the process would not notice our end */
        answer_questions(theirs, writer);
    }
    *ret = TAKE_PTR(k);
    return 0;
}

struct image_keeper *image_keeper_end(struct image_keeper *k)
{
    if (k) {
        fd_close(k->socket);
        if (k->pid > 0)
            process_wait(k->pid, END_LIMIT_MSEC);
        free(k);
    }
    return NULL;
}
