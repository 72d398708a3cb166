/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of the matrix whose keys are behind a network: many are made at once, the manager may be away, and it
 * shows and destroys keys only for the project that has them.
 */
#include "matrix.h"

static const struct launch_request one = {
    .name = "t", .count = 1, .disks = {.root_bytes = GIB, .swap_bytes = GIB}};
static const struct launch_request three = {.name = "t", .count = 3, .disks.root_bytes = GIB};
static const struct launch_request three_shared = {
    .name = "t", .count = 3, .shared_key = true, .disks.root_bytes = GIB};

/* --------------------------------------------------------------- preparations */

static void have_small(struct fake *f)
{
    prepare_launch(f, &one);
}

static void have_shared(struct fake *f)
{
    prepare_launch(f, &three_shared);
}

/* As a power cut leaves an instance of one disk whose volume says `state`. */
static void have_wreck(struct fake *f, const char *name, enum volume_state state)
{
    const struct launch_request q = {.name = name, .count = 1, .disks.root_bytes = GIB};
    struct host *h = &f->world->host;
    prepare_launch(f, &q);
    h->volumes[h->n_volumes - 1].v.state = state;
    world_end_guest(&h->domains[h->n_domains - 1]);
    world_drop(h->maps, &h->n_maps, sizeof h->maps[0], h->n_maps - 1);
}

/* As a launch leaves it that was cut off right after. */
static void have_lone_key(struct fake *f)
{
    _cleanup_secret_ struct secret *s = NULL;
    struct key_info want = {.vg = "vg0", .scope = KEY_SCOPE_INSTANCE, .bits = 512};
    struct error e = ERROR_NONE;
    struct keymgr *km = NULL;
    char id[KEY_ID_MAX];
    uuid_make(want.owner);
    must(context_keymgr(&f->context, "barbican", &km, &e), &e);
    must(keymgr_create(km, &want, id, &s, &e), &e);
}

/* One in order, and all that recover has to see to. */
static void have_wrecks(struct fake *f)
{
    have_small(f);
    have_wreck(f, "torn", VOLUME_BUILDING);
    have_wreck(f, "gone", VOLUME_DOOMED);
    have_lone_key(f);
}

static void have_wrecks_away(struct fake *f)
{
    have_wrecks(f);
    f->world->keys_unreachable = true;
}

/* --------------------------------------------------------------- operations */

#define LAUNCH(request)                                                                                      \
    static int launch_##request(struct fake *f, struct error *e)                                             \
    {                                                                                                        \
        return launch(f, &request, e);                                                                       \
    }
LAUNCH(one)
LAUNCH(three)
LAUNCH(three_shared)

static int start(struct fake *f, struct error *e)
{
    bool changed = false;
    return instance_start(&f->context, "t", &changed, e);
}

static int start_as_host(struct fake *f, struct error *e)
{
    fake_ask_as_host(f);
    return start(f, e);
}

static int delete (struct fake *f, struct error *e)
{
    bool changed = false;
    return instance_delete(&f->context, "t", &changed, e);
}

static int delete_first(struct fake *f, struct error *e)
{
    bool changed = false;
    return instance_delete(&f->context, "t-1", &changed, e);
}

int wanted(struct fake *f, int wanted_r, int r)
{
    if (r != wanted_r && (r == 0 || !f->world->hit))
        world_violated(f->world, "it returned %d, not %d", r, wanted_r);
    return r == wanted_r ? 0 : r;
}

static bool all_ready(const struct host *h)
{
    for (size_t i = 0; i < h->n_volumes; i++)
        if (h->volumes[i].v.state != VOLUME_READY)
            return false;
    return true;
}

/* Refused before anything is changed: unless the manager cannot be asked just then. */
static int delete_as_them(struct fake *f, struct error *e)
{
    fake_ask_as(f, PROJECT_THEIRS);
    int r = delete (f, e);
    return r == -EACCES && !all_ready(&f->world->host) ? r : wanted(f, -EACCES, r);
}

static int rebuild(struct fake *f, struct error *e)
{
    static const struct rebuild_request q = {.image.path = "/image"};
    return instance_rebuild(&f->context, "t", &q, NULL, e);
}

static int rebuild_first(struct fake *f, struct error *e)
{
    static const struct rebuild_request q = {.image.path = NULL};
    return instance_rebuild(&f->context, "t-1", &q, NULL, e);
}

static int rebuild_as_them(struct fake *f, struct error *e)
{
    fake_ask_as(f, PROJECT_THEIRS);
    int r = rebuild(f, e);
    const struct host *h = &f->world->host;
    return r == -EACCES && !h->domains[h->n_domains - 1].d.active ? r : wanted(f, -EACCES, r);
}

