/* SPDX-License-Identifier: Apache-2.0 */
/* What image.c, import.c, holes.c and export.c (and their tests) share. */
#pragma once

#include "image/image.h"
#include "image/qemu.h"

#include <libnbd.h>

struct image {
    char *name;             /* its path, fit for a sentence: no control characters */
    uint64_t size_bytes;    /* what a guest sees; whole sectors of 512 bytes */
    struct nbd_handle *nbd; /* the only connection to the qemu-nbd below; NULL: it is raw, or that was cut */
    struct qemu server;     /* that qemu-nbd */

    /* A raw image, which needs no parser: the file, as it is and without the page cache. -1: none. */
    int fd, direct_fd;
    uint64_t file_bytes;

    uint8_t *sha256; /* of its contents, as expected; NULL: they may be any */
    bool encrypted;  /* what comes out of it, or goes in, is plaintext of something that is not */
    const char *doubt;
    const struct image_progress *progress; /* asked whether to stop; may be NULL */
};

/* Does its user want to stop? */
bool image_stopped(const struct image *i);

int image_new(const char *path, struct image **ret, struct error *e) _must_check_;

/* Starts its qemu-nbd (which writes if v->file.writes), connects, asks for the size. */
int image_serve(struct image *i, const struct qemu_view *v, struct error *e) _must_check_;

/* The error for a connection that failed: what qemu-nbd last said, or how it ended, or else libnbd's reason.
 * `what`: "cannot be read at byte 4096". */
int image_failed(struct image *i, int errnum, const char *what, struct error *e);

/* Waits for an asynchronous command of libnbd (a negative cookie: it could not be sent), or until the user
 * wants to stop: then the connection is closed, since the command may have buffers of ours. */
int image_await(struct image *i, int64_t cookie, int errnum, const char *what, struct error *e) _must_check_;

/* Memory for an image's contents. `locked`: into RAM, in no core dump, not for children, wiped at the end.
 * -EPERM: it cannot be locked. */
struct image_memory {
    uint8_t *data;
    size_t bytes;
    bool locked;
};
int image_memory_new(struct image_memory *m, size_t bytes, bool locked, const char *name,
                     struct error *e) _must_check_;
void image_memory_free(struct image_memory *m);

/* Where there is something to read, by blocks, in one window of the image after the other. */
#define BLOCK_BYTES   (UINT64_C(256) << 10)
#define WINDOW_BLOCKS 4096 /* 1 GiB: what one question about holes covers */

struct holes {
    uint64_t window_bytes; /* where it begins */
    bool data[WINDOW_BLOCKS];
};

/* Fills `h` for the window that begins at `at_bytes`, a multiple of its size. What cannot be told is data. */
int holes_look(struct image *i, uint64_t at_bytes, struct holes *h, struct error *e) _must_check_;

/* How far from byte `at_bytes`, the begin of a block, it is all zeros: whole blocks, or up to the end of the
 * image, and not beyond the window. 0: that block has data. */
uint64_t holes_zeros(const struct image *i, const struct holes *h, uint64_t at_bytes);

/* "cannot be read at byte 4096", of either kind of image. */
int image_read_failed(struct image *i, int errnum, uint64_t at_bytes, struct error *e);
