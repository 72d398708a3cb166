/* SPDX-License-Identifier: Apache-2.0 */
/* See file-systems.h. */
#include "storage/file-systems.h"

#include "base/macro.h"

#include <string.h>

static const struct file_system file_systems[] = {
#define FILE_SYSTEM(name, program, package, label_max, min_bytes, max_bytes)                                 \
    {#name, program, label_max, min_bytes, max_bytes, false},
#define SWAP_AREA(name, program, package, label_max, min_bytes, max_bytes)                                   \
    {#name, program, label_max, min_bytes, max_bytes, true},
#include "storage/file-systems.def"
};

const char file_system_choice[] =
#define DEFAULT_FILE_SYSTEM(name, ...) #name
#define FILE_SYSTEM(name, ...)         ", " #name
#define SWAP_AREA(name, ...)
#include "storage/file-systems.def"
    ;

const char file_system_default[FS_MAX] =
#define DEFAULT_FILE_SYSTEM(name, ...) #name
#define FILE_SYSTEM(name, ...)
#define SWAP_AREA(name, ...)
#include "storage/file-systems.def"
    ;

const struct file_system *file_system_find(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(file_systems); i++)
        if (strncmp(name, file_systems[i].name, FS_MAX) == 0)
            return &file_systems[i];
    return NULL;
}
