/* SPDX-License-Identifier: Apache-2.0 */
/* What changes the disks of a pool: each by its instance's tags, read anew, under the instance's lock.
 *
 * Tags of one instance are replaced as a whole, so that what is done to several of its disks is done to all
 * of them or to none; instances follow one another.
 */
#include "pool/pool-internal.h"

#include "base/fd.h"
#include "storage/check.h"
#include "storage/rules.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

/* ------------------------------------------------------------------- making */

static int check_disk_new(const struct pool *p, const char *disk, struct error *e)
{
    _cleanup_free_ char(*instances)[UUID_TEXT] = NULL;
    size_t n = 0;
    int r = list_instances(p, &instances, &n, e);
    for (size_t i = 0; r == 0 && i < n; i++) {
        _cleanup_records_ struct records all = {.n = 0};
        r = records_read(p->folder_fd, p->name, instances[i], &all, e);
        for (size_t k = 0; r == 0 && k < all.n; k++)
            if (streq(all.r[k].v.disk, disk))
                r = error_set(e, -EEXIST, "disk %s: is %s already; each disk has a uuid of its own", disk,
                              all.r[k].v.lv);
    }
    return r;
}

static int check_room(const struct pool *p, const struct volume *v, uint64_t more_bytes, struct error *e)
{
    uint64_t room = 0;
    int r = pool_room(p, &room, e);
    if (r == 0 && more_bytes > room)
        r = error_set(e, -ENOSPC,
                      "disk %s: the file system of pool %s has less room than its %llu bytes; see df", v->lv,
                      p->config->pool_path, (unsigned long long)more_bytes);
    return r;
}

/* Adds the line, then the file: a copy of `from`, or empty (NULL). */
static int add(struct pool *p, struct records *all, const struct volume *v, const struct copied *from,
               struct error *e)
{
    for (size_t i = 0; i < all->n; i++)
        if (streq(all->r[i].v.lv, v->lv))
            return error_set(e, -EEXIST, "disk %s/%s: exists already", v->vg, v->lv);
    int r = check_disk_new(p, v->disk, e);
    if (r < 0)
        return r;
    struct pool_known *k = pool_know(p, v);
    struct record *one = records_add(all);
    if (!one || !k)
        return error_memory(e);
    one->v = *v;
    k->made_here = true;
    r = records_write(p->folder_fd, all, e);
    if (r == 0)
        r = file_make(p, v, from, e);
    if (r == 0)
        return 0;
    pool_forget(p, v->lv);
    records_drop(all, one);
    (void)!records_write(p->folder_fd, all, NULL); /* else the line is without a file, and so no disk */
    return r;
}

static int create(struct pool *p, struct volume *v, struct error *e)
{
    _cleanup_records_ struct records all = {.n = 0};
    int r = pool_check_ref(p, v, e);
    if (r == 0 && !volume_encrypted(v))
        r = error_set(e, -EINVAL,
                      "disk %s: would not be encrypted, and all disks of a pool of files are; set enabled in "
                      "[ephemeral_storage_encryption]",
                      v->lv);
    if (r == 0)
        r = rules_create(v, e);
    if (r == 0)
        r = volume_check(v, e);
    if (r == 0)
        r = pool_load(p, v, &all, e);
    if (r == 0)
        r = check_room(p, v, v->size_bytes, e);
    v->size_bytes = (v->size_bytes + EXTENT_BYTES - 1) / EXTENT_BYTES * EXTENT_BYTES;
    return r < 0 ? r : add(p, &all, v, NULL, e);
}

int pool_create(struct broker *b, struct volume *v, struct error *e)
{
    return pool_audit(v, "create", create(pool_of(b), v, e), e);
}

static int snapshot(struct pool *p, const struct volume *v, const struct secret *key, const char *disk,
                    struct error *e)
{
    _cleanup_records_ struct records all = {.n = 0};
    _cleanup_close_ int fd = -1;
    struct record *origin = NULL;
    struct volume new;
    int r = uuid_valid(disk) ? pool_get(p, v, &all, &origin, e)
                             : error_set(e, -EINVAL, "snapshot: '%.40s' is no uuid", disk);
    if (r == 0)
        r = rules_origin(&origin->v, e);
    if (r == 0)
        r = volume_verify_key(&origin->v, key, e);
    if (r == 0)
        r = rules_design_snapshot(&origin->v, disk, origin->v.size_bytes, key, &new, e);
    if (r == 0)
        r = file_open(p, &origin->v, O_RDONLY, &fd, e);
    if (r < 0)
        return r;
    struct map map;
    struct copied from = {.fd = fd, .is_idle = pool_find_map(p, &origin->v, &map, NULL) == -ENOENT};
    return add(p, &all, &new, &from, e);
}

