/* SPDX-License-Identifier: Apache-2.0 */
/* See fake-storage.h. It has one group, "vg0", and checks what the real ones would check. */
#include "fake-storage.h"

#include "base/fd.h"
#include "broker/device.h"
#include "storage/lvm.h"
#include "storage/mkfs.h"
#include "storage/suspended.h"
#include "storage/tags.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

struct fake_storage fake_storage;
#define S (&fake_storage)

#define MAY_FAIL(e)                                                                                          \
    do {                                                                                                     \
        if (S->fails && S->fails(__func__))                                                                  \
            return error_set(e, -EIO, "%s: fails", __func__);                                                \
    } while (0)

struct lvm {
    int nothing;
};

static struct fake_volume *find(const char *vg, const char *lv)
{
    for (size_t i = 0; i < S->n_volumes; i++)
        if (streq(S->volumes[i].v.lv, lv) && streq(S->volumes[i].v.vg, vg))
            return &S->volumes[i];
    return NULL;
}

static struct map *find_map(const char *name)
{
    for (size_t i = 0; i < S->n_maps; i++)
        if (streq(S->maps[i].name, name))
            return &S->maps[i];
    return NULL;
}

void fake_storage_add(const struct volume *v)
{
    struct fake_volume *new = &S->volumes[S->n_volumes++];
    *new = (struct fake_volume){.v = *v, .fd = memfd_create("fake-volume", MFD_CLOEXEC)};
    if (ftruncate(new->fd, (off_t)v->size_bytes) < 0)
        abort();
}

void fake_storage_add_stranger(const struct volume *v)
{
    fake_storage_add(v);
    S->volumes[S->n_volumes - 1].stranger = true;
}

void fake_storage_add_map(const char *name, const char *uuid)
{
    struct map *m = &S->maps[S->n_maps++];
    memset(m, 0, sizeof *m);
    snprintf(m->name, sizeof m->name, "%s", name);
    snprintf(m->uuid, sizeof m->uuid, "%s", uuid);
}

void fake_storage_clear(void)
{
    for (size_t i = 0; i < S->n_volumes; i++)
        fd_close(S->volumes[i].fd);
    *S = (struct fake_storage){0};
}

/* --------------------------------------------------------------------- LVM */

int lvm_start(int keep_fd, struct lvm **ret, struct error *e)
{
    MAY_FAIL(e);
    if (fcntl(keep_fd, F_GETFD) < 0) /* the real one has it open for as long as an lvm is at work */
        return error_set(e, errno, "lvm: there is nothing to keep open: %m");
    *ret = calloc(1, sizeof **ret);
    return *ret ? 0 : error_memory(e);
}

struct lvm *lvm_stop(struct lvm *l)
{
    free(l);
    return NULL;
}

int lvm_report(struct lvm *l, const char *const vgs[], size_t n_vgs, int fd, struct error *e)
{
    MAY_FAIL(e);
    (void)l, (void)vgs, (void)n_vgs, (void)e;
    dprintf(fd, "{\"report\":[{\"lv\":[");
    for (size_t i = 0, told = 0; i < S->n_volumes; i++) {
        char tags[TAGS_TEXT_MAX];
        const struct volume *v = &S->volumes[i].v;
        if (S->volumes[i].stranger)
            tags[0] = '\0';
        else
            tags_format(v, tags);
        dprintf(
            fd,
            "%s{\"vg_name\":\"%s\",\"lv_name\":\"%s\",\"lv_size\":\"%llu\",\"lv_tags\":\"%s\",\"lv_role\":"
            "\"public\",\"lv_layout\":\"linear\",\"origin\":\"\",\"lv_allocation_locked\":\"\"}",
            told++ ? "," : "", v->vg, v->lv, (unsigned long long)v->size_bytes, tags);
    }
    dprintf(
        fd,
        "]}]}\n{\"report\":[{\"vg\":[{\"vg_name\":\"vg0\",\"vg_size\":\"1073741824\",\"vg_free\":"
        "\"536870912\","
        "\"vg_extent_size\":\"4194304\",\"vg_mda_size\":\"1044480\",\"vg_mda_free\":\"500000\","
        "\"vg_missing_pv_count\":\"0\",\"vg_shared\":\"\",\"vg_clustered\":\"\",\"lv_count\":\"0\"}]}]}\n");
    return 0;
}

