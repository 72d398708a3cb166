/* SPDX-License-Identifier: Apache-2.0 */
/* The broker's double. It refuses what the real one refuses: work without the lock, an existing name, a wrong
 * key, a volume on its way back from doomed, removing what is ready or in use, formatting what another
 * connection made. A refusal that no correct operation ever runs into is noted as a violation.
 *
 * MARK and REMOVE of several volumes are several calls for the injector: LVM commits each volume by itself.
 */
#include "world.h"

#include "base/fd.h"
#include "storage/check.h"
#include "storage/facts.h"

#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>

struct fake_broker {
    struct broker base;
    struct world *w;
    unsigned connection; /* from 1 */
    struct volume own;   /* the snapshot that it made, until it has told its caller that it is removed */
};

static struct world *world_of(struct broker *b)
{
    return ((struct fake_broker *)b)->w;
}

static struct world_known *find_known(struct world *w, const char *lv)
{
    for (size_t i = 0; i < w->n_known; i++)
        if (streq(w->known[i].lv, lv))
            return &w->known[i];
    return NULL;
}

static struct world_known *know(struct world *w, const char *lv)
{
    struct world_known *k = find_known(w, lv);
    if (k)
        return k;
    if (w->n_known == WORLD_VOLUMES)
        abort();
    k = &w->known[w->n_known++];
    snprintf(k->lv, sizeof k->lv, "%s", lv);
    return k;
}

static void forget(struct world *w, const char *lv)
{
    struct world_known *k = find_known(w, lv);
    if (k)
        world_drop(w->known, &w->n_known, sizeof *k, (size_t)(k - w->known));
}

static bool made_by(struct broker *b, const char *lv)
{
    const struct world_known *k = find_known(((struct fake_broker *)b)->w, lv);
    return k && k->maker == ((struct fake_broker *)b)->connection;
}

/* A volume that is made now, by this connection. */
static void note_maker(struct broker *b, const char *lv)
{
    struct fake_broker *f = (struct fake_broker *)b;
    forget(f->w, lv);
    know(f->w, lv)->maker = f->connection;
}

static bool holds(struct broker *b, const char *uuid)
{
    const struct fake_broker *f = (struct fake_broker *)b;
    for (size_t i = 0; i < f->w->n_locks; i++)
        if (f->w->locks[i].connection == f->connection && streq(f->w->locks[i].uuid, uuid))
            return true;
    return false;
}

/* A snapshot that this connection made, and whose own lock it holds. */
static bool owns_snapshot(struct broker *b, const char *lv)
{
    const struct volume *own = &((struct fake_broker *)b)->own;
    return own->lv[0] && streq(own->lv, lv) && holds(b, own->disk);
}

/* As authorise.c: the lock of the instance whose uuid begins the volume's name, or that of a snapshot. */
static int check_lock(struct broker *b, const struct volume *v, struct error *e)
{
    char uuid[UUID_TEXT];
    snprintf(uuid, sizeof uuid, "%.36s", v->lv);
    if (holds(b, uuid) || owns_snapshot(b, v->lv))
        return 0;
    world_violated(world_of(b), "work on %s without its lock", v->lv);
    return error_set(e, -EPERM, "volume %s: not locked", v->lv);
}

/* And nothing of the instance may be without tags (session_load). */
static int check_named(struct broker *b, const struct volume *v, struct error *e)
{
    const struct host *h = &world_of(b)->host;
    int r = check_lock(b, v, e);
    for (size_t i = 0; r == 0 && i < h->n_volumes; i++)
        if (h->volumes[i].stranger && h->volumes[i].lost_key[0] == '\0' &&
            strncmp(h->volumes[i].v.lv, v->lv, UUID_TEXT - 1) == 0) {
            world_violated(world_of(b), "work on %s beside a volume without tags", v->lv);
            r = error_set(e, -EUNSAFE, "volume %s: has no tags", h->volumes[i].v.lv);
        }
    const struct world_volume *found = world_volume(world_of(b), v->lv);
    if (r == 0 && found && found->lost_key[0])
        r = error_set(e, -ENOENT, "volume %s: has no tags any more", v->lv);
    return r;
}

static int find_named(struct broker *b, const struct volume *v, struct world_volume **ret, struct error *e)
{
    int r = check_named(b, v, e);
    if (r < 0)
        return r;
    *ret = world_volume(world_of(b), v->lv);
    return *ret ? 0 : error_set(e, -ENOENT, "volume %s: none", v->lv);
}

/* As session_check_disk_new() of the real one. */
static int check_disk_new(struct broker *b, const struct volume *v, struct error *e)
{
    const struct host *h = &world_of(b)->host;
    for (size_t i = 0; i < h->n_volumes; i++)
        if (streq(h->volumes[i].v.disk, v->disk))
            return error_set(e, -EEXIST, "disk %s: is volume %s already", v->disk, h->volumes[i].v.lv);
    return 0;
}

/* As check_no_dependents() of the real one: what asks first runs into it only where somebody acts meanwhile.
 */
static int check_no_dependents(struct broker *b, const struct world_volume *found, const char *what,
                               struct error *e)
{
    if (!found->snapshotted)
        return 0;
    if (!world_of(b)->person.act)
        world_violated(world_of(b), "%s was to be %s, and somebody's snapshot of it with it", found->v.lv,
                       what);
    return error_set(e, -EUNSAFE, "volume %s: a snapshot depends on it", found->v.lv);
}

