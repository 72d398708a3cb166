/* SPDX-License-Identifier: Apache-2.0 */
/* See world.h: the state, the counting of calls, and what a crash does. */
#include "world.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

static struct world *used;

void fake_use(struct world *w)
{
    used = w;
}

struct world *fake_world(void)
{
    return used;
}

volatile bool world_allocates;

void *world_alloc(size_t n, size_t size)
{
    world_allocates = true;
    void *memory = calloc(n, size);
    world_allocates = false;
    if (!memory)
        abort();
    return memory;
}

struct world *world_new(void)
{
    return world_new_over(&lvm_storage);
}

struct world *world_new_over(const struct world_storage *storage)
{
    struct world *w = world_alloc(1, sizeof *w);
    w->storage = storage;
    w->image_bytes = UINT64_C(1) << 30;
    w->host.group = (struct group){.name = "vg0",
                                   .size_bytes = UINT64_C(1) << 40,
                                   .free_bytes = UINT64_C(1) << 40,
                                   .extent_bytes = 4 << 20,
                                   .metadata_size_bytes = 1 << 20,
                                   .metadata_free_bytes = 1 << 19,
                                   .complete = true};
    if (storage->begin)
        storage->begin(w);
    return w;
}

struct host *world_look(struct world *w)
{
    if (w->storage->look)
        w->storage->look(w);
    return &w->host;
}

void world_become(struct world *w, const struct world *was)
{
    *w = *was;
    if (w->storage->restore)
        w->storage->restore(w);
}

struct world_volume *world_volume_at(struct world *w, int fd)
{
    struct host *h = world_look(w);
    for (size_t i = 0; i < h->n_volumes; i++)
        if (w->storage->leads_to(w, &h->volumes[i].v, fd))
            return &h->volumes[i];
    return NULL;
}

struct world *world_free(struct world *w)
{
    free(w);
    return NULL;
}

void world_end_guest(struct world_domain *d)
{
    d->d.active = false;
    d->d.state = DOMAIN_NO_STATE;
    memset(&d->running, 0, sizeof d->running);
}

void world_forget_transient(struct host *h)
{
    for (size_t i = h->n_domains; i-- > 0;)
        if (h->domains[i].transient && !h->domains[i].d.active)
            world_drop(h->domains, &h->n_domains, sizeof h->domains[0], i);
}

void world_take_tags(struct world_volume *w)
{
    struct volume names;
    memset(&names, 0, sizeof names);
    memcpy(names.vg, w->v.vg, sizeof names.vg);
    memcpy(names.lv, w->v.lv, sizeof names.lv);
    names.size_bytes = w->v.size_bytes;
    snprintf(w->lost_key, sizeof w->lost_key, "%s", w->v.key);
    w->v = names;
    w->stranger = true;
}

void world_reboot(struct host *h)
{
    for (size_t i = 0; i < h->n_volumes; i++)
        h->volumes[i].suspended = false;
    h->n_maps = 0;
    memset(h->maps, 0, sizeof h->maps);
    for (size_t i = h->n_domains; i-- > 0;)
        if (h->domains[i].unsettled)
            world_drop(h->domains, &h->n_domains, sizeof h->domains[0], i);
    if (h->n_domains + h->n_undefined > WORLD_DOMAINS)
        abort();
    for (size_t i = 0; i < h->n_undefined; i++)
        h->domains[h->n_domains++] = h->undefined[i];
    world_settle(h);
    for (size_t i = 0; i < h->n_domains; i++)
        world_end_guest(&h->domains[i]);
    world_forget_transient(h);
}

void world_settle(struct host *h)
{
    for (size_t i = 0; i < h->n_domains; i++)
        h->domains[i].unsettled = false;
    memset(h->undefined, 0, sizeof h->undefined);
    h->n_undefined = 0;
}

void world_revive(struct world *w)
{
    w->break_at = 0;
    w->virt_broken = false;
    w->crashed = w->stop_asked = w->stop_held = false;
    w->let_go = w->crashed_late = false;
    w->n_locks = 0;
    world_settle_maps(&w->host);
    memset(w->inject, 0, sizeof w->inject);
}

static int injected_error(const char *call)
{
    return str_starts(call, "key ") ? -EHOSTUNREACH : -EIO;
}

/* The volume may be gone: its removal was committed. */
static void lose_lvm(struct world *w)
{
    struct world_volume *v = world_volume(w, w->suspends);
    if (v)
        v->suspended = true;
}

