/* SPDX-License-Identifier: Apache-2.0 */
/* The broker as its callers see it: one method for each operation of ops.def. The real one talks over a
 * socket; the double of the tests (tests/fake/) keeps volumes in memory behind the same table.
 *
 * A connection holds what it has locked until broker_disconnect(). All methods return 0 or a negative errno
 * with a sentence, which mostly comes from the broker itself.
 */
#pragma once

#include "broker/inventory.h"
#include "crypt/opened.h"
#include "secret/secret.h"
#include "storage/suspended.h"

struct broker;
struct broker_ops {
    int (*list)(struct broker *b, struct inventory **ret, struct error *e);

    /* The maps of ours that are open, whatever group is configured; the caller frees *ret. -ENODEV: this
     * kernel has no device-mapper. */
    int (*maps)(struct broker *b, struct map **ret, size_t *ret_n, struct error *e);

    /* -EBUSY: another mayfly works on it; the sentence says who. */
    int (*lock)(struct broker *b, const char *uuid, struct error *e);

    /* Makes durable which domains libvirt has defined, where only root may look at them. */
    int (*sync_domains)(struct broker *b, struct error *e);

    /* Gives a lock back, and what was made or opened under it counts as another's. Cannot fail: what is not
     * given back now is when the connection ends. */
    void (*unlock)(struct broker *b, const char *uuid);

    /* Says, now and then, that the caller is at work: a broker that hears nothing for long ends the
     * connection. To be called wherever one waits for something else; costs next to nothing. */
    void (*alive)(struct broker *b);

    /* A fresh uuid for a disk that is to be made. It is one of the broker's, which then need not ask LVM
     * whether a volume has it. Cannot fail: if the broker makes none, it is ours. */
    void (*disk_uuid)(struct broker *b, char ret_uuid[UUID_TEXT]);

    /* Makes the volume, in state building; v->size_bytes becomes its real size, rounded up to whole extents.
     */
    int (*create)(struct broker *b, struct volume *v, struct error *e);

    /* Makes a snapshot, in state building, of what `origin` holds at this moment, with room_bytes for what
     * changes meanwhile; its uuid is to be `disk`, and its key is the origin's. */
    int (*snapshot)(struct broker *b, const struct volume *origin, const struct secret *volume_key,
                    const char *disk, uint64_t room_bytes, struct error *e);

    /* Opens its map (again), as long as the volume is, and hands out the disk. volume_key is NULL for a
     * plain volume. -EBUSY: it is open read-only, or for writing, against what `use` wants. */
    int (*open)(struct broker *b, const struct volume *v, const struct secret *volume_key, enum map_use use,
                enum settle settle, struct opened *ret, struct error *e);

    /* Ends opens and closes that were to be settled later, before anybody else is to use a map: waits once
     * for the nodes of all, and looks at those of this instance (NULL: of all). A map without its node is
     * closed again; the error is that of the first. */
    int (*settle)(struct broker *b, const char *instance, struct error *e);

    /* Brings the flags of its open map to what the broker would choose now; unchanged: they are that.
     * -ENOENT: it is not open. */
    int (*tune)(struct broker *b, const struct volume *v, const struct secret *volume_key, bool *ret_changed,
                struct error *e);

    /* Lends the scratch volume that this connection made, for reading and writing: itself, or a new map of it
     * by that table, which is to be closed before the next. The first time all of it is overwritten. */
    int (*bench)(struct broker *b, const struct volume *v, const struct secret *volume_key,
                 enum bench_table table, int *ret_fd, struct error *e);

    /* The volume becomes that new disk, in state rebuilding: what it held is gone. */
    int (*remake)(struct broker *b, const struct volume *v, struct error *e);

    /* Makes the volume larger, never smaller; a map of it grows when it is opened again. */
    int (*resize)(struct broker *b, const struct volume *v, uint64_t size_bytes, struct error *e);

    /* The volumes of ours that are suspended (storage/suspended.h); the caller frees *ret. Resumes one. */
    int (*suspended)(struct broker *b, struct suspended **ret, size_t *ret_n, struct error *e);
    int (*resume)(struct broker *b, const struct suspended *v, struct error *e);

    /* What was opened for more than `up_to` stays open. *ret_closed: it was closed now. */
    int (*close)(struct broker *b, const struct volume *v, enum map_use up_to, enum settle settle,
                 bool *ret_closed, struct error *e);
    int (*format)(struct broker *b, const struct volume *v, const char *fs, const char *label,
                  struct error *e);

    /* Any number of volumes, in as few packets as it takes. */
    int (*mark)(struct broker *b, const struct volume *const v[], size_t n, enum volume_state state,
                struct error *e);
    int (*remove)(struct broker *b, const struct volume *const v[], size_t n, struct error *e);