/* ------------------------------------------------------------------ looking */

static int fake_list(struct broker *b, struct inventory **ret, struct error *e)
{
    struct world *w = world_of(b);
    int r = world_enter(w, "list", e);
    if (r >= 0)
        r = world_leave(w, 0, e);
    if (r < 0)
        return r;
    *ret = world_inventory(&w->host);
    return 0;
}

static int take_lock(struct broker *b, const char *uuid, struct error *e)
{
    struct fake_broker *f = (struct fake_broker *)b;
    struct world *w = f->w;
    if (!uuid_valid(uuid))
        return error_set(e, -EINVAL, "lock: its uuid is malformed");
    for (size_t i = 0; i < w->n_locks; i++)
        if (streq(w->locks[i].uuid, uuid) && w->locks[i].connection != f->connection)
            return error_set(e, -EBUSY, "%s: another mayfly works on it", uuid);
    if (holds(b, uuid))
        return 0;
    world_note_lock(w, uuid, f->connection);
    return 0;
}

static int fake_lock(struct broker *b, const char *uuid, struct error *e)
{
    int r = world_enter(world_of(b), "lock", e);
    if (r == 0)
        r = take_lock(b, uuid, e);
    return r < 0 ? r : world_leave(world_of(b), 0, e);
}

/* Whoever is told that all went well may use the maps. */
static void check_settled(struct world *w)
{
    for (size_t i = 0; i < w->host.n_maps && !w->hit; i++)
        if (w->host.maps[i].unsettled)
            world_violated(w, "map %s is left without its node", w->host.maps[i].map.name);
}

/* Not a call for the injector: what is not given back now is when the connection ends. */
static void fake_unlock(struct broker *b, const char *uuid)
{
    const struct fake_broker *f = (struct fake_broker *)b;
    if (world_drop_lock(f->w, uuid, f->connection))
        check_settled(f->w);
}

static void fake_alive(struct broker *b)
{
    world_of(b)->told_alive++;
}

/* No operation over this host asks for it: its libvirt syncs what it defines by itself. */
static int fake_sync_domains(struct broker *b, struct error *e)
{
    (void)b, (void)e;
    return 0;
}

/* Not a call for the injector either: it cannot fail. */
static void fake_disk_uuid(struct broker *b, char ret_uuid[UUID_TEXT])
{
    (void)b;
    uuid_make(ret_uuid);
}

/* ----------------------------------------------------------- making, opening */

static int create(struct broker *b, struct volume *v, struct error *e)
{
    struct world *w = world_of(b);
    uint64_t extent = w->host.group.extent_bytes;
    if (!streq(v->vg, w->host.group.name))
        return error_set(e, -EPERM, "volume group %s: is not Mayfly's", v->vg);
    int r = check_lock(b, v, e);
    if (r == 0)
        r = volume_check(v, e);
    if (r < 0)
        return r;
    if (v->state != VOLUME_BUILDING || volume_is_snapshot(v))
        return error_set(e, -EINVAL, "volume %s: state or role", v->lv);
    if (world_volume(w, v->lv))
        return error_set(e, -EEXIST, "volume %s: exists", v->lv);
    r = check_disk_new(b, v, e);
    if (r < 0)
        return r;
    if (w->host.n_volumes == WORLD_VOLUMES)
        abort();
    v->size_bytes = (v->size_bytes + extent - 1) / extent * extent;
    if (v->size_bytes > w->host.group.free_bytes)
        return error_set(e, -ENOSPC, "volume %s: no space", v->lv);
    w->host.group.free_bytes -= v->size_bytes;
    w->host.volumes[w->host.n_volumes++] = (struct world_volume){.v = *v};
    note_maker(b, v->lv);
    return 0;
}

static int fake_create(struct broker *b, struct volume *v, struct error *e)
{
    int r = world_enter(world_of(b), "create", e);
    if (r == 0)
        r = create(b, v, e);
    return r < 0 ? r : world_leave(world_of(b), 0, e);
}

/* As design_snapshot() of the real one: a volume of its own, whose check value is of the disk's key. */
static int snapshot(struct broker *b, const struct volume *v, const struct secret *key, const char *disk,
                    uint64_t room_bytes, struct error *e)
{
    struct world *w = world_of(b);
    struct world_volume *origin = world_volume(w, v->lv);
    int r = uuid_valid(disk) ? check_lock(b, v, e) : error_set(e, -EINVAL, "snapshot: no uuid");
    if (r == 0 && !origin)
        r = error_set(e, -ENOENT, "volume %s: none", v->lv);
    if (r == 0 && !volume_encrypted(&origin->v))
        r = error_set(e, -EINVAL, "volume %s: is not encrypted", v->lv);
    if (r == 0 && origin->v.state != VOLUME_READY)
        r = error_set(e, -EUNSAFE, "volume %s: no snapshot", v->lv);
    if (r == 0)
        r = volume_verify_key(&origin->v, key, e);
    if (r < 0)
        return r;
    struct world_volume new = {.v = origin->v};
    new.v.state = VOLUME_BUILDING;
    new.v.size_bytes = room_bytes;
    snprintf(new.v.disk, sizeof new.v.disk, "%s", disk);
    snprintf(new.v.role, sizeof new.v.role, ROLE_SNAPSHOT);
    volume_set_lv_name(&new.v);
    r = check_disk_new(b, &new.v, e);
    if (r < 0)
        return r;
    if (world_volume(w, new.v.lv))
        return error_set(e, -EEXIST, "volume %s: exists", new.v.lv);
    if (w->host.n_volumes == WORLD_VOLUMES)
        abort();
    w->host.group.free_bytes -= room_bytes;
    w->host.volumes[w->host.n_volumes++] = new;
    note_maker(b, new.v.lv);
    ((struct fake_broker *)b)->own = new.v;
    return volume_check_value(&new.v, key, w->host.volumes[w->host.n_volumes - 1].v.check, e);
}

