/* SPDX-License-Identifier: Apache-2.0 */
/* The file of an image: opening it, and finding out by its first and last bytes what it holds. */
#pragma once

#include "image/format.h"
#include "image/image.h"

struct source_file {
    int fd;
    int direct_fd; /* the file of a raw image once more, with O_DIRECT; -1: its file system has no O_DIRECT */
    bool is_device;
    bool is_early; /* opened earlier, by a user who may: fd is a duplicate */
    enum image_format format;
    const char *doubt; /* see image_doubt() */
};

/* Opens the file and looks at it, as image_open() says. `name` is for sentences. The caller closes both
 * descriptors. */
int source_open(const struct image_source *source, const char *name, struct source_file *ret,
                struct error *e) _must_check_;
