/* SPDX-License-Identifier: Apache-2.0 */
/* Lists what a pool holds, as an inventory, which LVM's report gives elsewhere. */
#include "pool/pool-internal.h"

#include "base/fd.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/statvfs.h>
#include <unistd.h>

int list_instances(const struct pool *p, char (**ret)[UUID_TEXT], size_t *ret_n, struct error *e)
{
    char(*all)[UUID_TEXT] = NULL;
    size_t n = 0;
    int again = openat(p->folder_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    _cleanup_closedir_ DIR *folder = again < 0 ? NULL : fdopendir(again);
    if (!folder) {
        int r = error_set(e, errno, "pool %s: cannot be read: %m", p->config->pool_path);
        fd_close(again);
        return r;
    }
    errno = 0;
    for (struct dirent *d; (d = readdir(folder)); errno = 0) {
        if (!uuid_valid(d->d_name))
            continue;
        void *more = reallocarray(all, n + 1, sizeof *all);
        if (!more) {
            free(all);
            return error_memory(e);
        }
        all = more;
        snprintf(all[n++], UUID_TEXT, "%.36s", d->d_name);
    }
    if (errno) {
        free(all);
        return error_set(e, errno, "pool %s: cannot be read to its end: %m", p->config->pool_path);
    }
    *ret = all;
    *ret_n = n;
    return 0;
}

static int read_file_system(const struct pool *p, struct statvfs *ret, struct error *e)
{
    return fstatvfs(p->folder_fd, ret) < 0
               ? error_set(e, errno, "pool %s: the size of its file system cannot be read: %m",
                           p->config->pool_path)
               : 0;
}

int pool_room(const struct pool *p, uint64_t *ret_bytes, struct error *e)
{
    struct statvfs fs;
    int r = read_file_system(p, &fs, e);
    if (r == 0)
        *ret_bytes = (uint64_t)fs.f_bavail * fs.f_frsize;
    return r;
}

/* Fills in the only group. Where the file system has no limit of inodes, the room for the group's metadata is
 * the room for files. */
static int take_group(const struct pool *p, struct inventory *i, struct error *e)
{
    struct statvfs fs;
    int r = read_file_system(p, &fs, e);
    i->groups = r == 0 ? calloc(1, sizeof *i->groups) : NULL;
    if (!i->groups)
        return r < 0 ? r : error_memory(e);
    struct group *g = &i->groups[i->n_groups++];
    g->size_bytes = (uint64_t)fs.f_blocks * fs.f_frsize;
    g->free_bytes = (uint64_t)fs.f_bavail * fs.f_frsize;
    g->extent_bytes = EXTENT_BYTES;
    g->metadata_size_bytes = fs.f_files ? fs.f_files * EXTENT_BYTES : g->size_bytes;
    g->metadata_free_bytes = fs.f_files ? fs.f_favail * EXTENT_BYTES : g->free_bytes;
    g->complete = true;
    memcpy(g->name, p->name, sizeof g->name);
    return 0;
}

/* Makes room in the array `*items` for `more` behind its `n` items. False if out of memory. */
static bool make_room(void *items, size_t n, size_t more, size_t size)
{
    void *larger = reallocarray(*(void **)items, n + more + 1, size);
    if (larger)
        *(void **)items = larger;
    return larger;
}

static void take_record(const struct pool *p, const struct records *all, const struct record *one,
                        struct inventory *i)
{
    if (!one->wrong.errnum) {
        i->volumes[i->n_volumes++] = one->v;
        return;
    }
    struct damaged_volume *d = &i->damaged[i->n_damaged++];
    *d = (struct damaged_volume){.reason = one->wrong};
    memcpy(d->vg, p->name, sizeof d->vg);
    memcpy(d->tagged, all->instance, sizeof d->tagged);
    if (one->v.lv[0])
        memcpy(d->lv, one->v.lv, sizeof d->lv);
    else
        snprintf(d->lv, sizeof d->lv, "%s" VOLUME_INFIX, all->instance);
}

static int take_instance(const struct pool *p, const struct records *all, struct inventory *i,
                         struct error *e)
{
    if (!make_room(&i->volumes, i->n_volumes, all->n, sizeof *i->volumes) ||
        !make_room(&i->damaged, i->n_damaged, all->n, sizeof *i->damaged) ||
        !make_room(&i->untagged, i->n_untagged, all->n_strays, sizeof *i->untagged))
        return error_memory(e);
    for (size_t n = 0; n < all->n; n++)
        take_record(p, all, &all->r[n], i);
    for (size_t n = 0; n < all->n_strays; n++) {
        struct untagged_volume *u = &i->untagged[i->n_untagged++];
        memcpy(u->vg, p->name, sizeof u->vg);
        memcpy(u->instance, all->instance, sizeof u->instance);
        snprintf(u->lv, sizeof u->lv, "%.36s_%.26s", all->instance, all->strays[n]);
    }
    return 0;
}

int pool_list(struct broker *b, struct inventory **ret, struct error *e)
{
    const struct pool *p = pool_of(b);
    _cleanup_free_ char(*instances)[UUID_TEXT] = NULL;
    _cleanup_inventory_ struct inventory *i = calloc(1, sizeof *i);
    size_t n = 0;
    int r = i ? take_group(p, i, e) : error_memory(e);
    if (r == 0)
        r = list_instances(p, &instances, &n, e);
    for (size_t k = 0; r == 0 && k < n; k++) {
        _cleanup_records_ struct records all = {.n = 0};
        r = records_read(p->folder_fd, p->name, instances[k], &all, e);
        if (r == 0)
            r = take_instance(p, &all, i, e);
    }
    if (r == 0)
        r = pool_maps(b, &i->maps, &i->n_maps, e);
    if (r < 0)
        return r;
    inventory_sort(i);
    *ret = TAKE_PTR(i);
    return 0;
}

int pool_maps(struct broker *b, struct map **ret, size_t *ret_n, struct error *e)
{
    const struct pool *p = pool_of(b);
    return p->base.engine->ops->maps(p->base.engine, ret, ret_n, e);
}