static int fake_snapshot(struct broker *b, const struct volume *v, const struct secret *key, const char *disk,
                         uint64_t room_bytes, struct error *e)
{
    int r = world_enter_suspending(world_of(b), "snapshot", v->lv, e);
    if (r == 0)
        r = snapshot(b, v, key, disk, room_bytes, e);
    return r < 0 ? r : world_leave(world_of(b), 0, e);
}

/* By the configuration of the one process that there is, and as of a disk of which nothing is known. */
static uint32_t chosen_flags(const struct world *w, const struct volume *v)
{
    struct facts facts;
    facts_of_volume(v, WORLD_CRYPT_VERSION, &facts);
    return choose_flags(w->config, &facts, NULL);
}

static bool opens_read_only(const struct volume *v, enum map_use use)
{
    return use == MAP_READ_ONLY || volume_is_snapshot(v);
}

static void add_map(struct world *w, const struct volume *v, enum map_use use)
{
    struct world_map *m = world_map(w, v->lv);
    if (m) {
        if (m->map.served)
            world_tell_guest(&w->host, v);
        m->map.size_bytes = v->size_bytes;
        return;
    }
    m = &w->host.maps[w->host.n_maps++];
    m->map.size_bytes = v->size_bytes;
    m->map.served = map_use_serves(use, v);
    m->map.flags = m->map.served ? 0 : chosen_flags(w, v);
    m->map.read_only = opens_read_only(v, use);
    m->unsettled = !m->map.served;
    memcpy(m->lv, v->lv, sizeof m->lv);
    volume_map_name(v, m->map.name);
    map_uuid_make(v->disk, use, m->map.uuid);
}

/* A descriptor that stands for the device; `k` notes which one it is. */
static int hand_out(struct world_known *k)
{
    struct stat st;
    int fd = memfd_create("fake-device", MFD_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0)
        abort();
    if (k) {
        k->fd = fd;
        k->inode = st.st_ino;
    }
    return fd;
}

/* As map_options() of the real one. */
static int check_not_suspended(const struct world_volume *found, struct error *e)
{
    return found->suspended ? error_set(e, -ENEEDSRECOVER, "volume %s: is suspended", found->v.lv) : 0;
}

static int open_volume(struct broker *b, const struct volume *v, const struct secret *key, enum map_use use,
                       int *ret_fd, struct error *e)
{
    struct world *w = world_of(b);
    struct world_volume *found = NULL;
    int r = find_named(b, v, &found, e);
    if (r < 0)
        return r;
    if (volume_encrypted(&found->v) != (key != NULL)) {
        world_violated(w, "%s was to be opened without its key, or with one though plain", v->lv);
        return error_set(e, key ? -EINVAL : -EKEYREJECTED, "volume %s: not opened", v->lv);
    }
    if (found->v.state == VOLUME_DOOMED || found->v.state == VOLUME_ADOPTING || volume_is_bench(&found->v)) {
        world_violated(w, "%s was to be opened while doomed or adopting, or is no disk", v->lv);
        return error_set(e, -EUNSAFE, "volume %s: not opened", v->lv);
    }
    if (!key && (!volume_unfinished(&found->v) || !made_by(b, v->lv)))
        return error_set(e, -EUNSAFE, "volume %s: is opened only by the mayfly that is making it", v->lv);
    if (key)
        r = volume_verify_key(&found->v, key, e);
    if (r < 0)
        return r;
    r = check_not_suspended(found, e);
    if (r < 0)
        return r;
    const struct world_map *there = world_map(w, v->lv);
    if (there && (there->map.read_only != 0) != opens_read_only(&found->v, use))
        return error_set(e, -EBUSY, "map of %s: may be written to, or not, against what is wanted", v->lv);
    if (there && key && (there->map.served != 0) != map_use_serves(use, &found->v))
        return error_set(e, -EBUSY, "map of %s: is of the other engine", v->lv);
    if (key)
        add_map(w, &found->v, use);
    struct world_known *k = know(w, v->lv);
    *ret_fd = hand_out(k);
    k->opener = ((struct fake_broker *)b)->connection;
    return 0;
}

/* The end of a call that hands out a device; `r` and `fd` are what became of it, 1: it was to do nothing. */
static int leave_with(struct broker *b, int r, int fd, int *ret_fd, struct error *e)
{
    if (r == 1)
        fd = hand_out(NULL);
    if (r >= 0)
        r = world_leave(world_of(b), 0, e);
    if (r < 0) {
        fd_close(fd);
        return r;
    }
    *ret_fd = fd;
    return 0;
}

