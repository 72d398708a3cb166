/* SPDX-License-Identifier: Apache-2.0 */
/* What the broker knows in the life of one connection: its locks, its lvm process, and the volumes of the
 * instances that it has locked, as their tags describe them. */
#pragma once

#include "broker/wire.h"
#include "config/config.h"
#include "storage/locks.h"
#include "storage/lvm.h"

#include <sys/socket.h>

/* Longer than whatever a client waits for without a word: see broker_alive(). */
#define SILENCE_MSEC (15 * 60 * 1000)

struct known {
    struct volume v;
    char dependent[DEPENDENT_MAX]; /* why it may not be removed or overwritten, when it was read; or empty */
    bool made_here;                /* by CREATE of this connection */
    bool opened_here;              /* by this connection, which so has proven that it has the key */
    bool overwritten;              /* by BENCH of this connection, all of it */
    bool unsettled;                /* opened here; whether its node leads to it is still to be seen */
};

struct session {
    const struct config *config;
    struct ucred peer; /* who is at the other end */
    bool root;         /* it is root */
    const char *locks_path;
    struct locks locks;
    unsigned silence_msec; /* a client that says nothing for longer is taken for dead; 0: never */
    struct lvm *lvm;
    struct known *known;
    size_t n_known;
    char (*disk_uuids)[UUID_TEXT]; /* made for disks of this connection, and not given to one yet */
    size_t n_disk_uuids;
};

/* Who is at the other end. Of one that root's mayfly started, who gave root up later, it still says root. */
int session_look_at_peer(struct session *s, int socket, struct error *e) _must_check_;

void session_end(struct session *s);

/* The lvm process, owned by the session. */
int session_lvm(struct session *s, struct lvm **ret, struct error *e) _must_check_;

/* Reads the volumes of the instance that `ref` belongs to from LVM, again if they are known already. */
int session_load(struct session *s, const struct volume_ref *ref, struct error *e) _must_check_;

/* The same for up to LVM_INSTANCES_MAX instances in one group, by one command. */
int session_load_all(struct session *s, const char *vg, const char (*instances)[UUID_TEXT], size_t n,
                     struct error *e) _must_check_;

/* NULL if it is not known. Results are good until the next load, add or forget. */
struct known *session_find(struct session *s, const struct volume_ref *ref);

/* As session_find, but loads it where it is not known. -ENOENT: there is no such volume. */
int session_get(struct session *s, const struct volume_ref *ref, struct known **ret,
                struct error *e) _must_check_;

/* The volume as it is now: as session_get, but always loads it. */
int session_get_fresh(struct session *s, const struct volume_ref *ref, struct known **ret,
                      struct error *e) _must_check_;

/* Adds it, or replaces one of the same name. */
int session_add(struct session *s, const struct known *k, struct error *e) _must_check_;
void session_forget(struct session *s, const struct volume_ref *ref);

/* Makes uuids for disks. -ENOSPC: there are too many that no disk has got. */
int session_make_disk_uuids(struct session *s, char ret_uuids[WIRE_UUIDS][UUID_TEXT],
                            struct error *e) _must_check_;

/* Is no volume of ours the disk of this uuid? Its map would get in the way of that one's. Of one that
 * session_make_disk_uuids() made this is known, the first time; for another LVM is asked. -EEXIST. */
int session_check_disk_new(struct session *s, const char *disk, struct error *e) _must_check_;

/* All volumes of this instance, but a snapshot that session_owns_snapshot(). */
void session_forget_instance(struct session *s, const char *uuid);

/* Is that the snapshot which this connection made, and whose own lock it holds? It needs not that of the
 * instance, which others may work on while the snapshot is read. */
bool session_owns_snapshot(const struct session *s, const struct volume_ref *ref);

/* Whoever has the lock of an instance may remove a snapshot of it, if nobody works on that: takes the lock of
 * the snapshot. 0 for what is none. -EBUSY: it is being read. */
int session_lock_snapshot(struct session *s, const struct volume *v, struct error *e) _must_check_;

/* Opens the logical volume's own device (O_RDONLY or O_RDWR), after activating it if need be. */
int session_open_volume(struct session *s, const struct volume *v, int access, int *ret_fd,
                        struct error *e) _must_check_;
