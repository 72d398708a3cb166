/* SPDX-License-Identifier: Apache-2.0 */
/* Confines a parser of foreign bytes: it may read one file and its libraries, and use the descriptors that it
 * was given. The sandbox is prepared before fork, and entered between fork and exec.
 *
 *     sandbox_prepare(image_fd, SANDBOX_READS, NULL, &box, e);
 *     if (fork() == 0) {
 *         ... dup2 what it needs ...
 *         if (sandbox_enter(box) == 0)
 *             execve(...);
 *         _exit(126);
 *     }
 */
#pragma once

#include "base/error.h"

#include <stdbool.h>

struct sandbox;

enum sandbox_use {
    SANDBOX_READS,   /* parses foreign bytes */
    SANDBOX_WRITES,  /* we have made the file, and it may be written to and grow */
    SANDBOX_EXPORTS, /* the same, by io_uring, and through rings in memory that others share */
};

/* Prepares a sandbox. `fd`: the one file outside of /usr that may be opened (again, through /proc/self/fd).
 * `library`: the path of a library outside of /usr that may be read; NULL: none. */
int sandbox_prepare(int fd, enum sandbox_use use, const char *library, struct sandbox **ret,
                    struct error *e) _must_check_;

/* True if the kernel has Landlock, by which other files cannot even be read. */
bool sandbox_hides_files(const struct sandbox *s);

/* Confines the calling process for good. Makes system calls only, so it may be called after the fork of a
 * process with threads. */
int sandbox_enter(const struct sandbox *s) _must_check_;

struct sandbox *sandbox_free(struct sandbox *s);
DEFINE_CLEANUP(struct sandbox *, sandbox_free)
#define _cleanup_sandbox_ _cleanup_(sandbox_freep)
