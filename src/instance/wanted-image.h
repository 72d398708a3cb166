/* SPDX-License-Identifier: Apache-2.0 */
/* An image as the caller of an operation names it. */
#pragma once

#include "instance/context.h"

struct wanted_image {
    const char *path; /* NULL: none */
    struct image_early
        early;          /* of an image that only the caller may open, and not the user that mayfly runs as */
    const char *format; /* NULL: by magic */
    const char *key;    /* MANAGER:PLACE/ID of the key of an encrypted image; NULL: it is not encrypted */
    const char *sha256; /* of its contents, in hex; NULL: they may be any */
};

/* Opens it for reading, with its key fetched now, and warns if it hardly is a disk image. *ret is NULL if
 * no image is wanted. -EINVAL: there is a key or a SHA-256, and no image. Its contents are compared when they
 * are read: by context_import(). */
int wanted_image_open(const struct context *c, const struct wanted_image *q, struct image **ret,
                      struct error *e) _must_check_;
