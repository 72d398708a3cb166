/* SPDX-License-Identifier: Apache-2.0 */
/* What a file is that is neither a qcow2 nor a disk: told by the magic numbers at its begin and end. */
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

/* Both ends of a file, as far as anything is looked for there. What was not read counts as not there. */
#define IMAGE_HEAD_BYTES (68 << 10)
#define IMAGE_TAIL_BYTES 512

struct image_ends {
    const uint8_t *head; /* its first bytes */
    size_t head_bytes;
    const uint8_t *tail; /* its last bytes; may overlap the others */
    size_t tail_bytes;
    uint64_t file_bytes;
};

/* -EINVAL: it is something that nobody means to write to a disk as it is; what, and the way out. */
int image_foreign_check(const struct image_ends *f, struct error *e) _must_check_;

/* Does it look like the disk of a machine: a boot sector, a partition table, a file system? True also where
 * there is nothing but zeros. */
bool image_shows_disk(const struct image_ends *f);