static int fake_open(struct broker *b, const struct volume *v, const struct secret *key, enum map_use use,
                     enum settle when, struct opened *ret, struct error *e)
{
    int fd = -1;
    int r = world_enter(world_of(b), "open", e);
    if (r == 0)
        r = open_volume(b, v, key, use, &fd, e);
    if (r == 0 && when == SETTLE_NOW)
        world_settle_maps(&world_of(b)->host);
    int handed = -1;
    r = leave_with(b, r, fd, &handed, e);
    if (r == 0)
        *ret = (struct opened){.fd = handed};
    return r;
}

/* As udevd in trouble leaves it: the map is closed again. */
static int close_without_node(struct world *w, const char *instance, struct error *e)
{
    const struct world_map *m = w->without_node[0] ? world_map(w, w->without_node) : NULL;
    if (!m || (instance && !str_starts(m->lv, instance)))
        return 0;
    world_drop(w->host.maps, &w->host.n_maps, sizeof w->host.maps[0], (size_t)(m - w->host.maps));
    return error_set(e, -ENXIO, "map of %s: closed again: it has no node", w->without_node);
}

static int fake_settle(struct broker *b, const char *instance, struct error *e)
{
    int r = world_enter(world_of(b), "settle maps", e);
    if (r == 0) {
        world_settle_maps(&world_of(b)->host);
        r = close_without_node(world_of(b), instance, e);
    }
    return r < 0 ? r : world_leave(world_of(b), 0, e);
}

static int tune(struct broker *b, const struct volume *v, const struct secret *key, bool *ret_changed,
                struct error *e)
{
    struct world *w = world_of(b);
    const struct world_volume *found = world_volume(w, v->lv);
    struct world_map *m = world_map(w, v->lv);
    int r = check_named(b, v, e);
    if (r < 0)
        return r;
    if (!found || !m)
        return error_set(e, -ENOENT, "volume %s: none, or not open", v->lv);
    if (found->v.state != VOLUME_READY) {
        world_violated(w, "the map of %s was to be tuned while not ready", v->lv);
        return error_set(e, -EUNSAFE, "volume %s: not tuned", v->lv);
    }
    r = volume_verify_key(&found->v, key, e);
    if (r == 0)
        r = check_not_suspended(found, e);
    if (r < 0)
        return r;
    *ret_changed = m->map.flags != chosen_flags(w, &found->v);
    m->map.flags = chosen_flags(w, &found->v);
    return 0;
}

static int fake_tune(struct broker *b, const struct volume *v, const struct secret *key, bool *ret_changed,
                     struct error *e)
{
    int r = world_enter(world_of(b), "tune", e);
    if (r == 0)
        r = tune(b, v, key, ret_changed, e);
    return r < 0 ? r : world_leave(world_of(b), 0, e);
}

/* Each table a map of its own, which is closed before the next. */
static int lend_scratch(struct broker *b, const struct volume *v, const struct secret *key,
                        enum bench_table table, int *ret_fd, struct error *e)
{
    struct world *w = world_of(b);
    struct world_volume *found = world_volume(w, v->lv);
    int r = check_named(b, v, e);
    if (r < 0)
        return r;
    if (table >= BENCH_TABLES)
        return error_set(e, -EINVAL, "request: no such table");
    if (!found || !volume_is_bench(&found->v) || found->v.state != VOLUME_BUILDING || !made_by(b, v->lv)) {
        world_violated(w, "%s was to be lent, which is no scratch volume", v->lv);
        return error_set(e, -EUNSAFE, "volume %s: not lent", v->lv);
    }
    r = volume_verify_key(&found->v, key, e);
    if (r == 0 && world_map(w, v->lv))
        r = error_set(e, -EBUSY, "volume %s: is open", v->lv);
    if (r < 0)
        return r;
    if (table != BENCH_TABLE_NONE)
        add_map(w, &found->v, false);
    *ret_fd = hand_out(know(w, v->lv));
    return 0;
}

static int fake_bench(struct broker *b, const struct volume *v, const struct secret *key,
                      enum bench_table table, int *ret_fd, struct error *e)
{
    int fd = -1;
    int r = world_enter(world_of(b), "bench", e);
    if (r == 0)
        r = lend_scratch(b, v, key, table, &fd, e);
    return leave_with(b, r, fd, ret_fd, e);
}

static int remake(struct broker *b, const struct volume *v, struct error *e)
{
    struct world *w = world_of(b);
    struct world_volume *found = world_volume(w, v->lv);
    int r = check_lock(b, v, e);
    if (r == 0)
        r = volume_check(v, e);
    if (r < 0)
        return r;
    if (!found || found->stranger)
        return error_set(e, -ENOENT, "volume %s: none", v->lv);
    bool other = v->state == VOLUME_REBUILDING && !streq(v->disk, found->v.disk);
    if ((found->v.state != VOLUME_READY && found->v.state != VOLUME_REBUILDING) || !other ||
        volume_encrypted(v) != volume_encrypted(&found->v) || world_in_use(&w->host, &found->v)) {
        world_violated(w, "%s was to be made anew, but may not", v->lv);
        return error_set(e, found->v.state == VOLUME_READY && !other ? -EINVAL : -EUNSAFE,
                         "volume %s: not made anew", v->lv);
    }
    r = check_disk_new(b, v, e);
    if (r == 0)
        r = check_no_dependents(b, found, "made anew", e);
    if (r == 0 && world_map(w, v->lv))
        r = error_set(e, -EBUSY, "volume %s: in use", v->lv);
    if (r < 0)
        return r;
    uint64_t size_bytes = found->v.size_bytes;
    *found = (struct world_volume){.v = *v, .suspended = found->suspended};
    found->v.size_bytes = size_bytes;
    note_maker(b, v->lv);
    return 0;
}

