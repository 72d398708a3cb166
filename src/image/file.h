/* SPDX-License-Identifier: Apache-2.0 */
/* A new file that does not have its name until it is whole. Where the file system knows files without any
 * name (O_TMPFILE) a cut leaves nothing of it, elsewhere (NFS, CIFS, vfat) a file .NAME.mayfly-XXXXXXXX.
 *
 *     image_file_new("/images/vm.qcow2", &file, e);
 *     ... write to image_file_fd(file), fsync ...
 *     image_file_link(file, e);
 */
#pragma once

#include "base/error.h"

struct image_file;

/* In the folder of `path`, which must be there, and which the user that mayfly runs as must be able to write
 * to. -EEXIST: something has that name. -EACCES, -ENOENT. -EOPNOTSUPP: the file system has neither
 * files without a name nor a way to name one without replacing another. */
int image_file_new(const char *path, struct image_file **ret, struct error *e) _must_check_;

/* The same by a process that may write there where we may not (keeper.h), which makes one file. */
struct image_keeper;
int image_file_new_by(struct image_keeper *k, const char *path, struct image_file **ret,
                      struct error *e) _must_check_;

int image_file_fd(const struct image_file *f);

/* Gives it its name, durably; never to replace another (-EEXIST). And takes it away again: 0 if it has none.
 */
int image_file_link(struct image_file *f, struct error *e) _must_check_;
int image_file_unlink(struct image_file *f, struct error *e) _must_check_;

/* What does not have its name is gone. */
struct image_file *image_file_free(struct image_file *f);
DEFINE_CLEANUP(struct image_file *, image_file_free)
#define _cleanup_image_file_ _cleanup_(image_file_freep)
