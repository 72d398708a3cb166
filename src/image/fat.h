/* SPDX-License-Identifier: Apache-2.0 */
/* A small FAT file system in memory, with a few files in its root folder. It is so small that to write it
 * takes fewer lines than to have mkfs.vfat and mtools do it, and what is in it goes through no other process.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FAT_BYTES      (1U << 20)
#define FAT_FILES_MAX  4
#define FAT_NAME_MAX   26                                           /* characters of a file's name */
#define FAT_DATA_BYTES (FAT_BYTES - 32 * 512 - FAT_FILES_MAX * 512) /* for all files together, at least */

struct fat_file {
    const char *name; /* of ASCII */
    const void *data;
    size_t bytes;
};

/* Fills `image`, of FAT_BYTES zeros. Label of at most 11 capitals and digits; `serial` as it likes. The files
 * must fit: they are at most FAT_FILES_MAX, and of FAT_DATA_BYTES. */
void fat_write(uint8_t *image, const char *label, uint32_t serial, const struct fat_file *files, size_t n);

/* Is it such a file system, with that label? */
bool fat_has_label(const uint8_t *image, const char *label);