static int fake_remake(struct broker *b, const struct volume *v, struct error *e)
{
    int r = world_enter(world_of(b), "remake", e);
    if (r == 0)
        r = remake(b, v, e);
    return r < 0 ? r : world_leave(world_of(b), 0, e);
}

static int resize(struct broker *b, const struct volume *v, uint64_t size_bytes, struct error *e)
{
    struct world *w = world_of(b);
    struct world_volume *found = world_volume(w, v->lv);
    uint64_t extent = w->host.group.extent_bytes;
    int r = check_lock(b, v, e);
    if (r < 0)
        return r;
    if (!found)
        return error_set(e, -ENOENT, "volume %s: none", v->lv);
    if (found->v.state != VOLUME_READY || size_bytes < found->v.size_bytes) {
        world_violated(w, "%s was to be resized while not ready, or made smaller", v->lv);
        return error_set(e, -EUNSAFE, "volume %s: not resized", v->lv);
    }
    if (volume_encrypted(&found->v) && size_bytes % found->v.sector_bytes)
        return error_set(e, -EINVAL, "volume %s: its size is no multiple of its sectors", v->lv);
    uint64_t more_bytes = (size_bytes - found->v.size_bytes + extent - 1) / extent * extent;
    if (more_bytes > w->host.group.free_bytes)
        return error_set(e, -ENOSPC, "volume %s: no space", v->lv);
    w->host.group.free_bytes -= more_bytes;
    found->v.size_bytes += more_bytes;
    return 0;
}

static int fake_resize(struct broker *b, const struct volume *v, uint64_t size_bytes, struct error *e)
{
    int r = world_enter_suspending(world_of(b), "resize", v->lv, e);
    if (r == 0)
        r = resize(b, v, size_bytes, e);
    return r < 0 ? r : world_leave(world_of(b), 0, e);
}

static int set_engine(struct broker *b, const struct volume *v, enum volume_engine engine, struct error *e)
{
    struct world *w = world_of(b);
    struct world_volume *found = NULL;
    int r = find_named(b, v, &found, e);
    if (r < 0)
        return r;
    if (found->v.state != VOLUME_READY || !volume_encrypted(&found->v)) {
        world_violated(w, "%s was to get another engine while not ready, or plain", v->lv);
        return error_set(e, -EUNSAFE, "volume %s: no other engine", v->lv);
    }
    if (world_map(w, v->lv) || world_in_use(&w->host, &found->v))
        return error_set(e, -EBUSY, "volume %s: in use", v->lv);
    found->v.engine = engine;
    return 0;
}

static int fake_set_engine(struct broker *b, const struct volume *v, enum volume_engine engine,
                           struct error *e)
{
    int r = world_enter(world_of(b), "set engine", e);
    if (r == 0)
        r = set_engine(b, v, engine, e);
    return r < 0 ? r : world_leave(world_of(b), 0, e);
}

/* Has the operation still the descriptor that it was given? */
static bool held_open(const struct world_known *k)
{
    struct stat st;
    return k && k->inode && fstat(k->fd, &st) == 0 && st.st_ino == k->inode;
}

static int fake_maps(struct broker *b, struct map **ret, size_t *ret_n, struct error *e)
{
    const struct host *h = &world_of(b)->host;
    int r = world_enter(world_of(b), "maps", e);
    if (r >= 0)
        r = world_leave(world_of(b), 0, e);
    struct map *maps = r < 0 ? NULL : world_alloc(h->n_maps + 1, sizeof *maps);
    if (r < 0)
        return r;
    for (size_t i = 0; i < h->n_maps; i++)
        maps[i] = h->maps[i].map;
    *ret = maps;
    *ret_n = h->n_maps;
    return 0;
}

static int fake_suspended(struct broker *b, struct suspended **ret, size_t *ret_n, struct error *e)
{
    const struct host *h = &world_of(b)->host;
    int r = world_enter(world_of(b), "suspended", e);
    if (r >= 0)
        r = world_leave(world_of(b), 0, e);
    if (r < 0)
        return r;
    struct suspended *list = world_alloc(h->n_volumes + 1, sizeof *list);
    size_t n = 0;
    for (size_t i = 0; i < h->n_volumes; i++)
        if (h->volumes[i].suspended) {
            memcpy(list[n].vg, h->volumes[i].v.vg, sizeof list[n].vg);
            memcpy(list[n++].lv, h->volumes[i].v.lv, sizeof list->lv);
        }
    *ret = list;
    *ret_n = n;
    return 0;
}

static int fake_resume(struct broker *b, const struct suspended *v, struct error *e)
{
    struct world_volume *found = world_volume(world_of(b), v->lv);
    int r = world_enter(world_of(b), "resume", e);
    if (r == 0) {
        struct volume named = {.vg = ""};
        memcpy(named.lv, v->lv, sizeof named.lv);
        r = check_named(b, found ? &found->v : &named, e);
        if (r == 0 && found) /* else its removal was committed, and its devices go */
            found->suspended = false;
    }
    return r < 0 ? r : world_leave(world_of(b), 0, e);
}

