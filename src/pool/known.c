/* SPDX-License-Identifier: Apache-2.0 */
/* What this connection has made and opened, which disks it may name, and what their tags say now. */
#include "pool/pool-internal.h"

#include <stdio.h>

struct pool_known *pool_find_known(const struct pool *p, const char *lv)
{
    for (size_t i = 0; i < p->n_known; i++)
        if (streq(p->known[i].lv, lv))
            return &p->known[i];
    return NULL;
}

struct pool_known *pool_know(struct pool *p, const struct volume *v)
{
    pool_forget(p, v->lv);
    struct pool_known *more = reallocarray(p->known, p->n_known + 1, sizeof *more);
    if (!more)
        return NULL;
    p->known = more;
    struct pool_known *k = &p->known[p->n_known++];
    *k = (struct pool_known){.snapshot = volume_is_snapshot(v)};
    memcpy(k->lv, v->lv, sizeof k->lv);
    memcpy(k->disk, v->disk, sizeof k->disk);
    return k;
}

static void drop_entry(struct pool *p, struct pool_known *k)
{
    secret_free(k->key);
    *k = p->known[--p->n_known];
}

void pool_forget(struct pool *p, const char *lv)
{
    struct pool_known *k = pool_find_known(p, lv);
    if (k)
        drop_entry(p, k);
}

/* Keeps the entries of snapshots that are locked by themselves. */
void pool_forget_instance(struct pool *p, const char *uuid)
{
    for (size_t i = p->n_known; i-- > 0;)
        if (strncmp(p->known[i].lv, uuid, UUID_TEXT - 1) == 0 && !pool_owns_snapshot(p, p->known[i].lv))
            drop_entry(p, &p->known[i]);
}

void pool_forget_all(struct pool *p)
{
    while (p->n_known)
        drop_entry(p, p->known);
    free(p->known);
}

bool pool_owns_snapshot(const struct pool *p, const char *lv)
{
    const struct pool_known *k = pool_find_known(p, lv);
    return k && k->snapshot && k->made_here && locks_held(&p->locks, k->disk);
}

int pool_check_ref(const struct pool *p, const struct volume *v, struct error *e)
{
    char instance[UUID_TEXT];
    if (!volume_lv_name_valid(v->lv))
        return error_set(e, -EINVAL, "disk: its name is not a Mayfly name");
    if (!streq(v->vg, p->name))
        return error_set(e, -EPERM, "disk %s: is not in pool %s, but in %s; see [pool] path in mayfly.conf",
                         v->lv, p->name, v->vg);
    snprintf(instance, sizeof instance, "%.36s", v->lv);
    if (!locks_held(&p->locks, instance) && !pool_owns_snapshot(p, v->lv))
        return error_set(e, -EPERM, "instance %s: is not locked by this connection", instance);
    return 0;
}

int pool_load(const struct pool *p, const struct volume *v, struct records *all, struct error *e)
{
    char instance[UUID_TEXT];
    snprintf(instance, sizeof instance, "%.36s", v->lv);
    int r = pool_check_ref(p, v, e);
    if (r == 0)
        r = records_read(p->folder_fd, p->name, instance, all, e);
    if (r == 0 && all->n_strays)
        return error_set(
            e, -EUNSAFE,
            "instance %s: is left as it is, since its file %s has no line among the tags in %s/%s; "
            "restore that, or move the file away",
            instance, all->strays[0], p->config->pool_path, instance);
    return r;
}

/* Says why a disk is absent. A line that cannot be parsed at all may be that of any disk. */
static int error_absent(const struct pool *p, const struct records *all, const struct volume *v,
                        struct error *e)
{
    for (size_t i = 0; i < all->n; i++)
        if (!all->r[i].v.lv[0] || streq(all->r[i].v.lv, v->lv))
            return error_set(e, -EINVAL, "disk %s: its tags are damaged: %s", v->lv, all->r[i].wrong.text);
    return error_set(e, -ENOENT, "disk %s/%s: does not exist; see mayfly list", p->name, v->lv);
}

int pool_get(const struct pool *p, const struct volume *v, struct records *all, struct record **ret,
             struct error *e)
{
    int r = pool_load(p, v, all, e);
    if (r < 0)
        return r;
    *ret = records_find(all, v->lv);
    return *ret ? 0 : error_absent(p, all, v, e);
}
