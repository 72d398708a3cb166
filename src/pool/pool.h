/* SPDX-License-Identifier: Apache-2.0 */
/* A pool of files: disks without root, LVM or device-mapper. To its callers it is a broker (broker/client.h),
 * in their own process.
 *
 *     FOLDER/pool                    its identity, a random uuid: "dir:" and its first digits stand for a
 *                                    volume group, so that a key notes which pool its disks are in
 *     FOLDER/lock                    the locks of instances (storage/locks.h)
 *     FOLDER/<instance>/tags         a line a disk: what LVM has as tags, see mayfly-tags(7)
 *     FOLDER/<instance>/disk         its root disk, disk.eph0 and so on: ciphertext, as dm-crypt has it
 *
 * Who writes to a disk: this process, through a struct opened; and the guest, by the process that an engine
 * starts for it, which is to this pool what a map is to the other.
 */
#pragma once

#include "broker/client.h"

#include <limits.h>

/* Who serves disks to guests: src/engine, or a double. All are told of the folder that pool_open() was. */
struct pool_engine {
    /* Serves the disk in the file `file_fd`, of which the caller keeps its descriptor, until close(). The
     * disk is not served yet. */
    int (*open)(const char *runtime_dir, const struct volume *v, int file_fd, const struct secret *volume_key,
                enum map_use use, struct error *e);

    /* What is open, as maps; the caller frees *ret. */
    int (*maps)(const char *runtime_dir, struct map **ret, size_t *ret_n, struct error *e);

    /* -EBUSY: a guest has it. What was opened for more than `up_to` stays open. */
    int (*close)(const char *runtime_dir, const struct volume *v, enum map_use up_to, bool *ret_closed,
                 struct error *e);

    /* The file is larger now. */
    int (*grow)(const char *runtime_dir, const struct volume *v, struct error *e);
};

/* Opens the pool below c->pool_path, which is made where there is none yet. -EACCES: the folder is another
 * user's, or open to others. The configuration, the names and the engine must outlive the broker. */
int pool_open(const struct config *c, const char *runtime_dir, const struct pool_engine *engine,
              struct broker **ret, struct error *e) _must_check_;

/* "dir:0123456789ab", in place of a volume group. */
const char *pool_name(const struct broker *b);

/* Where the bytes of that disk are. */
void pool_file_path(const char *pool_path, const struct volume *v, char field[PATH_MAX]);