static int close_map(struct broker *b, const struct volume *v, enum map_use up_to, bool *ret_closed,
                     struct error *e)
{
    struct world *w = world_of(b);
    const struct world_volume *found = world_volume(w, v->lv);
    struct world_known *k = find_known(w, v->lv);
    int r = check_lock(b, v, e);
    if (r < 0)
        return r;
    for (size_t i = 0; i < w->host.n_maps; i++) {
        if (!streq(w->host.maps[i].lv, v->lv))
            continue;
        if (map_uuid_use(w->host.maps[i].map.uuid) > up_to)
            return 0;
        if (held_open(k) || w->host.maps[i].held || (found && world_in_use(&w->host, &found->v)))
            return error_set(e, -EBUSY, "map %s: in use", w->host.maps[i].map.name);
        *ret_closed = true;
        world_drop(w->host.maps, &w->host.n_maps, sizeof w->host.maps[0], i);
        break;
    }
    if (k)
        k->opener = 0;
    return 0;
}

static int fake_close(struct broker *b, const struct volume *v, enum map_use up_to, enum settle when,
                      bool *ret_closed, struct error *e)
{
    int r = world_enter(world_of(b), "close", e);
    if (r == 0)
        r = close_map(b, v, up_to, ret_closed, e);
    if (r == 0 && when == SETTLE_NOW)
        world_settle_maps(&world_of(b)->host);
    return r < 0 ? r : world_leave(world_of(b), 0, e);
}

static bool fs_known(const char *fs)
{
    return streq(fs, "ext4") || streq(fs, "xfs") || streq(fs, "vfat") || streq(fs, "swap");
}

static int format(struct broker *b, const struct volume *v, const char *fs, const char *label,
                  struct error *e)
{
    struct world *w = world_of(b);
    struct world_volume *found = world_volume(w, v->lv);
    const struct world_known *k = find_known(w, v->lv);
    int r = check_lock(b, v, e);
    if (r < 0)
        return r;
    if (!fs_known(fs) || !str_made_of(label, "-"))
        return error_set(e, -EINVAL, "file system %s, label %s: no", fs, label);
    if (!found)
        return error_set(e, -ENOENT, "volume %s: none", v->lv);
    if (!volume_unfinished(&found->v) || !made_by(b, v->lv) || k->opener != k->maker ||
        (volume_encrypted(v) && !world_map(w, v->lv))) {
        world_violated(w, "%s was to be formatted", v->lv);
        return error_set(e, -EUNSAFE, "volume %s: not formatted", v->lv);
    }
    snprintf(found->fs, sizeof found->fs, "%.7s", fs);
    snprintf(found->label, sizeof found->label, "%.11s", label);
    return 0;
}

static int fake_format(struct broker *b, const struct volume *v, const char *fs, const char *label,
                       struct error *e)
{
    int r = world_enter(world_of(b), "format", e);
    if (r == 0)
        r = format(b, v, fs, label, e);
    return r < 0 ? r : world_leave(world_of(b), 0, e);
}

/* ---------------------------------------------------------- sets of volumes */

/* A disk that is ready is in the definition of its domain. One that is doomed while the instance stays, a
 * guest has let go of before: unless it was made a moment ago, and is undone. */
static void check_order(struct broker *b, const struct world_volume *found, enum volume_state to)
{
    struct world *w = world_of(b);
    const struct volume *v = &found->v;
    const struct world_domain *d = world_domain(w, v->instance);
    const struct world_volume *lead = world_lead(w, v->instance);
    char path[DEVICE_PATH_MAX];
    volume_device_path(v, path);
    if (to == VOLUME_READY && v->state == VOLUME_BUILDING && !w->person.act &&
        !streq(v->instance, w->host.apart) && (!d || !world_has_disk(&d->defined, path)))
        world_violated(w, "%s was to be ready before its domain has it", v->lv);
    if (to == VOLUME_DOOMED && v->state == VOLUME_READY && lead->v.state == VOLUME_READY && lead != found &&
        !made_by(b, v->lv) && world_in_use(&w->host, v))
        world_violated(w, "%s was to be doomed while a guest has it", v->lv);
}

static int check_mark(struct broker *b, const struct volume *v, enum volume_state state, struct error *e)
{
    struct world *w = world_of(b);
    const struct world_volume *found = world_volume(w, v->lv);
    int r = check_named(b, v, e);
    if (r < 0)
        return r;
    if (!found || found->stranger)
        return error_set(e, -ENOENT, "volume %s: none", v->lv);
    r = volume_is_snapshot(&found->v) ? take_lock(b, found->v.disk, e) : 0;
    if (r < 0)
        return r;
    if (state == VOLUME_DOOMED && found->v.state == VOLUME_ADOPTING) {
        world_violated(w, "%s was to be doomed while adopting", v->lv);
        return error_set(e, -EUNSAFE, "volume %s: adopting", v->lv);
    }
    if (state == VOLUME_READY &&
        (found->v.state == VOLUME_DOOMED || volume_is_snapshot(&found->v) || volume_is_bench(&found->v))) {
        world_violated(w, "%s was to come back", v->lv);
        return error_set(e, -EUNSAFE, "volume %s: never comes back", v->lv);
    }
    return state == VOLUME_DOOMED && found->v.state == VOLUME_READY
               ? check_no_dependents(b, found, "doomed", e)
               : 0;
}