    /* For root alone; see ops.def. The volumes of that group that have the name of the instance, but no tag
     * of ours: names and sizes. The caller frees *ret. */
    int (*strangers)(struct broker *b, const char *vg, const char *uuid, struct volume **ret, size_t *ret_n,
                     struct error *e);

    /* Does something that makes sense show on that stranger under this key? `v` is as it is to be adopted.
     * -EBUSY: it is open. -EUNSAFE: it is not encrypted. */
    int (*try)(struct broker *b, const struct volume *v, const struct secret *volume_key, bool *ret_shows,
               struct error *e);

    /* Tags it, in state adopting; takes the tags off again, also where there are none. */
    int (*adopt)(struct broker *b, const struct volume *v, struct error *e);
    int (*release)(struct broker *b, const struct volume *v, struct error *e);

    void (*disconnect)(struct broker *b);
};

/* Told about once a second while an answer is waited for: of what, and how long. A negative value lets go:
 * the broker ends what it has begun, with its locks, and this connection is of no use any more. */
typedef int broker_patience(void *data, const char *what, unsigned waited_sec);

/* The first member of each implementation's own struct. */
struct broker {
    const struct broker_ops *ops;
    const char *verb;          /* what its locks are taken for, told to whoever finds them taken; NULL */
    broker_patience *patience; /* NULL: without end */
    void *patience_data;
};

/* Connects to the socket that systemd listens on. -EACCES, -ENOENT with the way out in the sentence. */
int broker_connect(const char *socket_path, struct broker **ret, struct error *e) _must_check_;

/* For root: starts `program` (mayfly-broker) with one end of a socket pair as its standard input, and this
 * configuration file (NULL: the installed ones). */
int broker_fork(const char *program, const char *config_path, struct broker **ret,
                struct error *e) _must_check_;

struct broker *broker_disconnect(struct broker *b);
DEFINE_CLEANUP(struct broker *, broker_disconnect)
#define _cleanup_broker_ _cleanup_(broker_disconnectp)

int broker_list(struct broker *b, struct inventory **ret, struct error *e) _must_check_;
int broker_maps(struct broker *b, struct map **ret, size_t *ret_n, struct error *e) _must_check_;
int broker_lock(struct broker *b, const char *uuid, struct error *e) _must_check_;
int broker_sync_domains(struct broker *b, struct error *e) _must_check_;
void broker_unlock(struct broker *b, const char *uuid);
void broker_alive(struct broker *b);
void broker_disk_uuid(struct broker *b, char ret_uuid[UUID_TEXT]);
int broker_create(struct broker *b, struct volume *v, struct error *e) _must_check_;
int broker_snapshot(struct broker *b, const struct volume *origin, const struct secret *volume_key,
                    const char *disk, uint64_t room_bytes, struct error *e) _must_check_;
int broker_open(struct broker *b, const struct volume *v, const struct secret *volume_key, enum map_use use,
                enum settle settle, struct opened *ret, struct error *e) _must_check_;
int broker_settle(struct broker *b, const char *instance, struct error *e) _must_check_;
int broker_tune(struct broker *b, const struct volume *v, const struct secret *volume_key, bool *ret_changed,
                struct error *e) _must_check_;
int broker_bench(struct broker *b, const struct volume *v, const struct secret *volume_key,
                 enum bench_table table, int *ret_fd, struct error *e) _must_check_;
int broker_remake(struct broker *b, const struct volume *v, struct error *e) _must_check_;
int broker_resize(struct broker *b, const struct volume *v, uint64_t size_bytes,
                  struct error *e) _must_check_;
int broker_suspended(struct broker *b, struct suspended **ret, size_t *ret_n, struct error *e) _must_check_;
int broker_resume(struct broker *b, const struct suspended *v, struct error *e) _must_check_;
int broker_close(struct broker *b, const struct volume *v, enum settle settle, struct error *e) _must_check_;
int broker_close_up_to(struct broker *b, const struct volume *v, enum map_use up_to, enum settle settle,
                       bool *ret_closed, struct error *e) _must_check_;
int broker_format(struct broker *b, const struct volume *v, const char *fs, const char *label,
                  struct error *e) _must_check_;
int broker_mark(struct broker *b, const struct volume *const v[], size_t n, enum volume_state state,
                struct error *e) _must_check_;
int broker_remove(struct broker *b, const struct volume *const v[], size_t n, struct error *e) _must_check_;
int broker_strangers(struct broker *b, const char *vg, const char *uuid, struct volume **ret, size_t *ret_n,
                     struct error *e) _must_check_;
int broker_try(struct broker *b, const struct volume *v, const struct secret *volume_key, bool *ret_shows,
               struct error *e) _must_check_;
int broker_adopt(struct broker *b, const struct volume *v, struct error *e) _must_check_;
int broker_release(struct broker *b, const struct volume *v, struct error *e) _must_check_;
