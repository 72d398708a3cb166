/* SPDX-License-Identifier: Apache-2.0 */
/* What a parser of foreign bytes may do: read one file, its own libraries, and talk over descriptors that it
 * was given. Prepared before fork, entered between fork and exec.
 *
 *     sandbox_prepare(image_fd, false, NULL, &box, e);
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

/* `fd`: the one file outside of /usr that may be opened (again, through /proc/self/fd). `writes`: also for
 * writing, and it may grow: for a file of ours, which no stranger has made. `library`: one that may be read,
 * wherever it is; NULL: none. */
int sandbox_prepare(int fd, bool writes, const char *library, struct sandbox **ret,
                    struct error *e) _must_check_;

/* Does the kernel have Landlock, so that other files cannot be opened even for reading? */
bool sandbox_hides_files(const struct sandbox *s);

/* Confines the calling process for good; system calls only, so it may follow a fork of a process with
 * threads. */
int sandbox_enter(const struct sandbox *s) _must_check_;

struct sandbox *sandbox_free(struct sandbox *s);
DEFINE_CLEANUP(struct sandbox *, sandbox_free)
#define _cleanup_sandbox_ _cleanup_(sandbox_freep)