static int mark_one(struct broker *b, const struct volume *v, enum volume_state state, struct error *e)
{
    struct world *w = world_of(b);
    struct world_volume *found = world_volume(w, v->lv);
    int r = check_mark(b, v, state, e);
    if (r < 0)
        return r;
    check_order(b, found, state);
    found->v.state = state;
    w->host.handed_over |= volume_is_snapshot(&found->v);
    return 0;
}

/* One that may not be marked leaves all of them as they are. */
static int fake_mark(struct broker *b, const struct volume *const v[], size_t n, enum volume_state state,
                     struct error *e)
{
    if (state != VOLUME_READY && state != VOLUME_DOOMED)
        return error_set(e, -EINVAL, "request: volumes are marked ready or doomed");
    int r = 0;
    for (size_t i = 0; r >= 0 && i < n; i++) {
        r = world_enter(world_of(b), state == VOLUME_READY ? "mark ready" : "mark doomed", e);
        for (size_t k = i; r == 0 && k < n; k++)
            r = check_mark(b, v[k], state, e);
        if (r == 0)
            r = mark_one(b, v[i], state, e);
        if (r >= 0)
            r = world_leave(world_of(b), 0, e);
    }
    return r;
}

static int check_remove(struct broker *b, const struct volume *v, struct error *e)
{
    struct world *w = world_of(b);
    const struct world_volume *found = world_volume(w, v->lv);
    int r = check_named(b, v, e);
    if (r == 0 && found && volume_is_snapshot(&found->v))
        r = take_lock(b, found->v.disk, e);
    if (r < 0 || !found)
        return r;
    if (found->v.state != VOLUME_BUILDING && found->v.state != VOLUME_DOOMED) {
        world_violated(w, "%s was to be removed while %s", v->lv, volume_state_name(found->v.state));
        return error_set(e, -EUNSAFE, "volume %s: in use by its tags", v->lv);
    }
    r = check_no_dependents(b, found, "removed", e);
    if (r < 0)
        return r;
    if (world_map(w, v->lv) || world_in_use(&w->host, &found->v))
        return error_set(e, -EBUSY, "volume %s: in use", v->lv);
    for (size_t i = 0; i < w->host.n_volumes; i++)
        if (volume_is_snapshot(&w->host.volumes[i].v) && &w->host.volumes[i] != found &&
            streq(w->host.volumes[i].v.instance, found->v.instance))
            return error_set(e, -EBUSY, "volume %s: has a snapshot", v->lv);
    return 0;
}

static int remove_one(struct broker *b, const struct volume *v, struct error *e)
{
    struct world *w = world_of(b);
    struct world_volume *found = world_volume(w, v->lv);
    int r = check_remove(b, v, e);
    if (r < 0 || !found)
        return r;
    w->host.group.free_bytes += found->v.size_bytes;
    forget(w, v->lv);
    world_drop(w->host.volumes, &w->host.n_volumes, sizeof w->host.volumes[0],
               (size_t)(found - w->host.volumes));
    return 0;
}

/* Removing a snapshot suspends the disk that it is of; here always the first one. */
static int enter_remove(struct world *w, const struct volume *v, struct error *e)
{
    const struct world_volume *lead = volume_is_snapshot(v) ? world_lead(w, v->instance) : NULL;
    return lead ? world_enter_suspending(w, "remove snapshot", lead->v.lv, e) : world_enter(w, "remove", e);
}

static int fake_remove(struct broker *b, const struct volume *const v[], size_t n, struct error *e)
{
    int r = 0;
    for (size_t i = 0; r >= 0 && i < n; i++) {
        r = enter_remove(world_of(b), v[i], e);
        for (size_t k = i; r == 0 && k < n; k++)
            r = check_remove(b, v[k], e);
        if (r == 0)
            r = remove_one(b, v[i], e);
        if (r >= 0)
            r = world_leave(world_of(b), 0, e);
        if (r >= 0 && owns_snapshot(b, v[i]->lv))
            ((struct fake_broker *)b)->own.lv[0] = '\0';
    }
    return r;
}

/* ------------------------------------------------------------------- adopting */

static struct volume names_of(const struct volume *v)
{
    struct volume names;
    memset(&names, 0, sizeof names); /* worlds are compared by their bytes */
    memcpy(names.vg, v->vg, sizeof names.vg);
    memcpy(names.lv, v->lv, sizeof names.lv);
    names.size_bytes = v->size_bytes;
    return names;
}

static int fake_strangers(struct broker *b, const char *vg, const char *uuid, struct volume **ret,
                          size_t *ret_n, struct error *e)
{
    const struct host *h = &world_of(b)->host;
    struct volume named = {.vg = ""};
    snprintf(named.lv, sizeof named.lv, "%.36s" VOLUME_INFIX, uuid);
    int r = world_enter(world_of(b), "strangers", e);
    if (r == 0)
        r = check_lock(b, &named, e);
    if (r >= 0)
        r = world_leave(world_of(b), 0, e);
    if (r < 0)
        return r;
    struct volume *found = world_alloc(h->n_volumes + 1, sizeof *found);
    size_t n = 0;
    for (size_t i = 0; i < h->n_volumes; i++)
        if (h->volumes[i].stranger && streq(h->volumes[i].v.vg, vg) && str_starts(h->volumes[i].v.lv, uuid))
            found[n++] = h->volumes[i].v;
    *ret = found;
    *ret_n = n;
    return 0;
}

