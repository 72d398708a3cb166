/* SPDX-License-Identifier: Apache-2.0 */
/* Files and their descriptors: closing, whole reads and writes, anonymous files. */
#pragma once

#include "base/macro.h"

#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

/* Closes `fd` if it is one, keeps errno. Returns -1. */
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

/* All `size` bytes, or a negative errno (-EIO: the file ended before). */
int fd_read_all(int fd, void *buffer, size_t size) _must_check_;
int fd_write_all(int fd, const void *buffer, size_t size) _must_check_;
int fd_pread_all(int fd, void *buffer, size_t size, uint64_t offset_bytes) _must_check_;
int fd_pwrite_all(int fd, const void *buffer, size_t size, uint64_t offset_bytes) _must_check_;

/* Everything up to the end of the file, NUL-terminated, at most `limit` bytes (-EFBIG: there is more).
 * The caller frees *ret_text. A file that can be mapped or sought is read from its beginning. */
int fd_read_text(int fd, size_t limit, char **ret_text, size_t *ret_size) _must_check_;

/* The first line of a file without its end, cut to `size`: for what the kernel tells in /sys, say. Empty if
 * the file cannot be read. */
void file_line(const char *path, char *line, size_t size);

/* An empty anonymous file, which can never be executed: with vm.memfd_noexec = 2 the kernel makes no other.
 * `flags` of memfd_create() besides MFD_CLOEXEC. A descriptor, or a negative errno. */
int fd_memfd_empty(const char *name, unsigned flags) _must_check_;

/* An anonymous file with `size` bytes of `data` in it, at offset 0. */
int fd_memfd(const char *name, const void *data, size_t size, int *ret_fd) _must_check_;

/* Makes sure that 0, 1 and 2 are open, on /dev/null where they were not: else what is opened next, a socket,
 * say, would be written to as standard error. */
int fd_keep_standard(void) _must_check_;

/* A fresh folder that nobody else may enter, in TMPDIR or else in /tmp: that variable may have been left by
 * another user's environment (su, sudo), or be too long for what `path` is for. */
int fd_temporary_folder(char *path, size_t size) _must_check_;

/* The same file under a number of at least 10, out of the way of 0, 1, 2 and what is passed to children. */
int fd_move_high(int fd) _must_check_;
