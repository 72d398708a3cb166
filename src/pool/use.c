/* SPDX-License-Identifier: Apache-2.0 */
/* Opens and closes the disks of a pool, and makes file systems on them. A disk is open while the engine
 * serves it. A process that opens a disk also gets its file and a cipher, and thereby a lock on the first
 * byte of the file, by which closing notices the processes that still have it. */
#include "pool/pool-internal.h"

#include "base/fd.h"
#include "broker/format.h"
#include "storage/check.h"
#include "storage/mkfs.h"
#include "storage/rules.h"

#include <fcntl.h>
#include <unistd.h>

/* ------------------------------------------------------------------ opening */

static struct flock first_byte(short type)
{
    return (struct flock){.l_type = type, .l_whence = SEEK_SET, .l_start = 0, .l_len = 1};
}

/* Opens the file for this process, with a cipher and the lock on its first byte. */
static int hand_out(const struct pool *p, const struct volume *v, const struct secret *key, int flags,
                    struct opened *ret, struct error *e)
{
    _cleanup_opened_ struct opened o = OPENED_NONE;
    struct flock shared = first_byte(F_RDLCK);
    int r = file_open(p, v, flags, &o.fd, e);
    if (r == 0 && fcntl(o.fd, F_OFD_SETLK, &shared) < 0)
        r = error_set(e, errno, "disk %s: its file cannot be locked: %m", v->lv);
    if (r == 0)
        r = cipher_new(key, v->sector_bytes, &o.cipher, e);
    if (r == 0)
        *ret = TAKE(o, OPENED_NONE);
    return r;
}

/* Starts serving a disk. A ready one has contents, so no other process may have its file open. */
static int start_serving(const struct pool *p, const struct volume *v, const struct secret *key,
                         enum map_use use, struct error *e)
{
    _cleanup_close_ int fd = -1;
    int r = file_open(p, v, (map_use_reads_only(use, v) ? O_RDONLY : O_RDWR) | O_DIRECT, &fd, e);
    if (r == 0 && v->state == VOLUME_READY)
        r = file_check_unused(fd, v, e);
    return r < 0 ? r : p->base.engine->ops->open(p->base.engine, v, fd, key, use, e);
}

/* Starts a keeper unless the disk has one. The instance is locked, so that no other is started in between. */
static int serve(const struct pool *p, const struct volume *v, const struct secret *key, enum map_use use,
                 struct error *e)
{
    struct error why = ERROR_NONE;
    int r = served_go_on(p->base.engine, v, use, &why);
    if (r == -ENOENT)
        return start_serving(p, v, key, use, e);
    return r < 0 ? error_pass(e, r, &why) : 0;
}

/* Keeps the key for FORMAT, until the disk is closed or ready. */
static int remember_key(struct pool *p, const struct volume *v, const struct secret *key, struct error *e)
{
    struct pool_known *k = pool_find_known(p, v->lv);
    if (!k)
        return 0;
    k->opened_here = true;
    if (k->key || !k->made_here || !volume_unfinished(v))
        return 0;
    int r = secret_new(secret_size(key), &k->key, e);
    if (r == 0)
        memcpy(secret_bytes(k->key), secret_peek(key), secret_size(key));
    return r;
}

static int open_with_key(struct pool *p, const struct volume *v, const struct secret *key, enum map_use use,
                         struct opened *ret, struct error *e)
{
    int r = rules_open(v, e);
    if (r == 0 && !key)
        r = error_set(e, -EKEYREJECTED, "disk %s: is encrypted, and not opened without its key", v->lv);
    if (r == 0)
        r = volume_verify_key(v, key, e);
    if (r == 0)
        r = serve(p, v, key, use, e);
    return r < 0 ? r : hand_out(p, v, key, map_use_reads_only(use, v) ? O_RDONLY : O_RDWR, ret, e);
}

static int open_disk(struct pool *p, const struct volume *v, const struct secret *key, enum map_use use,
                     struct opened *ret, struct error *e)
{
    _cleanup_records_ struct records all = {.n = 0};
    _cleanup_opened_ struct opened o = OPENED_NONE;
    struct record *one = NULL;
    int r = pool_get(p, v, &all, &one, e);
    if (r == 0)
        r = open_with_key(p, &one->v, key, use, &o, e);
    if (r == 0)
        r = remember_key(p, &one->v, key, e);
    if (r == 0)
        *ret = TAKE(o, OPENED_NONE);
    return r;
}

