/* SPDX-License-Identifier: Apache-2.0 */
/* Making file systems and swap areas for guests. */
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Is `fs` one that can be made (ext4, xfs, vfat, swap), and `label` one that it takes? -EINVAL. */
int mkfs_check(const char *fs, const char *label, struct error *e) _must_check_;

struct mkfs {
    const char *fs, *label;
    bool noise;           /* where it is made there is certainly no older file system */
    int (*prepare)(void); /* called in the child that becomes the program, such as to give rights up */
};

/* Makes it on the whole device at `path`, whatever seems to be there. Returns when all is on the disk. */
int mkfs_make(const struct mkfs *m, const char *path, struct error *e) _must_check_;

/* Makes it in a memory file as large as the disk, a descriptor of which is *ret_fd: what is no hole there is
 * to be written to the disk, by fd_each_data(). It takes as much memory as that, at most the log of an xfs
 * and the tables of a vfat. */
int mkfs_in_memory(const struct mkfs *m, uint64_t size_bytes, int *ret_fd, struct error *e) _must_check_;
