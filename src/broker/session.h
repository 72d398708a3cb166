/* SPDX-License-Identifier: Apache-2.0 */
/* The state of one connection: its locks, its lvm process, and the volumes of the instances that it has
 * locked, as their tags describe them. */
#pragma once

#include "broker/wire.h"
#include "config/config.h"
#include "storage/locks.h"
#include "storage/lvm.h"

#include <sys/socket.h>

/* Longer than any client is silent: see broker_alive(). */
#define SILENCE_MSEC (15 * 60 * 1000)

struct session_volume {
    struct volume v;
    char dependent[DEPENDENT_MAX]; /* why it may not be removed or overwritten, as last read; or empty */
    bool made_here;                /* by CREATE of this connection */
    bool opened_here;              /* by this connection, which has thereby proved that it has the key */
    bool overwritten;              /* the whole volume, by BENCH of this connection */
    bool unsettled;                /* opened here, and its node is not checked yet */
};

struct session {
    const struct config *config;
    struct ucred peer; /* who is at the other end */
    bool root;         /* the peer is root */
    const char *locks_path;
    struct locks locks;
    unsigned silence_msec; /* a client that says nothing for longer is taken for dead; 0: never */
    struct lvm *lvm;
    struct session_volume *known;
    size_t n_known;
    char (*disk_uuids)[UUID_TEXT]; /* made for disks of this connection, and not given to one yet */
    size_t n_disk_uuids;
};

/* Looks who is at the other end. A mayfly that started us as root counts as root, although it has given root
 * up since. */
int session_look_at_peer(struct session *s, int socket, struct error *e) _must_check_;

void session_end(struct session *s);

/* Lists the names of the configured volume groups, as the functions of lvm.h take them. Returns how many. */
size_t session_groups(const struct session *s, const char *ret[CONFIG_LIST_MAX]);

/* Gets the lvm process, which the session owns. */
int session_lvm(struct session *s, struct lvm **ret, struct error *e) _must_check_;

/* Reads the volumes of the instance that `ref` belongs to from LVM, again if they are known already. */
int session_load(struct session *s, const struct volume_ref *ref, struct error *e) _must_check_;

/* As session_load(), for up to LVM_INSTANCES_MAX instances in one group, by one command. */
int session_load_all(struct session *s, const char *vg, const char (*instances)[UUID_TEXT], size_t n,
                     struct error *e) _must_check_;

/* Finds a known volume, or NULL. The pointer is valid until the next load, add or forget. */
struct session_volume *session_find(struct session *s, const struct volume_ref *ref);

/* As session_find(), but loads a volume that is not known. -ENOENT: there is no such volume. */
int session_get(struct session *s, const struct volume_ref *ref, struct session_volume **ret,
                struct error *e) _must_check_;

/* As session_get(), but always loads the volume. */
int session_get_fresh(struct session *s, const struct volume_ref *ref, struct session_volume **ret,
                      struct error *e) _must_check_;

/* Adds it, or replaces one of the same name. */
int session_add(struct session *s, const struct session_volume *k, struct error *e) _must_check_;
void session_forget(struct session *s, const struct volume_ref *ref);

/* Makes uuids for disks. -ENOSPC: too many were made that no disk uses. */
int session_make_disk_uuids(struct session *s, char ret_uuids[WIRE_UUIDS][UUID_TEXT],
                            struct error *e) _must_check_;

/* Checks that none of our volumes has this disk uuid: the maps of both would be in each other's way. A uuid
 * of session_make_disk_uuids() is known to be new, once; for any other LVM is asked. -EEXIST. */
int session_check_disk_new(struct session *s, const char *disk, struct error *e) _must_check_;

/* Forgets all volumes of this instance, except a snapshot of which session_owns_snapshot() is true. */
void session_forget_instance(struct session *s, const char *uuid);

/* Whether this connection made the snapshot and holds the snapshot's own lock. Then it does not need the lock
 * of the instance, so that others may work on that while the snapshot is read. */
bool session_owns_snapshot(const struct session *s, const struct volume_ref *ref);

/* Takes the snapshot's own lock before it is doomed or removed under the lock of the instance. 0 if `v` is
 * not a snapshot. -EBUSY: somebody reads the snapshot. */
int session_lock_snapshot(struct session *s, const struct volume *v, struct error *e) _must_check_;

/* Opens the logical volume's own device (O_RDONLY or O_RDWR), after activating it if need be. */
int session_open_volume(struct session *s, const struct volume *v, int access, int *ret_fd,
                        struct error *e) _must_check_;
