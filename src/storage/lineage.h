/* SPDX-License-Identifier: Apache-2.0 */
/* Tells whether a block device is one of Mayfly's, or leads to one, by device numbers and what the kernel
 * says of them in /sys, whatever name the device was given by.
 *
 *     loop, partition, linear map, RAID --slaves--> MAP of an instance --slaves--> VOLUME below it
 *                                    physical volume --holders-->
 */
#pragma once

#include "base/str.h"
#include "storage/volume.h"

#include <limits.h>
#include <sys/types.h>

enum lineage {
    LINEAGE_NONE,   /* nothing of Mayfly, or a map of the instance that asks */
    LINEAGE_VOLUME, /* an LVM volume with the name of an instance's disk; its tags say whether it is one */
    LINEAGE_MAP     /* the open disk of another instance */
};

struct reached {
    enum lineage kind;
    char instance[UUID_TEXT];
    char vg[VG_NAME_MAX]; /* of a volume */
    char lv[LV_NAME_MAX]; /* of a volume, or of the one below a map */
};

/* Finds what `device` leads to that is not a map of instance `own`. `root` is "", or for tests the folder in
 * whose "sys" the kernel's /sys is found. */
enum lineage lineage_of(const char *root, dev_t device, const char *own, struct reached *ret);

/* As lineage_of(), by a name alone: /dev/GROUP/VOLUME or /dev/mapper/MAP of a device that is gone, though
 * somebody may still have it open; or the socket, there or not, by which a disk is served (engine/engine.h),
 * which counts as a map. */
enum lineage lineage_of_name(const char *path, const char *own, struct reached *ret);

/* Writes the path without links, dots and empty parts in its folder, if there is such a folder. What the path
 * names need not be there. */
void lineage_plain_path(const char *path, char field[PATH_MAX]);