static bool among(const char *instance, const char (*instances)[UUID_TEXT], size_t n)
{
    bool found = false;
    for (size_t i = 0; !found && i < n; i++)
        found = streq(instance, instances[i]);
    return found;
}

int lvm_volumes_named(struct lvm *l, const char *vg, const char (*instances)[UUID_TEXT], size_t n_instances,
                      struct lvm_volume **ret, size_t *ret_n, struct error *e)
{
    MAY_FAIL(e);
    if (S->group_gone && streq(S->group_gone, vg))
        return error_set(e, -ENOENT, "volume group %s: not found", vg);
    struct lvm_volume *found = calloc(FAKE_MAX, sizeof *found);
    size_t n = 0;
    (void)l;
    if (!found)
        return error_memory(e);
    for (size_t i = 0; i < S->n_volumes; i++)
        if (among(S->volumes[i].v.instance, instances, n_instances) && streq(S->volumes[i].v.vg, vg)) {
            struct volume *v = &S->volumes[i].v;
            if (S->replaced)
                v->disk[0] = v->disk[0] == 'f' ? 'e' : 'f';
            struct volume names = {.size_bytes = v->size_bytes};
            memcpy(names.vg, v->vg, sizeof names.vg);
            memcpy(names.lv, v->lv, sizeof names.lv);
            snprintf(found[n].dependent, sizeof found[n].dependent, "%s", S->volumes[i].dependent);
            found[n++].v = S->volumes[i].stranger ? names : *v;
        }
    *ret = found;
    *ret_n = n;
    return 0;
}

int lvm_volumes_of(struct lvm *l, const char *vg, const char (*instances)[UUID_TEXT], size_t n,
                   struct lvm_volume **ret, size_t *ret_n, struct error *e)
{
    _cleanup_free_ struct lvm_volume *found = NULL;
    int r = lvm_volumes_named(l, vg, instances, n, &found, ret_n, e);
    for (size_t i = 0; r == 0 && i < *ret_n; i++)
        if (volume_stranger(&found[i].v))
            r = error_set(e, -EUNSAFE, "volume %s: has no tags", found[i].v.lv);
    if (r == 0)
        *ret = TAKE_PTR(found);
    return r;
}

int lvm_tag(struct lvm *l, const struct volume *v, struct error *e)
{
    MAY_FAIL(e);
    struct fake_volume *f = find(v->vg, v->lv);
    (void)l;
    if (!f || !f->stranger)
        return error_set(e, -EIO, "volume %s: none, or tagged", v->lv);
    f->v = *v;
    f->stranger = false;
    return 0;
}

int lvm_untag(struct lvm *l, const struct volume *v, struct error *e)
{
    MAY_FAIL(e);
    struct fake_volume *f = find(v->vg, v->lv);
    (void)l;
    if (!f || f->stranger)
        return error_set(e, -EIO, "volume %s: none, or not tagged", v->lv);
    f->stranger = true;
    return 0;
}

static bool is_one_of(const char *const vgs[], size_t n, const char *vg)
{
    for (size_t i = 0; i < n; i++)
        if (streq(vgs[i], vg))
            return true;
    return false;
}

int lvm_find_disk(struct lvm *l, const char *const vgs[], size_t n_vgs, const char *disk,
                  char where[LVM_WHERE_MAX], struct error *e)
{
    MAY_FAIL(e);
    (void)l;
    if (S->find_fails)
        return error_set(e, -EIO, "disk %s: not looked for", disk);
    where[0] = '\0';
    for (size_t i = 0; i < S->n_volumes; i++)
        if (!S->volumes[i].stranger && streq(S->volumes[i].v.disk, disk) &&
            is_one_of(vgs, n_vgs, S->volumes[i].v.vg))
            snprintf(where, LVM_WHERE_MAX, "%s/%s", S->volumes[i].v.vg, S->volumes[i].v.lv);
    return 0;
}

