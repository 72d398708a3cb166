/* SPDX-License-Identifier: Apache-2.0 */
/* A pool of files: disks without root, LVM or device-mapper. To its callers it is a broker (broker/client.h),
 * which runs in their own process.
 *
 *     FOLDER/pool                    its identity, a random uuid: "dir:" and its first digits are its
 *                                    name, in place of a volume group; keys note it
 *     FOLDER/lock                    the locks of instances (storage/locks.h)
 *     FOLDER/<instance>/tags         a line for each disk: its tags, see mayfly-tags(7)
 *     FOLDER/<instance>/disk         its root disk; disk.eph0 and so on: the bytes that dm-crypt would have
 *                                    on a volume
 *
 * Two write to a disk: this process, through a struct opened; and the guest, through the process that an
 * engine starts. To a pool of files this process is what a map is to a volume group.
 */
#pragma once

#include "broker/client.h"
#include "storage/served.h"

#include <limits.h>

/* Opens the pool in the folder c->pool_path, and makes it first if it is missing. Removes the folders of
 * instances that have no disk. -EACCES: the folder belongs to another user, or others may enter it. `c` and
 * `engine` must outlive the broker. */
int pool_open(const struct config *c, const struct engine *engine, struct broker **ret,
              struct error *e) _must_check_;

/* Returns the name of the pool, which stands in for a volume group: "dir:0123456789ab". */
const char *pool_name(const struct broker *b);

/* Writes the path of the file of a disk. */
void pool_file_path(const char *pool_path, const struct volume *v, char field[PATH_MAX]);
