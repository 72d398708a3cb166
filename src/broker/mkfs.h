/* SPDX-License-Identifier: Apache-2.0 */
/* Making file systems and swap areas for guests. */
#pragma once

#include "base/error.h"

#include <stdbool.h>

/* Is `fs` one that can be made (ext4, xfs, vfat, swap), and `label` one that it takes? -EINVAL. */
int mkfs_check(const char *fs, const char *label, struct error *e) _must_check_;

/* Makes it on the whole device at `path`, whatever seems to be there. `noise`: what is there is certainly
 * no older file system. Returns when all is on the disk. */
int mkfs_make(const char *path, const char *fs, const char *label, bool noise, struct error *e) _must_check_;
