/* SPDX-License-Identifier: Apache-2.0 */
/* See served.h. */
#include "served.h"

#include "base/fd.h"
#include "bench/front-end.h"
#include "disks/keeper.h"
#include "disks/sandbox.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static struct sockaddr_un address_of(const struct served *s)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    snprintf(a.sun_path, sizeof a.sun_path, "%s/socket", s->folder);
    return a;
}

static void listen_on(struct served *s)
{
    struct sockaddr_un a = address_of(s);
    s->disk.listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (bind(s->disk.listen_fd, (struct sockaddr *)&a, sizeof a) < 0 || listen(s->disk.listen_fd, 4) < 0)
        abort();
}

static void make_file(struct served *s, const struct served_options *o)
{
    char path[128];
    snprintf(path, sizeof path, "%s/mayfly-served-%d", o->folder ? o->folder : s->folder, (int)getpid());
    s->fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    s->disk.fd = open(path, (o->read_only ? O_RDONLY : O_RDWR) | O_DIRECT | O_CLOEXEC);
    if (s->fd < 0 || s->disk.fd < 0 || ftruncate(s->fd, (off_t)o->size_bytes) < 0)
        abort();
    unlink(path);
}

_noreturn_ static void keep(struct served *s)
{
    struct error e = ERROR_NONE;
    prctl(PR_SET_PDEATHSIG, SIGTERM); /* a test that fails leaves nobody behind */
    int r = sandbox_keeper(&e);
    if (r == 0)
        r = keeper_run(&s->disk, 1, &(struct tenure){.state_fd = -1, .opener_fd = -1}, -1, &e);
    if (r < 0)
        fprintf(stderr, "%s\n", e.text);
    _exit(r < 0);
}

/* A keeper has taken the key before it starts a worker. */
static void await_worker(const struct served *s)
{
    while (served_worker(s) == 0) {
        if (waitpid(s->keeper, NULL, WNOHANG) != 0) {
            fprintf(stderr, "the keeper has ended before it had a worker\n");
            abort();
        }
        usleep(1000);
    }
}

void served_start(struct served *s, const struct served_options *o)
{
    struct secret_handover *handover = NULL;
    memset(s, 0, sizeof *s);
    s->disk = (struct disk){.id = "served",
                            .key_fd = -1,
                            .key_bytes = 64,
                            .sector_bytes = o->sector_bytes,
                            .read_only = o->read_only,
                            .discard = o->discard,
                            .queues = o->queues,
                            .poll_usec = o->poll_usec};
    if (fd_temporary_folder(s->folder, sizeof s->folder) < 0)
        abort();
    listen_on(s);
    make_file(s, o);
    if (!o->plain) {
        if (secret_random(64, &s->key, NULL) < 0 || secret_handover(s->key, &handover, NULL) < 0)
            abort();
        s->disk.key_fd = fcntl(secret_handover_fd(handover), F_DUPFD_CLOEXEC, 3);
    }
    if (disk_lock(&s->disk, NULL) < 0 || disk_look(&s->disk, NULL) < 0)
        abort();
    s->keeper = fork();
    if (s->keeper == 0)
        keep(s);
    fd_close(s->disk.listen_fd);
    await_worker(s);
    secret_handover_end(handover);
}

int served_connect(const struct served *s)
{
    const struct sockaddr_un a = address_of(s);
    int fd = front_connect(a.sun_path, 30); /* a test that fails does not hang the next one */
    if (fd < 0)
        abort();
    return fd;
}

pid_t served_worker(const struct served *s)
{
    char path[64], text[32] = "";
    snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)s->keeper, (int)s->keeper);
    file_line(path, text, sizeof text);
    return atoi(text);
}

int served_stop(struct served *s)
{
    int status = -1;
    struct sockaddr_un a = address_of(s);
    kill(s->keeper, SIGTERM);
    waitpid(s->keeper, &status, 0);
    unlink(a.sun_path);
    rmdir(s->folder);
    fd_close(s->fd);
    fd_close(s->disk.fd);
    fd_close(s->disk.key_fd);
    s->key = secret_free(s->key);
    return status;
}

void served_read(const struct served *s, uint64_t offset_bytes, uint8_t *plain, size_t bytes)
{
    if (pread(s->fd, plain, bytes, (off_t)offset_bytes) != (ssize_t)bytes)
        abort();
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    int n = 0;
    for (size_t at = 0; s->key && at < bytes; at += s->disk.sector_bytes) {
        uint64_t tweak[2] = {(offset_bytes + at) / s->disk.sector_bytes, 0};
        if (EVP_DecryptInit_ex(context, EVP_aes_256_xts(), NULL, secret_peek(s->key), (uint8_t *)tweak) <=
                0 ||
            EVP_DecryptUpdate(context, plain + at, &n, plain + at, (int)s->disk.sector_bytes) <= 0)
            abort();
    }
    EVP_CIPHER_CTX_free(context);
}
