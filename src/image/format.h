/* SPDX-License-Identifier: Apache-2.0 */
/* The format of an image, and whether a qcow2 leads to another file. The header of a qcow2 is described in
 * QEMU's docs/interop/qcow2.txt. */
#pragma once

#include "image/foreign.h"

/* IMAGE_LUKS: a qcow2 that is encrypted, with a LUKS header in it. IMAGE_LUKS_BARE: LUKS without a qcow2,
 * which only mayfly bench uses. */
enum image_format { IMAGE_RAW, IMAGE_QCOW2, IMAGE_LUKS, IMAGE_LUKS_BARE };

/* Finds the format. `wanted`: "raw", "qcow2", or NULL: qcow2 by its magic, else raw. -EINVAL: a qcow2 that we
 * refuse; or, unless `wanted` is "raw", a file that is not a disk image. */
int image_format_detect(const struct image_ends *f, const char *wanted, enum image_format *ret,
                        struct error *e) _must_check_;
