/* SPDX-License-Identifier: Apache-2.0 */
/* Makes a qcow2 of a device: qemu-img makes it empty, qemu-nbd writes to it, both in the sandbox (qemu.h). Or
 * gives it away byte for byte.
 *
 *     disk -> pread, O_DIRECT -> one locked buffer, its cipher if any -> runs of clusters that are not zeros
 * -> qemu-nbd
 *                                                                   -> all of it -> a descriptor of the
 * caller's
 *
 * The device is a snapshot, which becomes worthless once its room is used up, and then gives no byte any
 * more. What was read by then may have been wrong already, so at the end a byte is read again: if that can be
 * had, all before it was right.
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
#define CLUSTER_BYTES  (UINT64_C(64) << 10) /* of a qcow2, as qemu-img makes it */
#define STOP_POLL_MSEC 100

struct export
{
    struct image *image; /* that is written */
    const struct opened *disk;
    uint64_t size_bytes;
    struct image_memory memory;
    uint8_t *block; /* EXPORT_BYTES of it, plaintext of the guest */
    int output_fd;  /* all goes there as it is; -1: to the image */
};

/* ------------------------------------------------------------------- making */

/* Stated rather than left to the defaults of a version. The key has all the entropy that there can be, so
 * that stretching it (iter-time, in ms) would only cost time. */
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

/* What is not zeros of the block that begins at byte `at` of the image. */
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

/* Whoever reads may take their time, and may be gone; stops are heeded all the while. */
static int give_block(struct export *x, size_t bytes, struct error *e)
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
                             x->image->name, errno == EPIPE ? "nobody reads it any more" : strerror(errno));
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
            r = x->output_fd < 0 ? write_block(x, at, bytes, e) : give_block(x, bytes, e);
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

/* qemu-nbd writes the tables of the image when the connection ends, and ends itself. */
static int finish(struct export *x, int file_fd, struct error *e)
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

/* ---------------------------------------------------------------- the whole */

static void release(struct export *x)
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
    (void)!fcntl(x->disk->fd, F_SETFL, flags | O_DIRECT); /* not for what tests take for a device */
    return 0;
}

/* A new export of the device, with its buffer. */
static int begin(struct export *x, const char *name, const struct image_progress *progress, struct error *e)
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
    _cleanup_(release) struct export x = {.disk = disk, .output_fd = output_fd};
    int flags = fcntl(output_fd, F_GETFL);
    int r = begin(&x, name, progress, e);
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
    _cleanup_(release) struct export x = {.disk = disk, .output_fd = -1};
    _cleanup_(qemu_view_release) struct qemu_view view = {0};
    const struct qemu_file file = {
        .fd = file_fd, .format = key ? IMAGE_LUKS : IMAGE_QCOW2, .writes = true, .key = key};

    int r = begin(&x, name, progress, e);
    if (r == 0)
        r = qemu_view_make(&file, &view, e);
    if (r == 0)
        r = qemu_create(&view, "qcow2", key ? LUKS_OPTIONS : "compat=1.1", x.image->name, x.size_bytes, e);
    if (r == 0)
        r = image_serve(x.image, &view, e);
    if (r == 0)
        r = copy_all(&x, progress, e);
    return r < 0 ? r : finish(&x, file_fd, e);
}