/* A copy needs no room of a size that is known beforehand. */
int pool_snapshot(struct broker *b, const struct volume *origin, const struct secret *key, const char *disk,
                  uint64_t room_bytes, struct error *e)
{
    (void)room_bytes;
    return pool_audit(origin, "snapshot", snapshot(pool_of(b), origin, key, disk, e), e);
}

/* -------------------------------------------------------------- remake, resize */

/* No snapshot of the instance's, nobody serves it, nobody has it open. *ret_fd: the file. */
static int check_idle(const struct pool *p, const struct records *all, const struct volume *v, int *ret_fd,
                      struct error *e)
{
    _cleanup_close_ int fd = -1;
    struct map map;
    for (size_t i = 0; i < all->n && !volume_is_snapshot(v); i++)
        if (volume_is_snapshot(&all->r[i].v))
            return error_set(e, -EBUSY,
                             "disk %s: is left as it is, since %s may be a copy of it; remove that first",
                             v->lv, all->r[i].v.lv);
    int r = pool_find_map(p, v, &map, NULL);
    if (r != -ENOENT)
        return error_set(e, r < 0 ? r : -EBUSY, "disk %s: is open, and is left as it is; close it first",
                         v->lv);
    if (!records_find(all, v->lv)->has_file)
        return 0;
    r = file_open(p, v, O_RDWR, &fd, e);
    if (r == 0)
        r = file_check_unused(fd, v, e);
    if (r == 0)
        *ret_fd = TAKE_FD(fd);
    return r;
}

static int remake(struct pool *p, const struct volume *v, struct error *e)
{
    _cleanup_records_ struct records all = {.n = 0};
    _cleanup_close_ int fd = -1;
    struct record *one = NULL;
    struct volume new = *v;
    int r = pool_get(p, v, &all, &one, e);
    if (r == 0)
        r = rules_remake(&one->v, v, e);
    if (r == 0)
        r = volume_check(v, e);
    if (r == 0)
        r = check_idle(p, &all, &one->v, &fd, e);
    if (r == 0)
        r = check_disk_new(p, v->disk, e);
    if (r < 0)
        return r;
    new.size_bytes = one->v.size_bytes;
    one->v = new;
    struct pool_known *k = pool_know(p, v);
    if (!k)
        return error_memory(e);
    k->made_here = true;
    r = records_write(p->folder_fd, &all, e);
    if (r < 0)
        return r;
    r = file_empty(fd);
    return r < 0 ? error_set(e, r, "disk %s: what it held cannot be removed: %s", v->lv, strerror(-r)) : 0;
}

int pool_remake(struct broker *b, const struct volume *v, struct error *e)
{
    return pool_audit(v, "remake", remake(pool_of(b), v, e), e);
}

static int resize(struct pool *p, const struct volume *v, uint64_t size_bytes, struct error *e)
{
    _cleanup_records_ struct records all = {.n = 0};
    _cleanup_close_ int fd = -1;
    struct record *one = NULL;
    int r = pool_get(p, v, &all, &one, e);
    if (r == 0)
        r = rules_resize(&one->v, size_bytes, e);
    if (r == 0)
        r = check_room(p, v, size_bytes - one->v.size_bytes, e);
    if (r == 0)
        r = file_open(p, v, O_RDWR, &fd, e);
    if (r < 0 || size_bytes == one->v.size_bytes)
        return r;
    size_bytes = (size_bytes + EXTENT_BYTES - 1) / EXTENT_BYTES * EXTENT_BYTES;
    if (ftruncate(fd, (off_t)size_bytes) < 0 || fsync(fd) < 0)
        return error_set(e, errno, "disk %s: its file cannot be made larger: %m", v->lv);
    return 0;
}

int pool_resize(struct broker *b, const struct volume *v, uint64_t size_bytes, struct error *e)
{
    return pool_audit(v, "resize", resize(pool_of(b), v, size_bytes, e), e);
}

/* ------------------------------------------------------------- marks, removals */

/* Whoever has the lock of an instance may remove a snapshot of it, if nobody works on that: takes its lock.
 */
static int lock_snapshot(struct pool *p, const struct volume *v, struct error *e)
{
    struct error why = ERROR_NONE;
    if (!volume_is_snapshot(v))
        return 0;
    int r = locks_take(&p->locks, p->lock_path, v->disk, "", &why);
    return r < 0 ? error_set(e, r, "disk %s: is left as it is, since it is being read: %s", v->lv, why.text)
                 : 0;
}