int lvm_create(struct lvm *l, const struct volume *v, struct error *e)
{
    MAY_FAIL(e);
    struct volume made = *v;
    (void)l;
    if (find(v->vg, v->lv))
        return error_set(e, -EEXIST, "volume %s: exists", v->lv);
    if (S->n_volumes == FAKE_MAX)
        return error_set(e, -ENOSPC, "volume %s: no room", v->lv);
    if (v->size_bytes > FAKE_EXTENT_BYTES << 20)
        return error_set(e, -ENOSPC, "volume %s: no room for so many bytes", v->lv);
    made.size_bytes = (v->size_bytes + FAKE_EXTENT_BYTES - 1) / FAKE_EXTENT_BYTES * FAKE_EXTENT_BYTES;
    fake_storage_add(&made); /* with what stood there before */
    return pwrite(find(v->vg, v->lv)->fd, FAKE_REMAINS, sizeof FAKE_REMAINS, 0) < 0 ? -errno : 0;
}

int lvm_snapshot(struct lvm *l, const struct volume *origin, const struct volume *snapshot, struct error *e)
{
    MAY_FAIL(e);
    const struct fake_volume *from = find(origin->vg, origin->lv);
    (void)l;
    if (!from || find(snapshot->vg, snapshot->lv))
        return error_set(e, from ? -EEXIST : -ENOENT, "volume %s: no snapshot", origin->lv);
    fake_storage_add(snapshot);
    off_t at = 0;
    while (sendfile(find(snapshot->vg, snapshot->lv)->fd, from->fd, &at, (size_t)snapshot->size_bytes) > 0)
        ;
    return 0;
}

int lvm_change_state(struct lvm *l, const struct volume *const v[], size_t n, enum volume_state from,
                     enum volume_state to, struct error *e)
{
    MAY_FAIL(e);
    (void)l;
    for (size_t i = 0; i < n; i++) {
        struct fake_volume *f = find(v[i]->vg, v[i]->lv);
        if (!f || f->v.state != from || !streq(v[i]->vg, v[0]->vg))
            return error_set(e, -EIO, "volume %s: is not in state %s", v[i]->lv, volume_state_name(from));
        f->v.state = to;
    }
    return 0;
}

int lvm_retag(struct lvm *l, const struct volume *old, const struct volume *new, struct error *e)
{
    MAY_FAIL(e);
    struct fake_volume *f = find(old->vg, old->lv);
    (void)l;
    if (!f)
        return error_set(e, -ENOENT, "volume %s: is not there", old->lv);
    uint64_t size_bytes = f->v.size_bytes;
    f->v = *new;
    f->v.size_bytes = size_bytes;
    return 0;
}

int lvm_activate(struct lvm *l, const struct volume *v, struct error *e)
{
    MAY_FAIL(e);
    (void)l;
    struct fake_volume *f = find(v->vg, v->lv);
    if (!f)
        return error_set(e, -ENOENT, "volume %s: is not there", v->lv);
    f->inactive = false;
    return 0;
}

int lvm_refresh(struct lvm *l, const struct volume *v, struct error *e)
{
    MAY_FAIL(e);
    struct fake_volume *f = find(v->vg, v->lv);
    (void)l;
    if (!f)
        return error_set(e, -ENOENT, "volume %s: is not there", v->lv);
    f->suspended = false;
    return 0;
}

