/* SPDX-License-Identifier: Apache-2.0 */
/* Opens an image. A raw one needs no parser: its file is read as it is. Any other is checked and served by
 * qemu-img and qemu-nbd (serve.c). */
#include "image/image.h"

#include "base/fd.h"
#include "base/str.h"
#include "image/image-internal.h"
#include "image/source.h"

#include <fcntl.h>
#include <inttypes.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <unistd.h>

#define SECTOR_BYTES 512

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

/* Checks the image first, since qemu-nbd would serve zeros for what is damaged. Closes the descriptor. */
static int check_and_serve(struct image *i, const struct source_file *f, const struct secret *key,
                           struct error *e)
{
    _cleanup_close_ int fd = f->fd;
    const struct qemu_file file = {
        .fd = fd, .format = f->format, .device = f->is_device, .lent = f->is_early, .key = key};
    _cleanup_(qemu_view_release) struct qemu_view view = {0};
    int r = qemu_view_make(&file, &view, e);
    if (r == 0)
        r = image_check(i, &view, e);
    return r < 0 ? r : image_serve(i, &view, e);
}

/* Takes over the descriptors, which image_close() closes. */
static int take_raw(struct image *i, const struct source_file *f, struct error *e)
{
    i->fd = f->fd;
    i->direct_fd = f->direct_fd;
    off_t end = lseek(i->fd, 0, SEEK_END);
    int flags = fcntl(i->fd, F_GETFL);
    if (end < 0 || flags < 0 || fcntl(i->fd, F_SETFL, flags & ~O_NONBLOCK) < 0)
        return error_set(e, errno, "image %s: cannot be examined: %m", i->name);
    i->file_bytes = (uint64_t)end;
    i->size_bytes = (i->file_bytes + SECTOR_BYTES - 1) / SECTOR_BYTES * SECTOR_BYTES;
    return 0;
}

int image_open(const struct image_source *source, struct image **ret, struct error *e)
{
    _cleanup_image_ struct image *i = NULL;
    struct source_file f;
    int r = image_new(source->path, &i, e);
    if (r == 0)
        r = source_open(source, i->name, &f, e);
    if (r < 0)
        return r;
    i->doubt = f.doubt;
    i->encrypted = f.format == IMAGE_LUKS;
    i->progress = source->progress;
    r = f.format == IMAGE_RAW ? take_raw(i, &f, e) : check_and_serve(i, &f, source->key, e);
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
    return error_set(e, -EINVAL, "image %s: '%.80s' is not a SHA-256, which has 64 hexadecimal digits",
                     i->name, sha256);
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
