/* SPDX-License-Identifier: Apache-2.0 */
/* The engine in user space: a disk is open while a keeper of mayfly-disks serves it on a socket, not while it
 * has a map of dm-crypt. All disks that are files are served so, and the volumes whose tags say it.
 *
 *     mayfly --engine_open()--> keeper, worker  <--vhost-user--  QEMU
 *
 *     /run/user/UID/mayfly/    0700; or, of the host, /run/mayfly/disks, 2755 and QEMU's group
 *         lock                 a byte for each instance: held while its keepers are started or ended
 *         <lv>                 the socket, which the domain has as its disk
 *         <lv>.keeper          disks/state.h
 *         <lv>.log             what keeper and worker warn of, 64 KiB at most
 *
 * A keeper outlives the mayfly that has started it. It ends when it is told to; when its guest has ended; or
 * when no guest has come. So the key leaves memory whatever becomes of mayfly or libvirt. The files that a
 * keeper leaves show that it is gone, since nobody has them locked; the log tells why. They are removed when
 * the disk is closed or opened again.
 */
#pragma once

#include "storage/served.h"

#include <sys/types.h>

#define ENGINE_GONE_MSEC 20000 /* limit without a front end: QEMU connects again within a second */

/* Writes the path of the socket of a disk. -ENAMETOOLONG: the name of the folder is too long. */
#define ENGINE_PATH_MAX 108 /* size of sun_path in struct sockaddr_un */
int engine_socket_path(const struct sockets *sockets, const struct volume *v, char path[ENGINE_PATH_MAX],
                       struct error *e) _must_check_;

/* Makes the host's folder for the user `owner`, and for QEMU's group, if it is missing. For root. What cannot
 * be made is told when a disk is opened. */
void engine_make_folder(const struct sockets *sockets, uid_t owner);

/* Opens the disk for `use`: starts a keeper, which gets the key (NULL: a plain volume) and a duplicate of
 * `fd`. -EEXIST: the disk has a keeper, which goes on as before. -EBUSY: another process has locked the
 * file (flock). */
int engine_open(const struct engine *g, const struct volume *v, int fd, const struct secret *volume_key,
                enum map_use use, struct error *e) _must_check_;

/* Has the keeper tell its guest that the file is larger now. -ENOENT: there is no keeper. */
int engine_grow(const struct engine *g, const struct volume *v, struct error *e) _must_check_;

/* Lists the disks that are open, sorted by uuid; the caller frees *ret. `open_count` is the number of front
 * ends that are connected. */
int engine_maps(const struct engine *g, struct map **ret, size_t *ret_n, struct error *e) _must_check_;

/* Ends the keeper of a disk and removes its files, unless the disk was opened for more than `up_to`. 0 also
 * if there is no keeper. -EBUSY: a guest has the disk. */
int engine_close(const struct engine *g, const struct volume *v, enum map_use up_to, bool *ret_closed,
                 struct error *e) _must_check_;