/* As it is to be adopted: a stranger that nobody uses, and all of its tags. */
static int check_stranger(struct broker *b, const struct volume *v, struct error *e)
{
    struct world *w = world_of(b);
    const struct world_volume *found = world_volume(w, v->lv);
    int r = check_lock(b, v, e);
    if (r == 0)
        r = volume_check(v, e);
    if (r < 0)
        return r;
    if (v->state != VOLUME_ADOPTING || !volume_novas(v))
        return error_set(e, -EINVAL, "volume %s: not Nova's", v->lv);
    if (!found)
        return error_set(e, -ENOENT, "volume %s: none", v->lv);
    if (!found->stranger)
        return error_set(e, -EEXIST, "volume %s: has tags", v->lv);
    return world_map(w, v->lv) || world_in_use(&w->host, v) ? error_set(e, -EBUSY, "volume %s: in use", v->lv)
                                                            : 0;
}

static int fake_try(struct broker *b, const struct volume *v, const struct secret *key, bool *ret_shows,
                    struct error *e)
{
    const struct world_volume *found = world_volume(world_of(b), v->lv);
    bool shows = true;
    int r = world_enter(world_of(b), "try", e);
    if (r == 0) {
        r = check_stranger(b, v, e);
        if (r == 0)
            r = volume_verify_key(v, key, e);
        shows = r == 0 && memcmp(found->sealing, secret_peek(key), sizeof found->sealing) == 0;
    }
    if (r >= 0)
        r = world_leave(world_of(b), 0, e);
    if (r == 0)
        *ret_shows = shows;
    return r;
}

static int fake_adopt(struct broker *b, const struct volume *v, struct error *e)
{
    struct world_volume *found = world_volume(world_of(b), v->lv);
    int r = world_enter(world_of(b), "adopt", e);
    if (r == 0) {
        r = check_stranger(b, v, e);
        if (r == 0)
            r = check_disk_new(b, v, e);
        if (r == 0) {
            found->v = *v;
            found->stranger = false;
        }
    }
    return r < 0 ? r : world_leave(world_of(b), 0, e);
}

static int release(struct broker *b, const struct volume *v, struct error *e)
{
    struct world_volume *found = world_volume(world_of(b), v->lv);
    int r = check_lock(b, v, e);
    if (r < 0 || !found || found->stranger)
        return r < 0 ? r : found ? 0 : error_set(e, -ENOENT, "volume %s: none", v->lv);
    if (found->v.state != VOLUME_ADOPTING) {
        world_violated(world_of(b), "%s was to lose its tags while %s", v->lv,
                       volume_state_name(found->v.state));
        return error_set(e, -EUNSAFE, "volume %s: not adopting", v->lv);
    }
    found->v = names_of(&found->v);
    found->stranger = true;
    return 0;
}

static int fake_release(struct broker *b, const struct volume *v, struct error *e)
{
    int r = world_enter(world_of(b), "release", e);
    if (r == 0)
        r = release(b, v, e);
    return r < 0 ? r : world_leave(world_of(b), 0, e);
}

/* Locks go with the connection, as those of a process that was killed do. */
static void fake_disconnect(struct broker *b)
{
    struct fake_broker *f = (struct fake_broker *)b;
    for (size_t i = f->w->n_locks; i-- > 0;)
        if (f->w->locks[i].connection == f->connection)
            world_drop(f->w->locks, &f->w->n_locks, sizeof f->w->locks[0], i);
    free(f);
}

static const struct broker_ops fake_broker_ops = {
    .list = fake_list,
    .lock = fake_lock,
    .unlock = fake_unlock,
    .alive = fake_alive,
    .sync_domains = fake_sync_domains,
    .disk_uuid = fake_disk_uuid,
    .create = fake_create,
    .snapshot = fake_snapshot,
    .open = fake_open,
    .settle = fake_settle,
    .tune = fake_tune,
    .bench = fake_bench,
    .remake = fake_remake,
    .resize = fake_resize,
    .set_engine = fake_set_engine,
    .maps = fake_maps,
    .suspended = fake_suspended,
    .resume = fake_resume,
    .close_up_to = fake_close,
    .format = fake_format,
    .mark = fake_mark,
    .remove = fake_remove,
    .strangers = fake_strangers,
    .try = fake_try,
    .adopt = fake_adopt,
    .release = fake_release,
    .disconnect = fake_disconnect,
};

struct broker *fake_broker_new(struct world *w)
{
    struct fake_broker *f = world_alloc(1, sizeof *f);
    *f = (struct fake_broker){.base.ops = &fake_broker_ops, .w = w, .connection = ++w->connections};
    w->let_go = false;
    return &f->base;
}

static struct broker *connect_process(struct world *w, struct config *c)
{
    (void)c;
    return fake_broker_new(w);
}

static bool leads_to(const struct world *w, const struct volume *v, int fd)
{
    const struct world_known *k = find_known((struct world *)w, v->lv);
    struct stat st;
    return k && fstat(fd, &st) == 0 && k->inode == st.st_ino;
}

/* New instances have engine user, where they can. */
static struct broker *connect_served(struct world *w, struct config *c)
{
    snprintf(c->engine, sizeof c->engine, "user");
    return fake_broker_new(w);
}

const struct world_storage lvm_storage = {.connect = connect_process, .leads_to = leads_to};
const struct world_storage served_storage = {.served = true, .connect = connect_served, .leads_to = leads_to};
