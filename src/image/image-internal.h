/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of an open image, its import and its export share. */
#pragma once

#include "image/image.h"
#include "image/qemu.h"

#include <libnbd.h>

struct image {
    char *name;             /* its path without control characters, for sentences */
    uint64_t size_bytes;    /* what a guest sees; whole sectors of 512 bytes */
    struct nbd_handle *nbd; /* the only connection to `server`; NULL: a raw image, or it was cut */
    struct qemu server;     /* its qemu-nbd */

    /* the file of a raw image, and the same with O_DIRECT; -1: none */
    int fd, direct_fd;
    uint64_t file_bytes;

    uint8_t *sha256; /* expected checksum of the contents; NULL: none is expected */
    bool encrypted;  /* the file is encrypted, so its plaintext must not be swapped */
    const char *doubt;
    const struct image_progress *progress; /* asked whether to stop; may be NULL */
};

/* True if the user wants to stop. */
bool image_stopped(const struct image *i);

int image_new(const char *path, struct image **ret, struct error *e) _must_check_;

/* serve.c: has qemu-img check the image. -EINVAL: it is damaged. */
int image_check(const struct image *i, const struct qemu_view *v, struct error *e) _must_check_;

/* Starts the qemu-nbd of the image (which writes if v->file.writes), connects, asks for the size. */
int image_serve(struct image *i, const struct qemu_view *v, struct error *e) _must_check_;

/* Sets the error of a connection that failed: the last words of qemu-nbd, or how it ended, or libnbd's
 * reason. `what`: "cannot be read at byte 4096". */
int image_failed(struct image *i, int errnum, const char *what, struct error *e);

/* Waits for an asynchronous command of libnbd; a negative cookie: it could not be sent. If the user wants to
 * stop, the connection is closed, since the command may still use our buffers. */
int image_await(struct image *i, int64_t cookie, int errnum, const char *what, struct error *e) _must_check_;

/* Memory for the contents of an image. `locked`: it stays in RAM, in no core dump and no child, and is wiped
 * at the end. -EPERM: it cannot be locked. */
struct image_memory {
    uint8_t *data;
    size_t bytes;
    bool locked;
};
int image_memory_new(struct image_memory *m, size_t bytes, bool locked, const char *name,
                     struct error *e) _must_check_;
void image_memory_free(struct image_memory *m);

/* Which blocks of the image have data. One window of the image is known at a time. */
#define BLOCK_BYTES   (UINT64_C(256) << 10)
#define WINDOW_BLOCKS 4096 /* 1 GiB: the range of one question about holes */

struct holes {
    uint64_t window_bytes; /* where the window begins */
    bool data[WINDOW_BLOCKS];
};

/* Fills `h` for the window that begins at `at_bytes`, a multiple of its size. Where holes cannot be found,
 * blocks count as data. */
int holes_look(struct image *i, uint64_t at_bytes, struct holes *h, struct error *e) _must_check_;

/* Returns how many bytes from `at_bytes` on, where a block begins, are zeros: whole blocks, or up to the end
 * of the image or of the window. 0: that block has data. */
uint64_t holes_zeros(const struct image *i, const struct holes *h, uint64_t at_bytes);

/* Sets the error "cannot be read at byte 4096", for either kind of image. */
int image_read_failed(struct image *i, int errnum, uint64_t at_bytes, struct error *e);