static void crash(struct world *w)
{
    w->crashed = true;
    w->crashed_late = w->let_go;
}

static enum injection pending; /* after the effect of the present call */
static bool lvm_pending;       /* lvm is killed then */

static int enter(struct world *w, const char *call, struct error *e)
{
    pending = INJECT_NOTHING;
    lvm_pending = false;
    if (w->crashed)
        return error_set(e, -ECONNRESET, "%s: crashed", call);
    w->calls++;
    if (w->person.act && w->person.at == w->calls) {
        w->person.call = call;
        w->person.act(w);
    }
    for (size_t i = 0; i < ARRAY_SIZE(w->inject); i++) {
        if (w->inject[i].at != w->calls)
            continue;
        w->hit = call;
        bool before = w->inject[i].kind == INJECT_ERROR_BEFORE || w->inject[i].kind == INJECT_CRASH_BEFORE;
        if (before && w->inject[i].lvm_lost)
            lose_lvm(w);
        if (w->inject[i].kind == INJECT_ERROR_BEFORE)
            return error_set(e, injected_error(call), "%s: injected error before", call);
        if (w->inject[i].kind == INJECT_CRASH_BEFORE) {
            crash(w);
            return error_set(e, -ECONNRESET, "%s: injected crash before", call);
        }
        if (w->inject[i].kind == INJECT_STOP) {
            w->stop_asked = true;
            continue;
        }
        pending = w->inject[i].kind;
        lvm_pending = w->inject[i].lvm_lost;
    }
    return w->without && streq(w->without, call) ? 1 : 0;
}

int world_enter(struct world *w, const char *call, struct error *e)
{
    w->suspends[0] = '\0';
    return enter(w, call, e);
}

int world_enter_suspending(struct world *w, const char *call, const char *lv, struct error *e)
{
    snprintf(w->suspends, sizeof w->suspends, "%s", lv);
    return enter(w, call, e);
}

int world_leave(struct world *w, int r, struct error *e)
{
    enum injection kind = pending;
    pending = INJECT_NOTHING;
    if (r >= 0 && w->committed)
        w->committed(w);
    if (r < 0 || kind == INJECT_NOTHING)
        return r;
    if (lvm_pending)
        lose_lvm(w);
    if (kind == INJECT_ERROR_AFTER)
        return error_set(e, injected_error(w->hit), "%s: injected error after", w->hit);
    crash(w);
    return error_set(e, -ECONNRESET, "%s: injected crash after", w->hit);
}

void world_violated(struct world *w, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    if (!w->violation[0])
        vsnprintf(w->violation, sizeof w->violation, format, ap);
    va_end(ap);
}

void world_note_lock(struct world *w, const char *uuid, unsigned connection)
{
    if (w->n_locks == WORLD_LOCKS)
        abort();
    struct world_lock *lock = &w->locks[w->n_locks++];
    lock->connection = connection;
    memcpy(lock->uuid, uuid, UUID_TEXT);
}

bool world_drop_lock(struct world *w, const char *uuid, unsigned connection)
{
    size_t had = 0, keeps = 0;
    for (size_t i = w->n_locks; i-- > 0;) {
        bool own = w->locks[i].connection == connection, named = own && streq(w->locks[i].uuid, uuid);
        if (named)
            world_drop(w->locks, &w->n_locks, sizeof w->locks[0], i);
        had += named;
        keeps += own && !named;
    }
    w->let_go = had ? keeps == 0 : w->let_go;
    return had > 0;
}

struct world_volume *world_volume(struct world *w, const char *lv)
{
    for (size_t i = 0; i < w->host.n_volumes; i++)
        if (streq(w->host.volumes[i].v.lv, lv))
            return &w->host.volumes[i];
    return NULL;
}

struct world_map *world_map(struct world *w, const char *lv)
{
    for (size_t i = 0; i < w->host.n_maps; i++)
        if (streq(w->host.maps[i].lv, lv))
            return &w->host.maps[i];
    return NULL;
}

struct world_domain *world_domain(struct world *w, const char *uuid)
{
    for (size_t i = 0; i < w->host.n_domains; i++)
        if (streq(w->host.domains[i].d.uuid, uuid))
            return &w->host.domains[i];
    return NULL;
}

struct world_key *world_key(struct world *w, const char *id)
{
    for (size_t i = 0; i < w->host.n_keys; i++)
        if (streq(w->host.keys[i].info.id, id))
            return &w->host.keys[i];
    return NULL;
}

