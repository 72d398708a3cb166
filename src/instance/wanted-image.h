/* SPDX-License-Identifier: Apache-2.0 */
/* An image, as the caller of an operation names it. */
#pragma once

#include "instance/context.h"

struct wanted_image {
    const char *path; /* NULL: none */
    struct image_early
        early; /* descriptor of an image that the caller may open, but not the user that mayfly runs as */
    const char *format; /* NULL: by magic */
    const char *key;    /* MANAGER:PLACE/ID of the key of an encrypted image; NULL: it is not encrypted */
    const char *sha256; /* of its contents, in hex; NULL: not checked */
};

/* Opens the image for reading, with its key fetched now, and warns if it does not look like a disk image.
 * *ret is NULL if no image is wanted. -EINVAL: a key or SHA-256 without an image. context_import() compares
 * the SHA-256 when it reads the contents. */
int wanted_image_open(const struct context *c, const struct wanted_image *q, struct image **ret,
                      struct error *e) _must_check_;
