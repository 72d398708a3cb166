/* SPDX-License-Identifier: Apache-2.0 */
/* See nbd.h. The cache is off and the kernel's asynchronous I/O is used, as for the disks of a fast VM. The
 * LUKS header is made in a file without a name and copied, since qemu-img opens its output by name.
 */
#include "bench/nbd.h"

#include "base/fd.h"
#include "bench/bench.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define PASSPHRASE_BYTES 32
#define PAYLOAD_BYTES    (1 << 20) /* of the file that the header is taken from */

/* QEMU's defaults, stated, except for the stretching of the key, which is random already. */
#define LUKS_OPTIONS                                                                                         \
    "key-secret=key,cipher-alg=aes-256,cipher-mode=xts,ivgen-alg=plain64,hash-alg=sha256,iter-time=10"

/* Copies what is before the payload from the file to the device, in whole blocks. */
static int copy_header(int file, int fd, struct error *e)
{
    struct stat st;
    if (fstat(file, &st) < 0)
        return error_set(e, errno, "qemu-img: its LUKS header is not to be had: %m");
    uint64_t bytes = (uint64_t)st.st_size - PAYLOAD_BYTES;
    if (st.st_size <= PAYLOAD_BYTES || bytes > BENCH_EDGE_BYTES)
        return error_set(e, -EPROTO, "qemu-img: made a LUKS header that is not understood");
    void *header = mmap(NULL, bytes, PROT_READ, MAP_SHARED, file, 0);
    if (header == MAP_FAILED)
        return error_set(e, errno, "qemu-img: its LUKS header is not to be had: %m");
    int r = fd_pwrite_all(fd, header, bytes, 0);
    munmap(header, bytes);
    return r < 0 ? error_set(e, r, "bench: a LUKS header cannot be written: %s", strerrordesc_np(-r)) : 0;
}

/* A file without a name. Not by O_TMPFILE, which the overlays of containers do not have. */
static int make_file(int *ret_fd, struct error *e)
{
    char folder[PATH_MAX - 4], name[PATH_MAX];
    int r = fd_temporary_folder(folder, sizeof folder);
    if (r < 0)
        return error_set(e, r, "qemu-img: a file for its LUKS header cannot be made in TMPDIR or /tmp: %s",
                         strerrordesc_np(-r));
    snprintf(name, sizeof name, "%s/f", folder);
    int fd = open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    r = fd < 0 ? error_set(e, errno, "%s: a file for a LUKS header cannot be made: %m", name) : 0;
    unlink(name);
    rmdir(folder);
    if (r == 0)
        *ret_fd = fd;
    return r;
}

static int format(int fd, const struct secret *key, struct error *e)
{
    _cleanup_close_ int file = -1;
    _cleanup_(qemu_view_release) struct qemu_view view = {.sandbox = NULL};
    int r = make_file(&file, e);
    if (r < 0)
        return r;
    r = qemu_view_make(&(struct qemu_file){.fd = file, .format = IMAGE_LUKS_BARE, .writes = true, .key = key},
                       &view, e);
    if (r == 0)
        r = qemu_create(&view, "luks", LUKS_OPTIONS, "for bench", PAYLOAD_BYTES, e);
    return r < 0 ? r : copy_header(file, fd, e);
}

/* A listening socket, and a descriptor through whose name in /proc one connects to it. Its own name is
 * removed at once, so that nothing is left behind if we die. */
static int make_socket(int *ret_listening, int *ret_path, struct error *e)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char folder[sizeof address.sun_path - 4];
    _cleanup_close_ int listening = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int r = listening < 0 ? -errno : fd_temporary_folder(folder, sizeof folder);
    if (r < 0)
        return error_set(e, r, "qemu-nbd: a socket for it cannot be made in TMPDIR or /tmp: %s",
                         strerrordesc_np(-r));
    snprintf(address.sun_path, sizeof address.sun_path, "%s/s", folder);
    r = bind(listening, (const struct sockaddr *)&address, sizeof address) < 0 || listen(listening, 8) < 0
            ? -errno
            : 0;
    int path = r == 0 ? open(address.sun_path, O_PATH | O_CLOEXEC) : -1;
    if (r == 0 && path < 0)
        r = -errno;
    unlink(address.sun_path);
    rmdir(folder);
    if (r < 0)
        return error_set(e, r, "qemu-nbd: a socket for it cannot be made: %s", strerrordesc_np(-r));
    *ret_listening = TAKE_FD(listening);
    *ret_path = path;
    return 0;
}

static int serve(int fd, const struct secret *key, struct nbd_server *ret, struct error *e)
{
    _cleanup_close_ int listening = -1;
    _cleanup_(qemu_view_release) struct qemu_view view = {.sandbox = NULL};
    int r = qemu_view_make(&(struct qemu_file){.fd = fd,
                                               .format = key ? IMAGE_LUKS_BARE : IMAGE_RAW,
                                               .device = true,
                                               .writes = true,
                                               .lent = true,
                                               .key = key},
                           &view, e);
    if (r == 0)
        r = make_socket(&listening, &ret->socket, e);
    if (r < 0)
        return r;
    const char *argv[] = {"qemu-nbd",         "--cache=none", "--aio=native",
                          "--discard=ignore", "--shared=8",   "--persistent",
                          view.key_option,    view.options,   NULL};
    return qemu_start(&view, argv, listening, &ret->program, e);
}

int nbd_server_start(int fd, bool luks, struct nbd_server *ret, struct error *e)
{
    _cleanup_secret_ struct secret *key = NULL;
    int r = luks ? secret_random(PASSPHRASE_BYTES, &key, e) : 0;
    if (r == 0 && luks)
        r = format(fd, key, e);
    return r < 0 ? r : serve(fd, key, ret, e);
}

void nbd_server_explain(struct nbd_server *s, struct error *e)
{
    char field[4096];
    const char *words = s->program.words < 0 ? "" : qemu_last_words(&s->program, field, sizeof field);
    if (*words)
        error_append(e, " (qemu-nbd: %.300s)", words);
}

void nbd_server_end(struct nbd_server *s)
{
    qemu_end(&s->program);
    s->socket = fd_close(s->socket);
}
