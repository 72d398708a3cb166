/* SPDX-License-Identifier: Apache-2.0 */
/* The engine in user space: a disk is open while a keeper of mayfly-disks serves it on a socket, as over LVM
 * it is open while it has a map of dm-crypt.
 *
 *     mayfly --engine_open()--> keeper, worker  <--vhost-user--  QEMU
 *
 *     <runtime folder>/mayfly/        0700
 *         lock                        taken while a keeper is started or ended
 *         <lv>                        the socket: what the domain has as its disk
 *         <lv>.keeper                 disks/state.h
 *
 * A keeper outlives the mayfly that has started it. It ends when it is told to, and by itself when its guest
 * has ended, or none has come: so the key leaves the memory whatever becomes of mayfly or libvirt. What it
 * leaves in the folder says that it is gone.
 */
#pragma once

#include "base/user.h"
#include "secret/secret.h"
#include "storage/map.h"

#define ENGINE_GONE_MSEC 20000 /* without a front end: QEMU connects again within a second */

/* The socket of a volume; -ENAMETOOLONG with a sentence: the folder has too long a name for one. */
#define ENGINE_PATH_MAX 108 /* of struct sockaddr_un */
int engine_socket_path(const char *runtime_dir, const struct volume *v, char path[ENGINE_PATH_MAX],
                       struct error *e) _must_check_;

/* Opens the disk for `use`: starts a keeper, which gets the key (NULL: a plain volume) and a duplicate of
 * `file_fd`. -EEXIST: the disk has a keeper, which goes on as before. -EBUSY: another process has locked the
 * file (flock). */
int engine_open(const char *runtime_dir, const struct volume *v, int file_fd, const struct secret *volume_key,
                enum map_use use, struct error *e) _must_check_;

/* The file has become larger: the keeper tells its guest. -ENOENT: there is no keeper. */
int engine_grow(const char *runtime_dir, const struct volume *v, struct error *e) _must_check_;

/* The disks that are open, sorted by uuid; the caller frees *ret. `open_count` are the front ends that are
 * connected. */
int engine_maps(const char *runtime_dir, struct map **ret, size_t *ret_n, struct error *e) _must_check_;

/* Ends the keeper, unless it is there for more than `up_to`, and removes what it has left; 0 if there is
 * none. -EBUSY: a guest has the disk. */
int engine_close(const char *runtime_dir, const struct volume *v, enum map_use up_to, bool *ret_closed,
                 struct error *e) _must_check_;
