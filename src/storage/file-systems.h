/* SPDX-License-Identifier: Apache-2.0 */
/* The rows of file-systems.def. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FS_MAX 8 /* of the name, with a NUL */

struct file_system {
    char name[FS_MAX];
    const char *program;
    size_t label_max; /* characters */
    uint64_t min_bytes, max_bytes;
    bool is_swap;
};

/* Returns the one of this name, of which at most FS_MAX bytes are read; or NULL. */
const struct file_system *file_system_find(const char *name);

/* What a caller may choose from, as a sentence has it: "ext4, xfs, vfat". And what a disk gets without a
 * choice. */
extern const char file_system_choice[], file_system_default[FS_MAX];