int suspended_list(const char *const vgs[], size_t n_vgs, struct suspended **ret, size_t *ret_n,
                   struct error *e)
{
    MAY_FAIL(e);
    struct suspended *list = calloc(FAKE_MAX, sizeof *list);
    size_t n = 0;
    (void)vgs, (void)n_vgs;
    if (!list)
        return error_memory(e);
    for (size_t i = 0; i < S->n_volumes; i++)
        if (S->volumes[i].suspended) {
            memcpy(list[n].vg, S->volumes[i].v.vg, sizeof list[n].vg);
            memcpy(list[n++].lv, S->volumes[i].v.lv, sizeof list->lv);
        }
    *ret = list;
    *ret_n = n;
    return 0;
}

int suspended_clear(const struct volume *v, struct error *e)
{
    MAY_FAIL(e);
    (void)v, (void)e;
    return 0;
}

bool suspended_is(const struct volume *v)
{
    const struct fake_volume *f = find(v->vg, v->lv);
    return f && f->suspended;
}

int suspended_resume(const struct volume *v, struct error *e)
{
    MAY_FAIL(e);
    (void)v, (void)e;
    return 0;
}

int suspended_remove(const struct volume *v, struct error *e)
{
    MAY_FAIL(e);
    (void)v, (void)e;
    return 0;
}

int lvm_extend(struct lvm *l, const struct volume *v, uint64_t size_bytes, struct error *e)
{
    MAY_FAIL(e);
    struct fake_volume *f = find(v->vg, v->lv);
    (void)l;
    if (!f || size_bytes <= f->v.size_bytes || size_bytes > FAKE_EXTENT_BYTES << 20)
        return error_set(e, -ENOSPC, "volume %s: cannot be extended", v->lv);
    f->v.size_bytes = (size_bytes + FAKE_EXTENT_BYTES - 1) / FAKE_EXTENT_BYTES * FAKE_EXTENT_BYTES;
    return ftruncate(f->fd, (off_t)f->v.size_bytes) < 0 ? error_set(e, errno, "volume %s: %m", v->lv) : 0;
}

int lvm_remove(struct lvm *l, const struct volume *const v[], size_t n, struct error *e)
{
    MAY_FAIL(e);
    (void)l;
    for (size_t i = 0; i < n; i++) {
        struct fake_volume *f = find(v[i]->vg, v[i]->lv);
        if (!f || f->held || !streq(v[i]->vg, v[0]->vg))
            return error_set(e, -EBUSY, "volume %s: is held", v[i]->lv);
        fd_close(f->fd);
        *f = S->volumes[--S->n_volumes];
    }
    return 0;
}

/* ---------------------------------------------------------------- dm-crypt */

uint32_t dmcrypt_version(void)
{
    return CRYPT_VERSION(1, 24);
}

/* Does the broker have the volume open while it makes a map of it? Else it could be another by then. */
static int check_held(const struct volume *v, struct error *e)
{
    struct stat wanted, st;
    int n = 0;
    if (fstat(find(v->vg, v->lv)->fd, &wanted) < 0)
        abort();
    for (int fd = 0; fd < 100; fd++)
        n += fstat(fd, &st) == 0 && st.st_ino == wanted.st_ino && st.st_dev == wanted.st_dev;
    return n > 1 ? 0 : error_set(e, -EIO, "volume %s: is not held", v->lv);
}

int dmcrypt_open(const struct volume *v, const struct secret *volume_key, const struct map_options *o,
                 bool *ret_was_open, struct error *e)
{
    MAY_FAIL(e);
    char name[MAP_NAME_MAX], uuid[MAP_UUID_MAX];
    (void)volume_key;
    int r = check_held(v, e);
    if (r < 0)
        return r;
    volume_map_name(v, name);
    map_uuid_make(v->disk, o->use, uuid);
    struct map *m = find_map(name);
    if (m && !str_starts(m->uuid, MAP_UUID_PREFIX))
        return error_set(e, -EUNSAFE, "map %s: is not ours", name);
    if (m && (m->read_only != 0) != o->read_only)
        return error_set(e, -EBUSY, "map %s: may be written to, or not, against what is wanted", name);
    *ret_was_open = m != NULL;
    if (m) {
        m->size_bytes = v->size_bytes;
        return 0;
    }
    fake_storage_add_map(name, uuid);
    find_map(name)->size_bytes = v->size_bytes;
    find_map(name)->flags = o->flags;
    find_map(name)->read_only = o->read_only;
    return 0;
}

