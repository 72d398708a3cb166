/* SPDX-License-Identifier: Apache-2.0 */
/* Makes, copies, remakes and resizes disks of a pool. Each method reads the tags of the instance anew, under
 * the lock of the instance.
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
                r = error_set(e, -EEXIST, "disk %s: this uuid is that of %s already; each disk has its own",
                              disk, all.r[k].v.lv);
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

/* Takes back what add_disk() has done before it failed with `r`. The file may have its name by then, and the
 * line stays until that is gone. */
static void take_back(struct pool *p, struct records *all, struct record *one, int r)
{
    pool_forget(p, one->v.lv);
    if (r != -EEXIST && file_remove(p, &one->v, NULL) < 0) /* EEXIST: the file is somebody else's */
        return;
    records_drop(all, one);
    (void)!records_write(p->folder_fd, all, NULL); /* if that fails, the line has no file: it is no disk */
}

/* Adds the line of a disk, then its file: a copy of `from`, or an empty one (NULL). */
static int add_disk(struct pool *p, struct records *all, const struct volume *v, const struct copied *from,
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
    if (r < 0)
        take_back(p, all, one, r);
    return r;
}

static int create_disk(struct pool *p, struct volume *v, struct error *e)
{
    _cleanup_records_ struct records all = {.n = 0};
    int r = pool_check_ref(p, v, e);
    if (r == 0 && !volume_encrypted(v))
        r = error_set(
            e, -EINVAL,
            "disk %s: would not be encrypted, as each disk of a pool of files has to be; set enabled in "
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
    return r < 0 ? r : add_disk(p, &all, v, NULL, e);
}

int pool_create(struct broker *b, struct volume *v, struct error *e)
{
    return broker_audit(v, "create", create_disk(pool_of(b), v, e), e);
}

static int copy_disk(struct pool *p, const struct volume *v, const struct secret *key, const char *disk,
                     struct error *e)
{
    _cleanup_records_ struct records all = {.n = 0};
    _cleanup_close_ int fd = -1;
    struct record *origin = NULL;
    struct volume new;
    int r = uuid_valid(disk) ? pool_get(p, v, &all, &origin, e)
                             : error_set(e, -EINVAL, "snapshot: '%.40s' is not a UUID", disk);
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
    struct copied from = {.fd = fd,
                          .is_idle = served_find(p->base.engine, &origin->v, &map, NULL) == -ENOENT};
    return add_disk(p, &all, &new, &from, e);
}

/* Makes a copy. `room_bytes` is ignored, since the room that a copy needs is unknown beforehand. */
int pool_snapshot(struct broker *b, const struct volume *origin, const struct secret *key, const char *disk,
                  uint64_t room_bytes, struct error *e)
{
    (void)room_bytes;
    return broker_audit(origin, "snapshot", copy_disk(pool_of(b), origin, key, disk, e), e);
}

/* -------------------------------------------------------------- remake, resize */

static int remake_disk(struct pool *p, const struct volume *v, struct error *e)
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
        r = pool_check_idle(p, &all, &one->v, &fd, e);
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
    return r < 0 ? error_set(e, r, "disk %s: its old contents cannot be removed: %s", v->lv, strerror(-r))
                 : 0;
}

int pool_remake(struct broker *b, const struct volume *v, struct error *e)
{
    return broker_audit(v, "remake", remake_disk(pool_of(b), v, e), e);
}

static int resize_disk(struct pool *p, const struct volume *v, uint64_t size_bytes, struct error *e)
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
    return broker_audit(v, "resize", resize_disk(pool_of(b), v, size_bytes, e), e);
}