/* `remains` things, and nothing else is told of. */
static int recover(struct fake *f, int wanted_r, size_t remains, struct error *e)
{
    _cleanup_free_ struct recovered *done = NULL;
    size_t n = 0;
    int r = instance_recover(&f->context, 0, &done, &n, e);
    if (n != remains && !f->world->hit)
        world_violated(f->world, "recover told of %zu things: %s", n, n ? done[0].object : "");
    return wanted(f, wanted_r, r);
}

static int recover_as_us(struct fake *f, struct error *e)
{
    return recover(f, 0, 3, e);
}

static int recover_as_them(struct fake *f, struct error *e)
{
    fake_ask_as(f, PROJECT_THEIRS);
    return recover(f, -EACCES, 2, e);
}

static int recover_as_host(struct fake *f, struct error *e)
{
    fake_ask_as_host(f);
    return recover(f, -EACCES, 2, e);
}

static int recover_as_nobody(struct fake *f, struct error *e)
{
    fake_ask_as_nobody(f);
    return recover(f, -EACCES, 2, e);
}

static int recover_at_boot(struct fake *f, struct error *e)
{
    fake_ask_as_host(f);
    return recover(f, 0, 0, e);
}

/* The manager itself, that of the bystanders, and two instances. They are back when the next one recovers. */
static int recover_while_away(struct fake *f, struct error *e)
{
    int r = recover(f, -EHOSTUNREACH, 4, e);
    f->world->keys_unreachable = false;
    return r;
}

static int delete_while_away(struct fake *f, struct error *e)
{
    f->world->keys_unreachable = true;
    int r = wanted(f, -EHOSTUNREACH, delete (f, e));
    f->world->keys_unreachable = false;
    return r;
}

const struct scenario network_scenarios[] = {
    /* name, tune, prepare, operate, {domains, active, volumes, maps, opened, keys}, promise */
    {"barbican: launch", in_barbican, NULL, launch_one, {1, 1, 2, 2, 0, 1}, UNDONE},
    {"barbican: launch --count 3", in_barbican, NULL, launch_three, {3, 3, 3, 3, 0, 3}, UNDONE},
    {"barbican: launch --count 3 --shared-key",
     in_barbican,
     NULL,
     launch_three_shared,
     {3, 3, 3, 3, 0, 1},
     UNDONE},
    {"barbican: export", in_barbican, have_running, export_disk, {1, 1, 3, 3, 0, 2}, UNDONE},
    {"barbican: start", in_barbican, have_stopped, start, {1, 1, 3, 3, 0, 1}, UNDONE},
    {"barbican: start by the host", in_barbican, have_left_dead, start_as_host, {1, 1, 3, 3, 0, 1}, UNDONE},
    {"barbican: delete", in_barbican, have_small, delete, NOTHING, FORWARD},
    {"barbican: delete of a batch", in_barbican, have_shared, delete_first, {2, 2, 2, 2, 0, 1}, FORWARD},
    {"barbican: delete by others", in_barbican, have_small, delete_as_them, {1, 1, 2, 2, 0, 1}, FORWARD},
    {"barbican: delete, unreachable",
     in_barbican,
     have_small,
     delete_while_away,
     {0, 0, 2, 0, 0, 1},
     UNFINISHED},
    {"barbican: rebuild", in_barbican, have_small, rebuild, {1, 1, 2, 2, 0, 1}, FORWARD},
    {"barbican: rebuild of a batch", in_barbican, have_shared, rebuild_first, {3, 3, 3, 3, 0, 2}, FORWARD},
    {"barbican: rebuild by others", in_barbican, have_small, rebuild_as_them, {1, 1, 2, 2, 0, 1}, FORWARD},
    {"barbican: recover", in_barbican, have_wrecks, recover_as_us, {1, 1, 2, 2, 0, 1}, FORWARD},
    {"barbican: recover, unreachable",
     in_barbican,
     have_wrecks_away,
     recover_while_away,
     {1, 1, 4, 2, 0, 4},
     UNFINISHED},
    {"barbican: recover by others",
     in_barbican,
     have_wrecks,
     recover_as_them,
     {1, 1, 4, 2, 0, 4},
     UNFINISHED},
    {"barbican: recover by the host",
     in_barbican,
     have_wrecks,
     recover_as_host,
     {1, 1, 4, 2, 0, 4},
     UNFINISHED},
    {"barbican: recover by nobody",
     in_barbican,
     have_wrecks,
     recover_as_nobody,
     {1, 1, 4, 2, 0, 4},
     UNFINISHED},
    {"barbican: recover at boot", in_barbican, have_left_dead, recover_at_boot, {1, 0, 3, 0, 0, 1}, FORWARD},
};
const size_t n_network_scenarios = ARRAY_SIZE(network_scenarios);