int dmcrypt_tune(const struct volume *v, const struct secret *volume_key, const struct map_options *o,
                 bool *ret_changed, struct error *e)
{
    MAY_FAIL(e);
    char name[MAP_NAME_MAX];
    (void)volume_key;
    int r = check_held(v, e);
    if (r < 0)
        return r;
    volume_map_name(v, name);
    struct map *m = find_map(name);
    if (!m)
        return error_set(e, -ENOENT, "map %s: is not open", name);
    if (!str_starts(m->uuid, MAP_UUID_PREFIX))
        return error_set(e, -EUNSAFE, "map %s: is not ours", name);
    *ret_changed = m->flags != o->flags;
    m->flags = o->flags;
    return 0;
}

void dmcrypt_settle(void)
{
    if (S->settled)
        (*S->settled)++;
}

int dmcrypt_check_node(const struct volume *v, struct error *e)
{
    char name[MAP_NAME_MAX];
    volume_map_name(v, name);
    if (!S->node_fails || !str_starts(name, S->node_fails))
        return 0;
    struct map *m = find_map(name);
    if (m)
        *m = S->maps[--S->n_maps];
    return error_set(e, -ENXIO, "map %s: has no node", name);
}

/* Whoever has a map open, in whatever process, has a lock on its file. */
static struct flock lock_of_map(short type)
{
    return (struct flock){.l_type = type, .l_whence = SEEK_SET, .l_len = 1};
}

static bool is_open(const char *map_name)
{
    char name[MAP_NAME_MAX];
    struct flock lock = lock_of_map(F_WRLCK);
    for (size_t i = 0; i < S->n_volumes; i++) {
        volume_map_name(&S->volumes[i].v, name);
        if (streq(name, map_name) && fcntl(S->volumes[i].fd, F_OFD_GETLK, &lock) == 0)
            return lock.l_type != F_UNLCK;
    }
    return false;
}

int dmcrypt_close(const char *map_name, enum settle settle, struct error *e)
{
    MAY_FAIL(e);
    struct map *m = find_map(map_name);
    if (settle == SETTLE_NOW)
        dmcrypt_settle();
    if (!m)
        return 0;
    if (!str_starts(m->uuid, MAP_UUID_PREFIX))
        return error_set(e, -EUNSAFE, "map %s: is not ours", map_name);
    if (m->open_count || is_open(map_name))
        return error_set(e, -EBUSY, "map %s: is held", map_name);
    *m = S->maps[--S->n_maps];
    return 0;
}

int dmcrypt_list(struct map **ret, size_t *ret_n, struct error *e)
{
    MAY_FAIL(e);
    struct map *maps = calloc(FAKE_MAX, sizeof *maps);
    if (!maps)
        return error_memory(e);
    memcpy(maps, S->maps, S->n_maps * sizeof *maps);
    *ret = maps;
    *ret_n = S->n_maps;
    return 0;
}

bool dmcrypt_leads_to(const char *map_name, int fd)
{
    (void)fd;
    return find_map(map_name);
}

int dmcrypt_find(const char *map_name, struct map *ret, struct error *e)
{
    const struct map *m = find_map(map_name);
    if (!m)
        return error_set(e, -ENOENT, "map %s: there is none", map_name);
    if (!str_starts(m->uuid, MAP_UUID_PREFIX))
        return error_set(e, -EUNSAFE, "map %s: is not ours", map_name);
    *ret = *m;
    return 0;
}

/* ----------------------------------------------------------------- devices */

