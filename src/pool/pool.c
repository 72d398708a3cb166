/* SPDX-License-Identifier: Apache-2.0 */
/* A pool as a broker: its locks, its table of methods, and the methods that files do not have. See pool.h. */
#include "pool/pool-internal.h"

#include "base/fd.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

static int take_lock(struct broker *b, const char *uuid, struct error *e)
{
    struct pool *p = pool_of(b);
    if (!uuid_valid(uuid))
        return error_set(e, -EINVAL, "lock: '%.40s' is not a UUID", uuid);
    return locks_take(&p->locks, p->lock_path, uuid, b->verb ? b->verb : "", e);
}

static void give_lock_back(struct broker *b, const char *uuid)
{
    struct pool *p = pool_of(b);
    locks_give_back(&p->locks, uuid);
    pool_forget_instance(p, uuid);
}

/* Does nothing: locks last as long as this process. */
static void alive(struct broker *b)
{
    (void)b;
}

static void disk_uuid(struct broker *b, char ret_uuid[UUID_TEXT])
{
    (void)b;
    uuid_make(ret_uuid);
}

static int settle(struct broker *b, const char *instance, struct error *e)
{
    (void)b, (void)instance, (void)e;
    return 0;
}

/* ------------------------------------------------ methods that files lack */

static int refuse(const struct pool *p, const char *what, struct error *e)
{
    return error_set(e, -EINVAL,
                     "pool %s: is a pool of files, which %s; use a volume group of LVM: see "
                     "images_volume_group in mayfly.conf",
                     p->config->pool_path, what);
}

/* Refuses, since a user's libvirt keeps its definitions in that user's own folder, which virt/settle.c syncs.
 * It asks a broker only for those of the host. */
static int sync_domains(struct broker *b, struct error *e)
{
    return refuse(pool_of(b), "cannot make definitions of the host's libvirt durable", e);
}

static int bench(struct broker *b, const struct volume *v, const struct secret *key, enum bench_table table,
                 int *ret_fd, struct error *e)
{
    (void)key, (void)table, (void)ret_fd;
    int r = pool_check_ref(pool_of(b), v, e);
    return r < 0 ? r : refuse(pool_of(b), "lends no device to be measured", e);
}

static int set_engine(struct broker *b, const struct volume *v, enum volume_engine engine, struct error *e)
{
    int r = pool_check_ref(pool_of(b), v, e);
    return r < 0 || engine == ENGINE_USER ? r
                                          : refuse(pool_of(b), "has no disks that dm-crypt could open", e);
}

static int suspended(struct broker *b, struct suspended **ret, size_t *ret_n, struct error *e)
{
    (void)b;
    *ret = malloc(1);
    *ret_n = 0;
    return *ret ? 0 : error_memory(e);
}

static int resume(struct broker *b, const struct suspended *v, struct error *e)
{
    struct volume named = {.size_bytes = 0};
    memcpy(named.vg, v->vg, sizeof named.vg);
    memcpy(named.lv, v->lv, sizeof named.lv);
    int r = pool_check_ref(pool_of(b), &named, e);
    return r < 0 ? r : refuse(pool_of(b), "suspends none of its disks", e);
}

static int refuse_adoption(struct pool *p, const struct volume *v, struct error *e)
{
    int r = pool_check_ref(p, v, e);
    return r < 0 ? r : refuse(p, "has no disks that Nova made", e);
}

static int strangers(struct broker *b, const char *vg, const char *uuid, struct volume **ret, size_t *ret_n,
                     struct error *e)
{
    struct volume v = {.role = "root"};
    (void)ret, (void)ret_n;
    snprintf(v.vg, sizeof v.vg, "%.63s", vg);
    snprintf(v.instance, sizeof v.instance, "%.36s", uuid);
    volume_set_lv_name(&v);
    return refuse_adoption(pool_of(b), &v, e);
}

static int try_key(struct broker *b, const struct volume *v, const struct secret *key, bool *ret_shows,
                   struct error *e)
{
    (void)key, (void)ret_shows;
    return refuse_adoption(pool_of(b), v, e);
}

static int adopt(struct broker *b, const struct volume *v, struct error *e)
{
    return refuse_adoption(pool_of(b), v, e);
}

/* ------------------------------------------------------------- begin and end */

static void disconnect(struct broker *b)
{
    struct pool *p = pool_of(b);
    pool_forget_all(p);
    locks_drop(&p->locks);
    fd_close(p->folder_fd);
    free(p);
}

static const struct broker_ops pool_ops = {
    .list = pool_list,
    .maps = pool_maps,
    .lock = take_lock,
    .sync_domains = sync_domains,
    .unlock = give_lock_back,
    .alive = alive,
    .disk_uuid = disk_uuid,
    .create = pool_create,
    .snapshot = pool_snapshot,
    .open = pool_open_disk,
    .settle = settle,
    .tune = pool_tune,
    .bench = bench,
    .remake = pool_remake,
    .resize = pool_resize,
    .set_engine = set_engine,
    .suspended = suspended,
    .resume = resume,
    .close_up_to = pool_close,
    .format = pool_format,
    .mark = pool_mark,
    .remove = pool_remove,
    .strangers = strangers,
    .try = try_key,
    .adopt = adopt,
    .release = adopt,
    .disconnect = disconnect,
};

/* Removes the folders of instances that have no disk, except locked ones: a disk is being made there. */
static void remove_empty_folders(struct pool *p)
{
    _cleanup_free_ char(*instances)[UUID_TEXT] = NULL;
    size_t n = 0;
    if (list_instances(p, &instances, &n, NULL) < 0)
        return;
    for (size_t i = 0; i < n; i++) {
        struct records none = {.n = 0};
        memcpy(none.instance, instances[i], sizeof none.instance);
        if (!records_none(p->folder_fd, instances[i]) ||
            locks_take(&p->locks, p->lock_path, instances[i], "", NULL) < 0)
            continue;
        if (records_none(p->folder_fd, instances[i])) /* still empty, now that it is locked */
            (void)!records_write(p->folder_fd, &none, NULL);
        locks_give_back(&p->locks, instances[i]);
    }
}

int pool_open(const struct config *c, const struct engine *engine, struct broker **ret, struct error *e)
{
    int r = cipher_begin(e);
    if (r < 0)
        return r;
    struct pool *p = malloc(sizeof *p);
    if (!p)
        return error_memory(e);
    *p = (struct pool){
        .base = {.ops = &pool_ops, .engine = engine}, .config = c, .folder_fd = -1, .locks = LOCKS_NONE};
    p->locks.pid = getpid();
    p->locks.uid = getuid();
    r = folder_open(c->pool_path, &p->folder_fd, p->name, e);
    if (r < 0) {
        disconnect(&p->base);
        return r;
    }
    snprintf(p->lock_path, sizeof p->lock_path, "%.4000s/lock", c->pool_path);
    remove_empty_folders(p);
    *ret = &p->base;
    return 0;
}

const char *pool_name(const struct broker *b)
{
    return ((const struct pool *)b)->name;
}

void pool_file_path(const char *pool_path, const struct volume *v, char field[PATH_MAX])
{
    snprintf(field, PATH_MAX, "%.3000s/%.36s/%s", pool_path, v->lv, record_file(v));
}
