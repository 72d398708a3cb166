/* SPDX-License-Identifier: Apache-2.0 */
/* Exports a disk to a qcow2, which qemu-img makes and qemu-nbd writes to, both in the sandbox (qemu.h). Or
 * streams the disk, byte for byte, to a descriptor.
 *
 *     disk --pread, O_DIRECT--> locked buffer --clusters that are not zeros--> qemu-nbd
 *                                             --all bytes--> the caller's descriptor
 *
 * The disk is an LVM snapshot. If its room is used up it becomes invalid, and no read of it succeeds any
 * more; what was read shortly before may be wrong. So the first bytes are read again at the end: if that
 * succeeds, all reads before were right.
 */
#include "base/str.h"
#include "image/image-internal.h"

#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define EXPORT_BYTES   (UINT64_C(1) << 20)
#define CLUSTER_BYTES  (UINT64_C(64) << 10) /* cluster of a qcow2, as qemu-img makes it */
#define STOP_POLL_MSEC 100

struct export
{
    struct image *image; /* the image that is written; for a stream, only the name and the stops */
    const struct opened *disk;
    uint64_t size_bytes;
    struct image_memory memory;
    uint8_t *block; /* EXPORT_BYTES of plaintext */
    int output_fd;  /* descriptor of a stream; -1: the image is written */
};

/* ------------------------------------------------------------------- making */

/* Options of LUKS, stated so that they do not depend on the version of QEMU. The key is random, so stretching
 * it (iter-time, in ms) would only cost time. */
#define LUKS_OPTIONS                                                                                         \
    "compat=1.1,encrypt.format=luks,encrypt.key-secret=key,encrypt.cipher-alg=aes-256,encrypt.cipher-mode="  \
    "xts,"                                                                                                   \
    "encrypt.ivgen-alg=plain64,encrypt.hash-alg=sha256,encrypt.iter-time=10"

/* ------------------------------------------------------------------ copying */

static int read_block(struct export *x, uint64_t at, size_t bytes, struct error *e)
{
    int r = opened_pread(x->disk, x->block, bytes, at);
    if (r < 0)
        return error_set(e, r, "image %.200s: the snapshot cannot be read at byte %" PRIu64 ": %s",
                         x->image->name, at, strerrordesc_np(-r));
    return 0;
}

static bool is_zeros(const uint8_t *data, size_t bytes)
{
    return data[0] == 0 && memcmp(data, data + 1, bytes - 1) == 0;
}

static size_t cluster_at(size_t at, size_t bytes)
{
    return bytes - at < CLUSTER_BYTES ? bytes - at : CLUSTER_BYTES;
}

static int write_run(struct export *x, uint64_t at, size_t from, size_t to, struct error *e)
{
    char what[64];
    if (to == from)
        return 0;
    snprintf(what, sizeof what, "cannot be written at byte %" PRIu64, at + from);
    int64_t cookie =
        nbd_aio_pwrite(x->image->nbd, x->block + from, to - from, at + from, NBD_NULL_COMPLETION, 0);
    return image_await(x->image, cookie, 0, what, e);
}

/* Writes the clusters of this block that are not zeros. `at` is its offset in the image. */
static int write_block(struct export *x, uint64_t at, size_t bytes, struct error *e)
{
    size_t from = 0;
    int r = 0;
    for (size_t to = 0; r == 0 && to < bytes; to += cluster_at(to, bytes)) {
        if (!is_zeros(x->block + to, cluster_at(to, bytes)))
            continue;
        r = write_run(x, at, from, to, e);
        from = to + cluster_at(to, bytes);
    }
    return r < 0 ? r : write_run(x, at, from, bytes, e);
}

/* Writes a block to the stream. A slow reader is waited for, unless the user wants to stop. */
static int stream_block(struct export *x, size_t bytes, struct error *e)
{
    struct pollfd ready = {.fd = x->output_fd, .events = POLLOUT};
    for (size_t done = 0; done < bytes;) {
        if (image_stopped(x->image))
            return error_set(e, -ECANCELED, "image %.200s: stopped", x->image->name);
        ssize_t n = write(x->output_fd, x->block + done, bytes - done);
        if (n >= 0)
            done += (size_t)n;
        else if (errno == EAGAIN)
            (void)!poll(&ready, 1, STOP_POLL_MSEC);
        else if (errno != EINTR)
            return error_set(e, errno == EPIPE ? -EIO : -errno, "image %.200s: cannot be written: %s",
                             x->image->name, errno == EPIPE ? "its reader is gone" : strerror(errno));
    }
    return 0;
}