int pool_open_disk(struct broker *b, const struct volume *v, const struct secret *key, enum map_use use,
                   enum settle settle, struct opened *ret, struct error *e)
{
    (void)settle;
    return broker_audit(v, "open", open_disk(pool_of(b), v, key, use, ret, e), e);
}

/* Changes nothing, since there is nothing to tune. As over LVM, the disk must be open and the key right. */
int pool_tune(struct broker *b, const struct volume *v, const struct secret *key, bool *ret_changed,
              struct error *e)
{
    struct pool *p = pool_of(b);
    _cleanup_records_ struct records all = {.n = 0};
    struct record *one = NULL;
    struct map map;
    int r = pool_get(p, v, &all, &one, e);
    if (r == 0)
        r = rules_tune(&one->v, e);
    if (r == 0)
        r = volume_verify_key(&one->v, key, e);
    if (r == 0)
        r = served_find(p->base.engine, &one->v, &map, e);
    if (r == 0)
        *ret_changed = false;
    return r;
}

/* ------------------------------------------------------------------ closing */

/* Checks that no process has the file by hand_out(). */
static int check_not_handed_out(const struct pool *p, const struct volume *v, struct error *e)
{
    _cleanup_close_ int fd = -1;
    struct flock alone = first_byte(F_WRLCK);
    if (file_open(p, v, O_RDWR, &fd, NULL) < 0) /* the file is gone, so nobody can open it */
        return 0;
    if (fcntl(fd, F_OFD_GETLK, &alone) == 0 && alone.l_type != F_UNLCK)
        return error_set(e, -EBUSY, "disk %s: cannot be closed: a process reads or writes it", v->lv);
    return 0;
}

static int close_disk(struct pool *p, const struct volume *v, enum map_use up_to, bool *ret_closed,
                      struct error *e)
{
    struct error why = ERROR_NONE;
    struct map map;
    int r = pool_check_ref(p, v, e);
    if (r < 0)
        return r;
    *ret_closed = false;
    r = served_find(p->base.engine, v, &map, &why);
    if (r == -ENOENT || (r == 0 && map_uuid_use(map.uuid) > up_to))
        return 0;
    if (r < 0)
        return error_pass(e, r, &why);
    r = check_not_handed_out(p, v, e);
    return r < 0 ? r : p->base.engine->ops->close(p->base.engine, v, up_to, ret_closed, e);
}

int pool_close(struct broker *b, const struct volume *v, enum map_use up_to, enum settle settle,
               bool *ret_closed, struct error *e)
{
    struct pool *p = pool_of(b);
    bool closed = false;
    (void)settle;
    int r = close_disk(p, v, up_to, &closed, e);
    struct pool_known *k = r == 0 ? pool_find_known(p, v->lv) : NULL;
    if (k && closed) {
        k->opened_here = false;
        k->key = secret_free(k->key);
    }
    *ret_closed = r == 0 ? closed : *ret_closed;
    return r < 0 || closed ? broker_audit(v, "close", r, e) : 0;
}

/* --------------------------------------------------------------- file systems */

static int format_disk(struct pool *p, const struct volume *v, const char *fs, const char *label,
                       struct error *e)
{
    _cleanup_records_ struct records all = {.n = 0};
    _cleanup_opened_ struct opened disk = OPENED_NONE;
    struct record *one = NULL;
    int r = mkfs_check(fs, label, e);
    if (r == 0)
        r = pool_get(p, v, &all, &one, e);
    const struct pool_known *k = r == 0 ? pool_find_known(p, v->lv) : NULL;
    if (r == 0)
        r = rules_format(&one->v, k && k->made_here && k->opened_here, e);
    if (r == 0)
        r = hand_out(p, &one->v, k->key, O_RDWR, &disk, e);
    if (r < 0)
        return r;
    r = format_make(&disk, fs, label, e);
    if (r < 0)
        error_prefix(e, "disk %s: cannot be formatted as %s: ", v->lv, fs);
    return r;
}

int pool_format(struct broker *b, const struct volume *v, const char *fs, const char *label, struct error *e)
{
    return broker_audit(v, "format", format_disk(pool_of(b), v, fs, label, e), e);
}
