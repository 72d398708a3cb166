/* SPDX-License-Identifier: Apache-2.0 */
/* Making file systems and swap areas for guests. */
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Checks that `fs` can be made (file-systems.def), and takes `label`. -EINVAL. */
int mkfs_check(const char *fs, const char *label, struct error *e) _must_check_;

struct mkfs {
    const char *fs, *label;
    bool noise;           /* the disk reads as noise, so there is certainly no older file system on it */
    int (*prepare)(void); /* called in the child that becomes the program, such as to give rights up */
};

/* Makes the file system on the whole device at `path`, whatever seems to be there, and syncs it. */
int mkfs_make(const struct mkfs *m, const char *path, struct error *e) _must_check_;

/* Makes the file system in a sparse memory file as large as the disk: *ret_fd. The caller writes its data,
 * all but the holes, to the disk, by fd_each_data(). The data takes memory meanwhile: at most the log of an
 * xfs or the tables of a vfat. */
int mkfs_in_memory(const struct mkfs *m, uint64_t size_bytes, int *ret_fd, struct error *e) _must_check_;
