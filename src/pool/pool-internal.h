/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of src/pool share. */
#pragma once

#include "pool/pool.h"
#include "pool/records.h"
#include "storage/locks.h"

#define EXTENT_BYTES UINT64_C(4096) /* sizes of disks are multiples of it: whole sectors of any cipher */

/* What this connection knows of a disk beside its tags. */
struct pool_known {
    char lv[LV_NAME_MAX], disk[UUID_TEXT];
    bool made_here, opened_here;
    bool snapshot;
    struct secret *key; /* for FORMAT: key of a disk that was made and opened here, and is not ready yet */
};

struct pool {
    struct broker base;
    const struct config *config;
    int folder_fd;
    char lock_path[PATH_MAX];
    char name[VG_NAME_MAX];
    struct locks locks;
    struct pool_known *known;
    size_t n_known;
};

static inline struct pool *pool_of(struct broker *b)
{
    return (struct pool *)b;
}

/* folder.c: opens the folder of the pool and reads its identity. Makes either if it is missing. */
int folder_open(const char *path, int *ret_fd, char ret_name[VG_NAME_MAX], struct error *e) _must_check_;

/* known.c: finds the entry of a disk; NULL: this connection knows nothing of it. */
struct pool_known *pool_find_known(const struct pool *p, const char *lv);

/* Makes an entry for a disk; NULL: out of memory. */
struct pool_known *pool_know(struct pool *p, const struct volume *v);
void pool_forget(struct pool *p, const char *lv);
void pool_forget_instance(struct pool *p, const char *uuid);
void pool_forget_all(struct pool *p);

/* Checks that this connection may name the disk: it is in this pool, and its instance is locked. -EPERM: not
 * so. */
int pool_check_ref(const struct pool *p, const struct volume *v, struct error *e) _must_check_;

/* True if this connection has made the snapshot, and holds its own lock. */
bool pool_owns_snapshot(const struct pool *p, const char *lv);

/* list.c: lists the instances that have a folder. The caller frees *ret. */
int list_instances(const struct pool *p, char (**ret)[UUID_TEXT], size_t *ret_n,
                   struct error *e) _must_check_;
int pool_list(struct broker *b, struct inventory **ret, struct error *e);
int pool_maps(struct broker *b, struct map **ret, size_t *ret_n, struct error *e);

/* Finds how much room the file system has left. */
int pool_room(const struct pool *p, uint64_t *ret_bytes, struct error *e) _must_check_;

/* Checks that the disk may be named, and reads the tags of its instance. -EUNSAFE: a file of the instance has
 * no tags. */
int pool_load(const struct pool *p, const struct volume *v, struct records *all,
              struct error *e) _must_check_;

/* Does the same, and finds the disk: *ret points into `all`. -ENOENT: there is no such disk. */
int pool_get(const struct pool *p, const struct volume *v, struct records *all, struct record **ret,
             struct error *e) _must_check_;

/* The file to make a copy of. */
struct copied {
    int fd;
    bool is_idle; /* no process writes to it now */
};

/* files.c: makes the file of a disk, a copy of `from` or empty (NULL). -EOPNOTSUPP: the file system shares no
 * blocks, and `from` is not idle. */
int file_make(const struct pool *p, const struct volume *v, const struct copied *from,
              struct error *e) _must_check_;
int file_open(const struct pool *p, const struct volume *v, int flags, int *ret_fd,
              struct error *e) _must_check_;
int file_remove(const struct pool *p, const struct volume *v, struct error *e) _must_check_;
int file_empty(int fd) _must_check_;
int file_check_unused(int fd, const struct volume *v, struct error *e) _must_check_;

/* mark.c: checks that the instance has no snapshot, that the disk is not served, and that no process has its
 * file open. *ret_fd gets the file, if there is one. -EBUSY: not so. */
int pool_check_idle(const struct pool *p, const struct records *all, const struct volume *v, int *ret_fd,
                    struct error *e) _must_check_;

/* change.c, mark.c and use.c: methods of the broker. */
int pool_create(struct broker *b, struct volume *v, struct error *e);
int pool_snapshot(struct broker *b, const struct volume *origin, const struct secret *key, const char *disk,
                  uint64_t room_bytes, struct error *e);
int pool_remake(struct broker *b, const struct volume *v, struct error *e);
int pool_resize(struct broker *b, const struct volume *v, uint64_t size_bytes, struct error *e);
int pool_mark(struct broker *b, const struct volume *const v[], size_t n, enum volume_state state,
              struct error *e);
int pool_remove(struct broker *b, const struct volume *const v[], size_t n, struct error *e);
int pool_open_disk(struct broker *b, const struct volume *v, const struct secret *key, enum map_use use,
                   enum settle settle, struct opened *ret, struct error *e);
int pool_tune(struct broker *b, const struct volume *v, const struct secret *key, bool *ret_changed,
              struct error *e);
int pool_close(struct broker *b, const struct volume *v, enum map_use up_to, enum settle settle,
               bool *ret_closed, struct error *e);
int pool_format(struct broker *b, const struct volume *v, const char *fs, const char *label, struct error *e);