bool world_has_disk(const struct world_disks *all, const char *path)
{
    for (size_t i = 0; i < all->n; i++)
        if (streq(all->disk[i].path, path))
            return true;
    return false;
}

uint64_t world_device_bytes(const struct host *h, const char *path)
{
    for (size_t i = 0; i < h->n_volumes; i++) {
        const struct volume *v = &h->volumes[i].v;
        char device[DEVICE_PATH_MAX];
        volume_device_path(v, device);
        if (!streq(device, path))
            continue;
        for (size_t m = 0; volume_encrypted(v) && m < h->n_maps; m++)
            if (streq(h->maps[m].lv, v->lv))
                return h->maps[m].map.size_bytes;
        return volume_encrypted(v) ? 0 : v->size_bytes;
    }
    return 0;
}

void world_settle_maps(struct host *h)
{
    for (size_t i = 0; i < h->n_maps; i++)
        h->maps[i].unsettled = false;
}

bool world_in_use(const struct host *h, const struct volume *v)
{
    char path[DEVICE_PATH_MAX];
    volume_device_path(v, path);
    for (size_t i = 0; i < h->n_domains; i++)
        if (h->domains[i].d.active && world_has_disk(&h->domains[i].running, path))
            return true;
    return false;
}

void world_tell_guest(struct host *h, const struct volume *v)
{
    char path[DEVICE_PATH_MAX];
    volume_device_path(v, path);
    for (size_t i = 0; i < h->n_domains; i++)
        for (size_t d = 0; d < h->domains[i].running.n; d++)
            if (streq(h->domains[i].running.disk[d].path, path))
                h->domains[i].running.disk[d].bytes = v->size_bytes;
}

struct world_domain *world_add_domain(struct world *w, const char *name, const char *uuid)
{
    if (w->host.n_domains == WORLD_DOMAINS)
        abort();
    struct world_domain *d = &w->host.domains[w->host.n_domains++];
    snprintf(d->d.name, sizeof d->d.name, "%.63s", name);
    snprintf(d->d.uuid, sizeof d->d.uuid, "%.36s", uuid);
    return d;
}

void world_drop(void *array, size_t *n, size_t size, size_t i)
{
    char *bytes = array;
    memmove(bytes + i * size, bytes + (i + 1) * size, (*n - i - 1) * size);
    memset(bytes + --*n * size, 0, size); /* worlds are compared by their bytes */
}

struct world_volume *world_lead(struct world *w, const char *uuid)
{
    struct world_volume *lead = NULL;
    for (size_t i = 0; i < w->host.n_volumes; i++) {
        struct world_volume *one = &w->host.volumes[i];
        if (streq(one->v.instance, uuid) && (!lead || volume_order(&one->v, &lead->v) < 0))
            lead = one;
    }
    return lead;
}

/* Without room behind them, so that a sanitizer sees who reads on there. */
static void *exactly(void *items, size_t n, size_t size)
{
    void *smaller = world_alloc(n ? n : 1, size);
    memcpy(smaller, items, n * size);
    free(items);
    return smaller;
}

