/* SPDX-License-Identifier: Apache-2.0 */
/* File systems on disks that are files, without root and without a device. */
#pragma once

#include "crypt/opened.h"

/* Makes it in memory, and writes what is no hole there through the disk's cipher. What was on the disk before
 * must be noise, or zeros. On the disk when this returns. */
int format_make(const struct opened *disk, const char *fs, const char *label, struct error *e) _must_check_;
