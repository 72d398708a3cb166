/* SPDX-License-Identifier: Apache-2.0 */
/* A new file that gets its name once it is whole. After a crash nothing of it is left where the file system
 * makes files without a name (O_TMPFILE); elsewhere (NFS, CIFS, vfat) a file .NAME.mayfly-XXXXXXXX is left.
 *
 *     image_file_new("/images/vm.qcow2", &file, e);
 *     ... write to image_file_fd(file), fsync ...
 *     image_file_link(file, e);
 */
#pragma once

#include "base/error.h"

struct image_file;

/* Makes the file in the folder of `path`. The folder must exist, and the user that mayfly runs as must be
 * able to write to it. -EEXIST: the name is taken. -EACCES, -ENOENT. -EOPNOTSUPP: the file system cannot name
 * a file without the risk of replacing another. */
int image_file_new(const char *path, struct image_file **ret, struct error *e) _must_check_;

/* Does the same by a process that may write where we may not (keeper.h). Such a process makes one file only.
 */
struct image_keeper;
int image_file_new_by(struct image_keeper *k, const char *path, struct image_file **ret,
                      struct error *e) _must_check_;

int image_file_fd(const struct image_file *f);

/* Gives the file its name, durably. Never replaces another: -EEXIST. */
int image_file_link(struct image_file *f, struct error *e) _must_check_;

/* Removes the name again, durably. 0 also if the file has no name. */
int image_file_unlink(struct image_file *f, struct error *e) _must_check_;

/* Frees `f`. A file without a name is gone then. */
struct image_file *image_file_free(struct image_file *f);
DEFINE_CLEANUP(struct image_file *, image_file_free)
#define _cleanup_image_file_ _cleanup_(image_file_freep)
