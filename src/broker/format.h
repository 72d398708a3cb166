/* SPDX-License-Identifier: Apache-2.0 */
/* File systems on disks that are encrypted in this process, without root and without a device. */
#pragma once

#include "crypt/opened.h"

/* Makes a file system in memory, and writes all but the holes through the cipher of the disk, durably. The
 * disk must have held noise or zeros before. */
int format_make(const struct opened *disk, const char *fs, const char *label, struct error *e) _must_check_;
