/* SPDX-License-Identifier: Apache-2.0 */
/* What image.c and import.c (and their tests) share. */
#pragma once

#include "image/image.h"
#include "image/qemu.h"

#include <libnbd.h>

struct image {
    char *name;             /* its path, fit for a sentence: no control characters */
    struct nbd_handle *nbd; /* the only connection to the qemu-nbd below */
    struct qemu server;     /* that qemu-nbd */
    uint64_t size_bytes;
};

int image_new(const char *path, struct image **ret, struct error *e) _must_check_;

/* Starts its qemu-nbd (which writes if v->file.writes), connects, asks for the size. */
int image_serve(struct image *i, const struct qemu_view *v, struct error *e) _must_check_;

/* The error for a connection that failed: what qemu-nbd last said, or how it ended, or else libnbd's reason.
 * `what`: "cannot be read at byte 4096". */
int image_failed(struct image *i, int errnum, const char *what, struct error *e);
