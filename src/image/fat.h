/* SPDX-License-Identifier: Apache-2.0 */
/* A small FAT file system in memory, with a few files in its root folder. Writing it takes fewer lines than
 * calling mkfs.vfat and mtools, and its contents pass through no other process.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FAT_BYTES     (1U << 20)
#define FAT_FILES_MAX 4
#define FAT_NAME_MAX  26 /* characters in the name of a file */
#define FAT_DATA_BYTES                                                                                       \
    (FAT_BYTES - 32 * 512 - FAT_FILES_MAX * 512) /* room that all files together have at least */

struct fat_file {
    const char *name; /* in ASCII */
    const void *data;
    size_t bytes;
};

/* Fills `image`, which has FAT_BYTES zeros. The label has at most 11 capitals and digits; `serial` is any
 * number. The files must fit: at most FAT_FILES_MAX of them, with FAT_DATA_BYTES in all. */
void fat_write(uint8_t *image, const char *label, uint32_t serial, const struct fat_file *files, size_t n);

/* True if `image` is such a file system with that label. */
bool fat_has_label(const uint8_t *image, const char *label);
