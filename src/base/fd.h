/* SPDX-License-Identifier: Apache-2.0 */
/* Files and their descriptors: closing, whole reads and writes, anonymous files. */
#pragma once

#include "base/macro.h"

#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

/* Closes `fd` unless it is negative, and keeps errno. Returns -1. */
int fd_close(int fd);

static inline void fd_closep(int *fd)
{
    fd_close(*fd);
}
#define _cleanup_close_ _cleanup_(fd_closep)

DEFINE_CLEANUP(FILE *, fclose)
#define _cleanup_fclose_ _cleanup_(fclosep)
DEFINE_CLEANUP(DIR *, closedir)
#define _cleanup_closedir_ _cleanup_(closedirp)

/* Transfers all `size` bytes, or returns a negative errno (-EIO: the file ended before). */
int fd_read_all(int fd, void *buffer, size_t size) _must_check_;
int fd_write_all(int fd, const void *buffer, size_t size) _must_check_;
int fd_pread_all(int fd, void *buffer, size_t size, uint64_t offset_bytes) _must_check_;
int fd_pwrite_all(int fd, const void *buffer, size_t size, uint64_t offset_bytes) _must_check_;

/* Calls `write` for all data of the file, without its holes, in whole pages of 4096 bytes except at the end.
 * Stops at the first error. */
typedef int fd_writer(void *context, const void *bytes, size_t n, uint64_t offset_bytes);
int fd_each_data(int fd, fd_writer *writer, void *context) _must_check_;

/* Reads up to the end of the file, at most `limit` bytes (-EFBIG: there is more), and terminates the text.
 * The caller frees *ret_text. A seekable file is read from its beginning. */
int fd_read_text(int fd, size_t limit, char **ret_text, size_t *ret_size) _must_check_;

/* Reads the first line of a file, without its newline, cut to `size`: for files of /sys and the like. Empty
 * if the file cannot be read. */
void file_line(const char *path, char *line, size_t size);

/* Makes an empty anonymous file that can never be executed: with vm.memfd_noexec = 2 the kernel makes no
 * other. `flags` are those of memfd_create() besides MFD_CLOEXEC. Returns a descriptor, or a negative
 * errno. */
int fd_memfd_empty(const char *name, unsigned flags) _must_check_;

/* Makes an anonymous file with `size` bytes of `data` in it, at offset 0. */
int fd_memfd(const char *name, const void *data, size_t size, int *ret_fd) _must_check_;

/* Names a file that was made without a name (O_TMPFILE). A power cut may still take the name back. -EEXIST:
 * the name is taken. */
int fd_link(int fd, int folder_fd, const char *name) _must_check_;

/* Syncs the file, names it, syncs the folder: a power cut leaves the whole file or none. */
int fd_link_durably(int fd, int folder_fd, const char *name) _must_check_;

/* Adds a file of these bytes with mode 0600, durably. -EOPNOTSUPP: the file system makes no files without a
 * name. */
int fd_add_file(int folder_fd, const char *name, const void *data, size_t size) _must_check_;

/* Opens 0, 1 and 2 on /dev/null where they are closed. Else the next file or socket that is opened would be
 * written to as standard error. */
int fd_keep_standard(void) _must_check_;

/* Makes a folder that nobody else may enter, in TMPDIR, or in /tmp if that fails: TMPDIR may be left over
 * from another user (su, sudo), or too long for `path`. */
int fd_temporary_folder(char *path, size_t size) _must_check_;

/* Makes the folder and its parents, all 0700, each synced in the one above it. `path` begins with a slash. */
int fd_make_folder(const char *path) _must_check_;

/* Duplicates `fd` to a number of at least 10, away from 0, 1, 2 and the descriptors that children get. */
int fd_move_high(int fd) _must_check_;
