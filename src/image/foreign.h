/* SPDX-License-Identifier: Apache-2.0 */
/* Recognizes files that are not disk images, by the magic numbers at their beginning and end. */
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

/* How much of both ends of a file is looked at. */
#define IMAGE_HEAD_BYTES (68 << 10)
#define IMAGE_TAIL_BYTES 512

struct image_ends {
    const uint8_t *head; /* the first bytes */
    size_t head_bytes;
    const uint8_t *tail; /* the last bytes; may overlap the first */
    size_t tail_bytes;
    uint64_t file_bytes;
};

/* Refuses a file (-EINVAL) that hardly anybody means to write to a disk as it is. The sentence names its kind
 * and the way out. */
int image_foreign_check(const struct image_ends *f, struct error *e) _must_check_;

/* True if the file looks like a disk: with a boot sector, a partition table, a file system, or nothing but
 * zeros. */
bool image_shows_disk(const struct image_ends *f);
