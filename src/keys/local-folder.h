/* SPDX-License-Identifier: Apache-2.0 */
/* The folder of the local key manager. It must be its user's alone. New files come by fd_add_file(). */
#pragma once

#include "base/str.h"
#include "config/config.h"

/* Turns an errno that a file system gave into one for callers of a key manager. To callers -ENOKEY says that
 * a key is gone for good; to a file system (fscrypt) it only says that its folder is locked. */
static inline int local_errno(int r)
{
    return r == -ENOKEY ? -EACCES : r;
}

/* Finds the path of the folder: the option, or the default for the user who runs. The caller frees
 * *ret_path. */
int local_folder_path(const struct config *c, char **ret_path, struct error *e) _must_check_;

/* Opens the folder; makes it first if `make`. *ret_fd is -1 if there is none. -EACCES: the folder is not
 * ours, or others may look into it. */
int local_folder_open(const char *path, bool make, int *ret_fd, struct error *e) _must_check_;

/* Reads a file, `room` bytes at most. A bare errno: -ENOENT, -EFBIG. */
int local_folder_read(int folder_fd, const char *name, void *bytes, size_t room,
                      size_t *ret_size) _must_check_;

/* Whether there is the key file `id`, or what an interrupted erasure has left of it. */
bool local_folder_has(int folder_fd, const char *id);

/* Overwrites the key file `id`, removes it and makes sure that it is gone. First it is renamed to
 * `<id>.doomed`, so that an interrupted erasure is recognised. *ret_was_there is false if there was no file
 * of either name. */
int local_folder_erase(int folder_fd, const char *id, bool *ret_was_there, struct error *e) _must_check_;

/* Lists the ids of the key files, in an array that the caller frees. Finishes interrupted erasures. */
int local_folder_list(int folder_fd, char (**ret_ids)[UUID_TEXT], size_t *ret_n,
                      struct error *e) _must_check_;