/* Those of one instance among the `n`: what is done to each is done once all of them may be. */
typedef int judge_fn(struct pool *p, const struct records *all, struct record *one, void *context,
                     struct error *e);

static bool first_of_instance(const struct volume *const v[], size_t i)
{
    size_t first = 0;
    while (strncmp(v[first]->lv, v[i]->lv, UUID_TEXT - 1) != 0)
        first++;
    return first == i;
}

static int judge_all(struct pool *p, const struct volume *const v[], size_t n, bool may_lack, judge_fn *judge,
                     void *context, struct error *e)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < n; i++) {
        _cleanup_records_ struct records all = {.n = 0};
        struct error why = ERROR_NONE;
        struct record *one = NULL;
        r = pool_get(p, v[i], &all, &one, &why);
        if (r == -ENOENT && may_lack)
            r = 0;
        else if (r < 0)
            return error_pass(e, r, &why);
        else
            r = judge(p, &all, one, context, e);
    }
    return r;
}

static int judge_mark(struct pool *p, const struct records *all, struct record *one, void *context,
                      struct error *e)
{
    (void)all;
    int r = lock_snapshot(p, &one->v, e);
    if (r == 0 && !one->has_file && *(const enum volume_state *)context == VOLUME_READY)
        return error_set(e, -ENOENT, "disk %s: its file was never made, so it does not become ready",
                         one->v.lv);
    return r < 0 ? r : rules_mark(&one->v, *(const enum volume_state *)context, e);
}

/* All disks of one instance that are named are marked at once. */
static int mark_instance(struct pool *p, const struct volume *const v[], size_t n, size_t i,
                         enum volume_state state, struct error *e)
{
    _cleanup_records_ struct records all = {.n = 0};
    bool changed = false;
    int r = pool_load(p, v[i], &all, e);
    for (size_t k = i; r == 0 && k < n; k++) {
        struct record *one = records_find(&all, v[k]->lv);
        if (!one)
            continue;
        changed = changed || one->v.state != state;
        one->v.state = state;
        struct pool_known *known = pool_find_known(p, v[k]->lv);
        if (known)
            known->key = secret_free(known->key);
    }
    return r == 0 && changed ? records_write(p->folder_fd, &all, e) : r;
}

int pool_mark(struct broker *b, const struct volume *const v[], size_t n, enum volume_state state,
              struct error *e)
{
    struct pool *p = pool_of(b);
    if (state != VOLUME_READY && state != VOLUME_DOOMED)
        return error_set(e, -EINVAL, "disks: are marked ready or doomed, nothing else");
    int r = judge_all(p, v, n, false, judge_mark, &state, e);
    for (size_t i = 0; r == 0 && i < n; i++)
        if (first_of_instance(v, i))
            r = mark_instance(p, v, n, i, state, e);
    for (size_t i = 0; i < n; i++)
        pool_audit(v[i], state == VOLUME_READY ? "ready" : "doom", r, e);
    return r;
}

static int judge_remove(struct pool *p, const struct records *all, struct record *one, void *context,
                        struct error *e)
{
    _cleanup_close_ int fd = -1;
    (void)context;
    int r = rules_remove(&one->v, e);
    if (r == 0)
        r = lock_snapshot(p, &one->v, e);
    return r < 0 ? r : check_idle(p, all, &one->v, &fd, e);
}

/* What a keeper has left goes with the file. */
static int remove_one(struct pool *p, const struct volume *v, struct error *e)
{
    _cleanup_records_ struct records all = {.n = 0};
    bool closed = false;
    int r = pool_load(p, v, &all, e);
    struct record *one = r == 0 ? records_find(&all, v->lv) : NULL;
    if (r < 0 || !one)
        return r;
    r = p->engine->close(p->runtime_dir, &one->v, MAP_READ_ONLY, &closed, e);
    if (r == 0)
        r = file_remove(p, &one->v, e);
    if (r < 0)
        return r;
    pool_forget(p, v->lv);
    records_drop(&all, one);
    return records_write(p->folder_fd, &all, e);
}

int pool_remove(struct broker *b, const struct volume *const v[], size_t n, struct error *e)
{
    struct pool *p = pool_of(b);
    int r = judge_all(p, v, n, true, judge_remove, NULL, e);
    for (size_t i = 0; r == 0 && i < n; i++)
        r = remove_one(p, v[i], e);
    for (size_t i = 0; i < n; i++)
        pool_audit(v[i], "remove", r, e);
    return r;
}