struct inventory *world_inventory(const struct host *h)
{
    struct inventory *i = world_alloc(1, sizeof *i);
    struct group *groups = world_alloc(1, sizeof *groups);
    struct volume *volumes = world_alloc(h->n_volumes + 1, sizeof *volumes);
    struct damaged_volume *damaged = world_alloc(h->n_damaged + 1, sizeof *damaged);
    struct untagged_volume *untagged = world_alloc(h->n_untagged + h->n_volumes + 1, sizeof *untagged);
    struct dependent *dependents = world_alloc(h->n_volumes + 1, sizeof *dependents);
    struct map *maps = world_alloc(h->n_maps + 1, sizeof *maps);
    groups[0] = h->group;
    size_t n_volumes = 0;
    for (size_t n = 0; n < h->n_volumes; n++)
        if (!h->volumes[n].stranger)
            volumes[n_volumes++] = h->volumes[n].v;
    for (size_t n = 0; n < h->n_damaged; n++)
        damaged[n] = h->damaged[n];
    for (size_t n = 0; n < h->n_untagged; n++)
        untagged[n] = h->untagged[n];
    size_t n_untagged = h->n_untagged;
    for (size_t n = 0; n < h->n_volumes; n++)
        if (h->volumes[n].stranger) {
            struct untagged_volume *u = &untagged[n_untagged++];
            snprintf(u->vg, sizeof u->vg, "%s", h->volumes[n].v.vg);
            snprintf(u->lv, sizeof u->lv, "%s", h->volumes[n].v.lv);
            snprintf(u->instance, sizeof u->instance, "%.36s", h->volumes[n].v.lv);
        }
    size_t n_dependents = 0;
    for (size_t n = 0; n < h->n_volumes; n++)
        if (h->volumes[n].snapshotted) {
            struct dependent *d = &dependents[n_dependents++];
            memcpy(d->vg, h->volumes[n].v.vg, sizeof d->vg);
            memcpy(d->lv, h->volumes[n].v.lv, sizeof d->lv);
            snprintf(d->reason, sizeof d->reason, "a snapshot depends on it");
        }
    for (size_t n = 0; n < h->n_maps; n++) {
        maps[n] = h->maps[n].map;
        for (size_t v = 0; v < h->n_volumes; v++)
            if (streq(h->volumes[v].v.lv, h->maps[n].lv))
                maps[n].open_count = h->maps[n].held + world_in_use(h, &h->volumes[v].v);
    }
    volumes = exactly(volumes, n_volumes, sizeof *volumes);
    damaged = exactly(damaged, h->n_damaged, sizeof *damaged);
    untagged = exactly(untagged, n_untagged, sizeof *untagged);
    dependents = exactly(dependents, n_dependents, sizeof *dependents);
    maps = exactly(maps, h->n_maps, sizeof *maps);
    *i = (struct inventory){.groups = groups,
                            .n_groups = h->group.name[0] != '\0',
                            .volumes = volumes,
                            .n_volumes = n_volumes,
                            .damaged = damaged,
                            .n_damaged = h->n_damaged,
                            .untagged = untagged,
                            .n_untagged = n_untagged,
                            .dependents = dependents,
                            .n_dependents = n_dependents,
                            .maps = maps,
                            .n_maps = h->n_maps,
                            .crypt_version = WORLD_CRYPT_VERSION};
    inventory_sort(i);
    return i;
}

void fake_ask_as_nobody(struct fake *f)
{
    f->who = KEY_CONTEXT_NONE;
}

void fake_ask_as(struct fake *f, const char *project)
{
    fake_ask_as_nobody(f);
    snprintf(f->who.cloud, sizeof f->who.cloud, "%s", project);
}

/* As if the password of its user lay there; nobody reads it. */
void fake_ask_as_host(struct fake *f)
{
    fake_ask_as_nobody(f);
    f->who.host_secret_fd = STDIN_FILENO;
}

static bool stopped(void)
{
    return used->stop_asked && !used->stop_held;
}

static void hold_stop(bool on)
{
    used->stop_held = on;
}

void fake_begin(struct fake *f, struct world *w)
{
    *f = (struct fake){.world = w};
    w->config = &f->config;
    fake_ask_as(f, PROJECT_OURS);
    fake_use(w);
    config_defaults(&f->config);
    f->config.encryption_enabled = true;
    f->config.volume_groups.n = 1;
    snprintf(f->config.volume_groups.item[0], CONFIG_TEXT_MAX, "%s", w->host.group.name);
    f->context = (struct context){.config = &f->config,
                                  .broker = w->storage->connect(w, &f->config),
                                  .virt = w->virt_gone ? NULL : fake_virt_new(w),
                                  .open_keymgr = fake_keymgr_open,
                                  .who = &f->who,
                                  .managers = &f->managers,
                                  .import = fake_import,
                                  .export = fake_export,
                                  .stream = fake_stream,
                                  .write_seed = fake_write_seed,
                                  .read_seed = fake_read_seed,
                                  .bench_look = fake_bench_look,
                                  .root = w->root ? w->root : WORLD_NO_ROOT,
                                  .bench_measure = fake_bench_measure,
                                  .stopped = stopped,
                                  .hold_stop = hold_stop};
}

void fake_end(struct fake *f)
{
    key_managers_end(&f->managers);
    broker_disconnect(f->context.broker);
    virt_disconnect(f->context.virt);
    world_look(f->world);
}

void fake_again(struct fake *f)
{
    struct config config = f->config;
    struct key_context who = f->who;
    const struct reporter *reporter = f->context.reporter;
    fake_end(f);
    fake_begin(f, f->world);
    f->config = config;
    f->who = who;
    f->context.reporter = reporter;
}
