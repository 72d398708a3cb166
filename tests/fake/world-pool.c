/* SPDX-License-Identifier: Apache-2.0 */
/* See world-pool.h. */
#include "world-pool.h"

#include "pool/pool.h"

#include <stdio.h>

#define CONNECTION 1 /* there is one process at a time */

static const char *folder;

/* ----------------------------------------------------------------- the engine */

/* What a keeper does goes on when the process that has started it ends. */
static int engine_open(const struct engine *g, const struct volume *v, int file_fd,
                       const struct secret *volume_key, enum map_use use, struct error *e)
{
    struct world *w = fake_world();
    (void)g, (void)file_fd, (void)volume_key;
    int r = world_enter(w, "engine open", e);
    if (r == 0) {
        struct world_map *m = &w->host.maps[w->host.n_maps++];
        m->map.size_bytes = v->size_bytes;
        m->map.read_only = map_use_reads_only(use, v);
        m->map.served = 1;
        memcpy(m->lv, v->lv, sizeof m->lv);
        volume_map_name(v, m->map.name);
        map_uuid_make(v->disk, use, m->map.uuid);
    }
    return r < 0 ? r : world_leave(w, 0, e);
}

static int engine_maps(const struct engine *g, struct map **ret, size_t *ret_n, struct error *e)
{
    struct world *w = fake_world();
    (void)g;
    int r = world_enter(w, "maps", e);
    if (r >= 0)
        r = world_leave(w, 0, e);
    if (r < 0)
        return r;
    *ret = world_alloc(w->host.n_maps + 1, sizeof **ret);
    for (size_t i = 0; i < w->host.n_maps; i++) {
        (*ret)[i] = w->host.maps[i].map;
        struct volume v = {.vg = VOLUME_FOLDER_PREFIX};
        memcpy(v.lv, w->host.maps[i].lv, sizeof v.lv);
        (*ret)[i].open_count = world_in_use(&w->host, &v);
    }
    *ret_n = w->host.n_maps;
    return 0;
}

static int close_map(struct world *w, const struct volume *v, enum map_use up_to, bool *ret_closed,
                     struct error *e)
{
    struct world_map *m = world_map(w, v->lv);
    *ret_closed = false;
    if (!m || map_uuid_use(m->map.uuid) > up_to)
        return 0;
    if (world_in_use(&w->host, v))
        return error_set(e, -EBUSY, "disk %s: a guest has it", v->lv);
    world_drop(w->host.maps, &w->host.n_maps, sizeof *m, (size_t)(m - w->host.maps));
    *ret_closed = true;
    return 0;
}

static int engine_close(const struct engine *g, const struct volume *v, enum map_use up_to, bool *ret_closed,
                        struct error *e)
{
    struct world *w = fake_world();
    (void)g;
    int r = world_enter(w, "close", e);
    if (r == 0)
        r = close_map(w, v, up_to, ret_closed, e);
    return r < 0 ? r : world_leave(w, 0, e);
}

/* The keeper tells the guest. */
static int engine_grow(const struct engine *g, const struct volume *v, struct error *e)
{
    struct world *w = fake_world();
    (void)g;
    int r = world_enter(w, "grow", e);
    if (r == 0) {
        world_map(w, v->lv)->map.size_bytes = v->size_bytes;
        world_tell_guest(&w->host, v);
    }
    return r < 0 ? r : world_leave(w, 0, e);
}

static const struct engine_ops engine_ops = {engine_open, engine_maps, engine_close, engine_grow};
static const struct engine engine = {.ops = &engine_ops, .sockets = {"/run/nowhere", false}};

/* ----------------------------------------------------------------- the broker */

static const struct broker_ops *pool_ops; /* of src/pool */

static int list(struct broker *b, struct inventory **ret, struct error *e)
{
    struct world *w = fake_world();
    int r = world_enter(w, "list", e);
    if (r >= 0)
        r = world_leave(w, 0, e);
    return r < 0 ? r : pool_ops->list(b, ret, e);
}

static int lock(struct broker *b, const char *uuid, struct error *e)
{
    struct world *w = fake_world();
    int r = world_enter(w, "lock", e);
    if (r == 0)
        r = pool_ops->lock(b, uuid, e);
    if (r == 0)
        world_note_lock(w, uuid, CONNECTION);
    return r < 0 ? r : world_leave(w, 0, e);
}

static void unlock(struct broker *b, const char *uuid)
{
    pool_ops->unlock(b, uuid);
    world_drop_lock(fake_world(), uuid, CONNECTION);
}

static void disconnect(struct broker *b)
{
    pool_ops->disconnect(b);
    fake_world()->n_locks = 0;
}

/* A process that has no memory for this has not begun. */
static struct broker *connect_process(struct world *w, struct config *c)
{
    static struct broker_ops counted;
    struct error e = ERROR_NONE;
    struct broker *b = NULL;
    w->let_go = false;
    snprintf(c->pool_path, sizeof c->pool_path, "%.200s", folder);
    world_allocates = true;
    int r = pool_open(c, &engine, &b, &e);
    world_allocates = false;
    if (r < 0) {
        fprintf(stderr, "world: no pool: %s\n", e.text);
        abort();
    }
    counted = *(pool_ops = b->ops);
    counted.list = list;
    counted.lock = lock;
    counted.unlock = unlock;
    counted.disconnect = disconnect;
    b->ops = &counted;
    return b;
}

static void begin(struct world *w)
{
    static struct config c;
    if (!folder)
        folder = folder_begin();
    config_defaults(&c);
    fake_use(w);
    struct broker *b = connect_process(w, &c);
    snprintf(w->host.group.name, sizeof w->host.group.name, "%s", pool_name(b));
    broker_disconnect(b);
    world_look(w);
}

const struct world_storage pool_storage = {.files = true,
                                           .begin = begin,
                                           .connect = connect_process,
                                           .look = folder_look,
                                           .restore = folder_restore,
                                           .leads_to = folder_leads_to,
                                           .wrote = folder_wrote};
