/* SPDX-License-Identifier: Apache-2.0 */
/* Disks that a process serves to their guests on sockets. Such a disk is listed as a map, too: it is open
 * while it is served. */
#pragma once

#include "secret/secret.h"
#include "storage/map.h"

/* The folder of the sockets. That of a user belongs to him alone, and is made when missing. That of the host
 * belongs to the user that root's mayfly becomes: only he opens and closes disks, QEMU's group connects, and
 * everybody may see what is open. */
struct sockets {
    const char *path;
    bool of_host;
};

/* Beside the socket of a disk lies the state of the keeper that serves it, under the same name and this
 * suffix. The keeper has it locked (fcntl, F_WRLCK) while it lives. */
#define KEEPER_SUFFIX ".keeper"

struct engine;

/* What serves disks: src/engine, or a double. */
struct engine_ops {
    /* Serves the disk in the file or device `fd`, of which the caller keeps its descriptor, until close().
     * The disk is not served yet. */
    int (*open)(const struct engine *g, const struct volume *v, int fd, const struct secret *volume_key,
                enum map_use use, struct error *e);

    /* Lists the disks that are served, as maps; the caller frees *ret. */
    int (*maps)(const struct engine *g, struct map **ret, size_t *ret_n, struct error *e);

    /* Ends serving the disk, and removes what its process may have left. -EBUSY: a guest has the disk. A disk
     * that was opened for more than `up_to` stays open. */
    int (*close)(const struct engine *g, const struct volume *v, enum map_use up_to, bool *ret_closed,
                 struct error *e);

    /* Tells the guest that the disk has v->size_bytes now. */
    int (*grow)(const struct engine *g, const struct volume *v, struct error *e);
};

struct engine {
    const struct engine_ops *ops;
    struct sockets sockets;
    bool discard; /* what guests discard is passed down */
};

/* True if this user may open and close disks of the engine. Those of the host belong to one user. */
bool served_by_us(const struct engine *g);

/* Finds the disk among those that are served; -ENOENT: it is not. */
int served_find(const struct engine *g, const struct volume *v, struct map *ret,
                struct error *e) _must_check_;

/* Has the process that serves the disk go on for this use, with the size of now. Its own use stays as it was,
 * as that of a dm-crypt map does. -ENOENT: the disk is not served. -EBUSY: it is served read-only while `use`
 * wants to write, or the other way round. */
int served_go_on(const struct engine *g, const struct volume *v, enum map_use use,
                 struct error *e) _must_check_;
