/* SPDX-License-Identifier: Apache-2.0 */
/* See nbd.h. The cache is off and the kernel's asynchronous I/O is used, as for the disks of a fast VM. The
 * LUKS header is made in a file and copied, since qemu-img opens its output by name.
 */
#include "bench/nbd.h"

#include "base/fd.h"
#include "bench/bench.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define CONNECTIONS      8
#define PASSPHRASE_BYTES 32
#define PAYLOAD_BYTES    (1 << 20) /* size of the payload of the file that the header is taken from */

/* The defaults of QEMU, but without stretching of the key, which is random. */
#define LUKS_OPTIONS                                                                                         \
    "key-secret=key,cipher-alg=aes-256,cipher-mode=xts,ivgen-alg=plain64,hash-alg=sha256,iter-time=10"

/* Copies the header, which is all before the payload, from the file to the device. */
static int copy_header(int file, int fd, struct error *e)
{
    struct stat st;
    if (fstat(file, &st) < 0)
        return error_set(e, errno, "qemu-img: its LUKS header cannot be read: %m");
    uint64_t bytes = (uint64_t)st.st_size - PAYLOAD_BYTES;
    if (st.st_size <= PAYLOAD_BYTES || bytes > BENCH_EDGE_BYTES)
        return error_set(e, -EPROTO, "qemu-img: made a LUKS header of an unexpected size");
    void *header = mmap(NULL, bytes, PROT_READ, MAP_SHARED, file, 0);
    if (header == MAP_FAILED)
        return error_set(e, errno, "qemu-img: its LUKS header cannot be read: %m");
    int r = fd_pwrite_all(fd, header, bytes, 0);
    munmap(header, bytes);
    return r < 0 ? error_set(e, r, "bench: a LUKS header cannot be written: %s", strerrordesc_np(-r)) : 0;
}

/* Makes a file without a name. Does not use O_TMPFILE, which overlays of containers do not have. */
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
        r = qemu_listen("qemu-nbd", CONNECTIONS, &listening, &ret->socket, e);
    if (r < 0)
        return r;
    char shared[24];
    snprintf(shared, sizeof shared, "--shared=%d", CONNECTIONS);
    const char *argv[] = {"qemu-nbd",         "--cache=none", "--aio=native",
                          "--discard=ignore", shared,         "--persistent",
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
