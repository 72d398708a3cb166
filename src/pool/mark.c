/* SPDX-License-Identifier: Apache-2.0 */
/* Marks and removes disks of a pool. Each method checks all disks first, then does them one instance after
 * another.
 */
#include "pool/pool-internal.h"

#include "base/fd.h"
#include "storage/rules.h"

#include <fcntl.h>

int pool_check_idle(const struct pool *p, const struct records *all, const struct volume *v, int *ret_fd,
                    struct error *e)
{
    _cleanup_close_ int fd = -1;
    struct map map;
    for (size_t i = 0; i < all->n && !volume_is_snapshot(v); i++)
        if (volume_is_snapshot(&all->r[i].v))
            return error_set(e, -EBUSY,
                             "disk %s: is left as it is, since %s may be a copy of it; remove that first",
                             v->lv, all->r[i].v.lv);
    int r = served_find(p->base.engine, v, &map, NULL);
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

/* Locks a snapshot itself. With the lock of its instance a process may mark and remove it, unless another
 * works on the snapshot. */
static int lock_snapshot(struct pool *p, const struct volume *v, struct error *e)
{
    struct error why = ERROR_NONE;
    if (!volume_is_snapshot(v))
        return 0;
    int r = locks_take(&p->locks, p->lock_path, v->disk, "", &why);
    return r < 0 ? error_set(e, r, "disk %s: is left as it is, since it is being read: %s", v->lv, why.text)
                 : 0;
}

/* Tells whether something may be done to one disk. */
typedef int check_fn(struct pool *p, const struct records *all, struct record *one, void *context,
                     struct error *e);

static bool first_of_instance(const struct volume *const v[], size_t i)
{
    size_t first = 0;
    while (strncmp(v[first]->lv, v[i]->lv, UUID_TEXT - 1) != 0)
        first++;
    return first == i;
}

/* Checks all disks before something is done to the first of them. */
static int check_all(struct pool *p, const struct volume *const v[], size_t n, bool may_lack, check_fn *check,
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
            r = check(p, &all, one, context, e);
    }
    return r;
}

static int check_mark(struct pool *p, const struct records *all, struct record *one, void *context,
                      struct error *e)
{
    (void)all;
    int r = lock_snapshot(p, &one->v, e);
    if (r == 0 && !one->has_file && *(const enum volume_state *)context == VOLUME_READY)
        return error_set(e, -ENOENT, "disk %s: cannot be marked ready: its file was never made", one->v.lv);
    return r < 0 ? r : rules_mark(&one->v, *(const enum volume_state *)context, e);
}

/* Marks the named disks of one instance, all at once: its tags are replaced as a whole. */
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
        return error_set(e, -EINVAL, "disks: can be marked ready or doomed only");
    int r = check_all(p, v, n, false, check_mark, &state, e);
    for (size_t i = 0; r == 0 && i < n; i++)
        if (first_of_instance(v, i))
            r = mark_instance(p, v, n, i, state, e);
    for (size_t i = 0; i < n; i++)
        broker_audit(v[i], state == VOLUME_READY ? "ready" : "doom", r, e);
    return r;
}

static int check_remove(struct pool *p, const struct records *all, struct record *one, void *context,
                        struct error *e)
{
    _cleanup_close_ int fd = -1;
    (void)context;
    int r = rules_remove(&one->v, e);
    if (r == 0)
        r = lock_snapshot(p, &one->v, e);
    return r < 0 ? r : pool_check_idle(p, all, &one->v, &fd, e);
}

/* Removes one disk. The engine closes it first, which removes what a keeper has left. */
static int remove_one(struct pool *p, const struct volume *v, struct error *e)
{
    _cleanup_records_ struct records all = {.n = 0};
    bool closed = false;
    int r = pool_load(p, v, &all, e);
    struct record *one = r == 0 ? records_find(&all, v->lv) : NULL;
    if (r < 0 || !one)
        return r;
    r = p->base.engine->ops->close(p->base.engine, &one->v, MAP_READ_ONLY, &closed, e);
    if (r == 0)
        r = file_remove(p, &one->v, e);
    if (r < 0)
        return r;
    records_drop(&all, one);
    r = records_write(p->folder_fd, &all, e);
    if (r == 0) /* else the connection may still name the disk, to remove its line */
        pool_forget(p, v->lv);
    return r;
}

int pool_remove(struct broker *b, const struct volume *const v[], size_t n, struct error *e)
{
    struct pool *p = pool_of(b);
    int r = check_all(p, v, n, true, check_remove, NULL, e);
    for (size_t i = 0; r == 0 && i < n; i++)
        r = remove_one(p, v[i], e);
    for (size_t i = 0; i < n; i++)
        broker_audit(v[i], "remove", r, e);
    return r;
}
