/* SPDX-License-Identifier: Apache-2.0 */
/* The little that we must know of an image's first bytes: which format, and whether a qcow2 leads to another
 * file. The header is that of QEMU's docs/interop/qcow2.txt. */
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

/* IMAGE_LUKS: a qcow2 whose data is encrypted, by a key in a LUKS header within it. IMAGE_LUKS_BARE: LUKS
 * without a qcow2, which no image is: mayfly bench has it measured. */
enum image_format { IMAGE_RAW, IMAGE_QCOW2, IMAGE_LUKS, IMAGE_LUKS_BARE };

#define IMAGE_HEAD_BYTES 512 /* of the file are enough to judge it */

/* Judges the first `size` bytes of an image of `file_bytes`. -EINVAL: a qcow2 that we refuse. */
int image_format_detect(const uint8_t *head, size_t size, uint64_t file_bytes, const char *wanted,
                        enum image_format *ret, struct error *e) _must_check_;
