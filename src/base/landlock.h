/* SPDX-License-Identifier: Apache-2.0 */
/* Landlock (Linux 5.13): a process keeps itself and its children from opening files. A ruleset denies access
 * to all files by name. Single files, or folders with all that lies below, are then allowed. */
#pragma once

#include "base/error.h"

#include <linux/landlock.h>
#include <stdint.h>

#define LANDLOCK_ALL           ((UINT64_C(1) << 13) - 1) /* all rights of Landlock's first version */
#define LANDLOCK_READ_FILE     LANDLOCK_ACCESS_FS_READ_FILE
#define LANDLOCK_READ_TREE     (LANDLOCK_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define LANDLOCK_WRITE_TREE    (LANDLOCK_ALL & ~(uint64_t)LANDLOCK_ACCESS_FS_EXECUTE)
#define LANDLOCK_READ_PROGRAMS (LANDLOCK_READ_TREE | LANDLOCK_ACCESS_FS_EXECUTE)

/* Returns a descriptor of a new ruleset. -EOPNOTSUPP: the kernel has no Landlock, or it is switched off. */
int landlock_new(void);

/* Allows `rights` on the file, or on what lies below the folder. 0 if `path` is not there. */
int landlock_allow(int ruleset, const char *path, uint64_t rights);
int landlock_allow_fd(int ruleset, int fd, uint64_t rights);

/* Applies the ruleset to this process. The caller has set no_new_privs. Async-signal-safe. */
int landlock_enter(int ruleset);

/* Sets the error when one of these calls has failed, so that `program` is not kept from the files of this
 * host. Callers may go on if the kernel has no Landlock (SECURITY.md names that limit), but not if Landlock
 * is forbidden (-EPERM). */
int landlock_failed(const char *program, int r, struct error *e);