int device_open_volume(const struct volume *v, int access, int *ret_fd, struct error *e)
{
    MAY_FAIL(e);
    const struct fake_volume *f = find(v->vg, v->lv);
    char path[32];
    if (S->device_fails)
        return error_set(e, -EIO, "device %s: cannot be opened", v->lv);
    if (!f || f->inactive)
        return error_set(e, -ENOENT, "device %s: is not there", v->lv);
    snprintf(path, sizeof path, "/proc/self/fd/%d", f->fd);
    *ret_fd = open(path, access | O_CLOEXEC);
    return *ret_fd < 0 ? error_set(e, errno, "device %s: cannot be opened: %m", v->lv) : 0;
}

int device_open_map(const struct volume *v, bool read_only, int *ret_fd, struct error *e)
{
    MAY_FAIL(e);
    char name[MAP_NAME_MAX];
    volume_map_name(v, name);
    if (S->map_fails)
        return error_set(e, -EUNSAFE, "map %s: leads elsewhere", name);
    if (!find_map(name))
        return error_set(e, -ENOENT, "map %s: is not there", name);
    struct flock lock = lock_of_map(F_RDLCK);
    int r = device_open_volume(v, read_only ? O_RDONLY : O_RDWR, ret_fd, e);
    if (r == 0 && fcntl(*ret_fd, F_OFD_SETLK, &lock) < 0)
        abort();
    return r;
}

int device_path(int fd, const struct volume *v, char path[DEVICE_PATH_MAX], struct error *e)
{
    (void)fd;
    volume_device_path(v, path);
    return S->map_fails ? error_set(e, -EUNSAFE, "%s: leads elsewhere", path) : 0;
}

int device_size(int fd, uint64_t *ret_bytes, struct error *e)
{
    MAY_FAIL(e);
    struct stat st;
    if (fstat(fd, &st) < 0)
        return error_set(e, errno, "device: does not tell its size: %m");
    *ret_bytes = (uint64_t)st.st_size;
    return 0;
}

int device_check_unused(int fd, int ours, struct error *e)
{
    MAY_FAIL(e);
    struct stat st, volume;
    fstat(fd, &st);
    for (size_t i = 0; i < S->n_volumes; i++)
        if (fstat(S->volumes[i].fd, &volume) == 0 && volume.st_ino == st.st_ino && S->volumes[i].held &&
            ours < 2)
            return error_set(e, -EBUSY, "it is in use");
    return 0;
}

bool device_has_keeper(const struct volume *v, int fd)
{
    (void)v;
    bool locked = flock(fd, LOCK_EX | LOCK_NB) < 0;
    flock(fd, LOCK_UN);
    return locked;
}

bool device_suspended(int fd)
{
    struct stat st, volume;
    fstat(fd, &st);
    for (size_t i = 0; i < S->n_volumes; i++)
        if (fstat(S->volumes[i].fd, &volume) == 0 && volume.st_ino == st.st_ino)
            return S->volumes[i].suspended;
    return false;
}

int device_zero(int fd, const struct volume *v, struct error *e)
{
    MAY_FAIL(e);
    uint64_t size_bytes = 0;
    int r = device_size(fd, &size_bytes, e);
    if (r == 0 && (ftruncate(fd, 0) < 0 || ftruncate(fd, (off_t)size_bytes) < 0))
        return error_set(e, errno, "volume %s: cannot be overwritten with zeros: %m", v->lv);
    return r;
}

uint32_t device_luks_sector_bytes(int fd)
{
    (void)fd;
    return 512;
}

/* A file system is "<fs>:<label>" at the beginning of the device. */
int __wrap_mkfs_make(const struct mkfs *m, const char *path, struct error *e);
int __wrap_mkfs_make(const struct mkfs *m, const char *path, struct error *e)
{
    MAY_FAIL(e);
    for (size_t i = 0; i < S->n_volumes; i++) {
        char device[DEVICE_PATH_MAX];
        volume_device_path(&S->volumes[i].v, device);
        if (streq(device, path))
            return dprintf(S->volumes[i].fd, "%s:%s", m->fs, m->label) > 0 ? 0 : -EIO;
    }
    return error_set(e, -ENOENT, "%s: is not there", path);
}
