/* SPDX-License-Identifier: Apache-2.0 */
/* The disks that an instance gets, as the caller of an operation wants them. */
#pragma once

#include "instance/wanted-image.h"
#include "storage/volume.h"

#define WANTED_EPHEMERALS_MAX 16

struct wanted_ephemeral {
    uint64_t size_bytes;
    char fs[FS_MAX];       /* of file_system_choice */
    char alias[ALIAS_MAX]; /* "": none */
};

struct wanted_disks {
    struct wanted_image image;                         /* of the root disk; none: the disk is empty */
    uint64_t root_bytes;                               /* 0: no root disk */
    uint64_t swap_bytes;                               /* 0: no swap disk */
    char root_alias[ALIAS_MAX], swap_alias[ALIAS_MAX]; /* "": none */
    struct wanted_ephemeral ephemeral[WANTED_EPHEMERALS_MAX];
    size_t n_ephemeral;
    const char *volume_group; /* NULL: the first configured */
};