static int copy_all(struct export *x, const struct image_progress *p, struct error *e)
{
    for (uint64_t at = 0; at < x->size_bytes; at += EXPORT_BYTES) {
        uint64_t left = x->size_bytes - at;
        size_t bytes = (size_t)(left < EXPORT_BYTES ? left : EXPORT_BYTES);
        if (image_stopped(x->image))
            return error_set(e, -ECANCELED, "image %.200s: stopped at byte %" PRIu64, x->image->name, at);
        int r = read_block(x, at, bytes, e);
        if (r == 0)
            r = x->output_fd < 0 ? write_block(x, at, bytes, e) : stream_block(x, bytes, e);
        if (r < 0)
            return r;
        if (p && p->update)
            p->update(p->context, at + bytes, x->size_bytes);
    }
    return read_block(x, 0, x->size_bytes < CLUSTER_BYTES ? x->size_bytes : CLUSTER_BYTES, e);
}

static bool stopped(void *image)
{
    return image_stopped(image);
}

/* Ends the connection. qemu-nbd then writes the tables of the image, and ends. */
static int finish_image(struct export *x, int file_fd, struct error *e)
{
    struct image *i = x->image;
    int r = image_await(i, nbd_aio_flush(i->nbd, NBD_NULL_COMPLETION, 0), 0, "cannot be written", e);
    if (r < 0)
        return r;
    if (nbd_shutdown(i->nbd, 0) < 0)
        return image_failed(i, -EIO, "cannot be written", e);
    int status = qemu_wait_for(&i->server, stopped, i);
    if (status == -ECANCELED)
        return error_set(e, status, "image %.200s: stopped while its last tables were written", i->name);
    if (status != 0) {
        char text[64];
        return error_set(e, status < 0 ? status : -EIO, "image %.200s: cannot be written: qemu-nbd %s",
                         i->name, status < 0 ? "does not end" : qemu_status_text(status, text, sizeof text));
    }
    return fsync(file_fd) < 0 ? error_set(e, errno, "image %.200s: cannot be synced: %m", i->name) : 0;
}

/* --------------------------------------------------------- the whole export */

static void export_end(struct export *x)
{
    image_close(x->image);
    image_memory_free(&x->memory);
}

static int take_device(struct export *x, struct error *e)
{
    int flags = fcntl(x->disk->fd, F_GETFL);
    int r = flags < 0 ? -errno : opened_size(x->disk, &x->size_bytes);
    if (r < 0 || x->size_bytes == 0)
        return error_set(e, r < 0 ? r : -EINVAL, "image %.200s: the size of the snapshot cannot be found",
                         x->image->name);
    (void)!fcntl(x->disk->fd, F_SETFL, flags | O_DIRECT); /* some files of tests cannot have O_DIRECT */
    return 0;
}

/* Takes the disk, and makes the buffer. */
static int export_begin(struct export *x, const char *name, const struct image_progress *progress,
                        struct error *e)
{
    int r = image_new(name, &x->image, e);
    if (r < 0)
        return r;
    x->image->progress = progress;
    r = take_device(x, e);
    if (r == 0)
        r = image_memory_new(&x->memory, EXPORT_BYTES, true, x->image->name, e);
    x->block = x->memory.data;
    return r;
}

int image_stream(const struct opened *disk, int output_fd, const char *name,
                 const struct image_progress *progress, struct error *e)
{
    _cleanup_(export_end) struct export x = {.disk = disk, .output_fd = output_fd};
    int flags = fcntl(output_fd, F_GETFL);
    int r = export_begin(&x, name, progress, e);
    if (r == 0 && (flags < 0 || fcntl(output_fd, F_SETFL, flags | O_NONBLOCK) < 0))
        r = error_set(e, errno, "image %.200s: cannot be written: %m", x.image->name);
    if (r < 0)
        return r;
    r = copy_all(&x, progress, e);
    (void)!fcntl(output_fd, F_SETFL, flags);
    return r;
}

int image_export(const struct opened *disk, int file_fd, const char *name, const struct secret *key,
                 const struct image_progress *progress, struct error *e)
{
    _cleanup_(export_end) struct export x = {.disk = disk, .output_fd = -1};
    _cleanup_(qemu_view_release) struct qemu_view view = {0};
    const struct qemu_file file = {
        .fd = file_fd, .format = key ? IMAGE_LUKS : IMAGE_QCOW2, .writes = true, .key = key};

    int r = export_begin(&x, name, progress, e);
    if (r == 0)
        r = qemu_view_make(&file, &view, e);
    if (r == 0)
        r = qemu_create(&view, "qcow2", key ? LUKS_OPTIONS : "compat=1.1", x.image->name, x.size_bytes, e);
    if (r == 0)
        r = image_serve(x.image, &view, e);
    if (r == 0)
        r = copy_all(&x, progress, e);
    return r < 0 ? r : finish_image(&x, file_fd, e);
}
