/* SPDX-License-Identifier: Apache-2.0 */
/* The rows of the matrix: what is there before, what is done, what there is when it went well. Those with
 * keys behind a network are in matrix-network.c, those about single disks in matrix-disks.c. */
#include "base/clock.h"
#include "base/fd.h"
#include "matrix.h"

#include <fcntl.h>
#include <stdio.h>

void must(int r, const struct error *e)
{
    if (r == 0)
        return;
    fprintf(stderr, "matrix: cannot prepare: %s\n", e->text);
    abort();
}

int launch(struct fake *f, const struct launch_request *q, struct error *e)
{
    _cleanup_free_ struct launched *launched = NULL;
    return instance_launch(&f->context, q, &launched, NULL, e);
}

void prepare_launch(struct fake *f, const struct launch_request *q)
{
    struct error e = ERROR_NONE;
    must(launch(f, q, &e), &e);
}

/* ----------------------------------------------------------- configurations */

void plain_disks(struct config *c)
{
    c->encryption_enabled = false;
}

void ephemeral_keys(struct config *c)
{
    snprintf(c->key_backend, sizeof c->key_backend, "ephemeral");
}

void in_barbican(struct config *c)
{
    snprintf(c->key_backend, sizeof c->key_backend, "barbican");
    snprintf(c->host_access, sizeof c->host_access, "read");
}

/* ------------------------------------------------------------------- requests */

#define FULL                                                                                                 \
    .disks = {.image.path = "/image",                                                                        \
              .root_bytes = GIB + 1,                                                                         \
              .ephemeral = {{.size_bytes = GIB, .fs = "ext4"}},                                              \
              .n_ephemeral = 1,                                                                              \
              .swap_bytes = GIB}

static const struct launch_request one = {.name = "t", .count = 1, FULL};
static const struct launch_request with_autostart = {
    .name = "t", .count = 2, .disks.root_bytes = GIB, .network = "default", .autostart = true};
static const struct launch_request seeded = {.name = "t",
                                             .count = 1,
                                             .disks = {.root_bytes = GIB, .image = {.path = "/image"}},
                                             .seed = {.hostname = "web", .ssh_keys = "ssh-ed25519 AAAA me"}};
static const struct launch_request seeded_off = {
    .name = "t", .count = 1, .disks.root_bytes = GIB, .seed = {.hostname = "web"}, .no_start = true};
static const struct launch_request one_off = {.name = "t", .count = 1, FULL, .no_start = true};
static const struct launch_request three = {.name = "t", .count = 3, FULL};
static const struct launch_request three_shared = {
    .name = "t",
    .count = 3,
    .shared_key = true,
    .disks = {.image.path = "/image", .root_bytes = GIB, .swap_bytes = GIB}};
static const struct launch_request three_off = {.name = "t",
                                                .count = 3,
                                                .shared_key = true,
                                                .disks = {.root_bytes = GIB, .swap_bytes = GIB},
                                                .no_start = true};
static const struct launch_request rootless = {
    .name = "t",
    .count = 1,
    .disks = {.ephemeral = {{.size_bytes = GIB, .fs = "xfs"}, {.size_bytes = GIB, .fs = "vfat"}},
              .n_ephemeral = 2}};
static const struct launch_request pair = {
    .name = "t", .count = 2, .shared_key = true, .disks = {.root_bytes = GIB, .swap_bytes = GIB}};
static const struct launch_request pair_with_image = {
    .name = "t",
    .count = 2,
    .shared_key = true,
    .disks = {.image.path = "/image", .root_bytes = GIB, .swap_bytes = GIB}};
static const struct launch_request bare = {
    .name = "t", .count = 1, .disks.root_bytes = GIB, .no_start = true};

static void export_to(struct fake *f, const char *name, const char *path)
{
    const struct export_request q = {.name = name, .path = path};
    struct exported done;
    struct error e = ERROR_NONE;
    must(instance_export(&f->context, &q, &done, NULL, &e), &e);
}

void make_bystanders(struct world *w)
{
    static const struct launch_request running = {.name = "runs", .count = 1, FULL};
    static const struct launch_request stopped = {.name = "stopped", .count = 1, FULL, .no_start = true};
    static const struct launch_request together = {
        .name = "pair", .count = 2, .shared_key = true, .disks = {.root_bytes = GIB, .swap_bytes = GIB}};
    static const struct launch_request plain = {.name = "plain", .count = 1, FULL};
    static const struct launch_request theirs = {
        .name = "theirs", .count = 1, .disks.root_bytes = GIB, .no_start = true};
    static const struct add_disks_request given = {.name = "given", .disks.root_bytes = GIB};
    _cleanup_free_ struct launched *launched = NULL;
    bool changed = false;
    struct error e = ERROR_NONE;
    struct fake f;

    fake_begin(&f, w);
    prepare_launch(&f, &running);
    prepare_launch(&f, &stopped);
    prepare_launch(&f, &together);
    world_add_domain(w, "foreign", "88888888-8888-4888-8888-888888888888");
    world_add_domain(w, "given", "99999999-9999-4999-8999-999999999999");
    must(instance_add_disks(&f.context, &given, &launched, &changed, NULL, &e), &e);
    f.config.encryption_enabled = false;
    if (!w->storage->files)
        prepare_launch(&f, &plain);
    f.config.encryption_enabled = true;
    export_to(&f, "stopped", "/image-of-others");
    w->host.handed_over = false;
    in_barbican(&f.config);
    fake_ask_as(&f, PROJECT_THEIRS);
    prepare_launch(&f, &theirs);
    fake_end(&f);
}

/* --------------------------------------------------------------- preparations */

void have_running(struct fake *f)
{
    prepare_launch(f, &one);
}

void have_stopped(struct fake *f)
{
    prepare_launch(f, &one_off);
}

static void have_seeded(struct fake *f)
{
    prepare_launch(f, &seeded);
}

static void have_seeded_off(struct fake *f)
{
    prepare_launch(f, &seeded_off);
}

static void have_pair(struct fake *f)
{
    prepare_launch(f, &pair);
}

static void have_pair_with_image(struct fake *f)
{
    prepare_launch(f, &pair_with_image);
}

static void have_three(struct fake *f)
{
    prepare_launch(f, &three);
}

static void have_last_of_pair(struct fake *f)
{
    struct error e = ERROR_NONE;
    bool changed = false;
    have_pair(f);
    must(instance_delete(&f->context, "t-2", &changed, &e), &e);
}

void have_opened(struct fake *f)
{
    struct error e = ERROR_NONE;
    bool changed = false;
    have_stopped(f);
    must(instance_open(&f->context, "t", MAP_TO_STAY, &changed, &e), &e);
}

static void have_ephemeral_stopped(struct fake *f)
{
    struct error e = ERROR_NONE;
    bool changed = false;
    have_running(f);
    must(instance_stop(&f->context, "t", 0, true, &changed, &e), &e);
}

/* As a start leaves it that was cut off: open, and not marked to stay so. */
static void have_left_open(struct fake *f)
{
    have_opened(f);
    for (size_t i = 0; i < f->world->host.n_maps; i++) {
        char *uuid = f->world->host.maps[i].map.uuid;
        if (str_ends(uuid, MAP_UUID_OPENED))
            memset(uuid + strlen(uuid) - strlen(MAP_UUID_OPENED), 0, strlen(MAP_UUID_OPENED));
    }
}

static void have_opened_for_start(struct fake *f)
{
    struct error e = ERROR_NONE;
    bool changed = false;
    have_stopped(f);
    must(instance_open(&f->context, "t", MAP_FOR_START, &changed, &e), &e);
}

/* As time leaves it: the start has not followed. */
static void have_no_start_followed(struct fake *f)
{
    have_opened_for_start(f);
    for (size_t i = 0; i < f->world->host.n_maps; i++) {
        char *uuid = f->world->host.maps[i].map.uuid;
        if (map_uuid_use(uuid) == MAP_FOR_START)
            snprintf(uuid + strlen(uuid) - 8, 9, "%08x", clock_boot_sec() - START_WITHIN_SEC - 1);
    }
}

static int cut_off(const struct opened *disk, int file_fd, const char *name, const struct secret *key,
                   const struct image_progress *progress, struct error *e)
{
    (void)disk, (void)file_fd, (void)name, (void)key, (void)progress;
    fake_world()->crashed = true;
    return error_set(e, -ECONNRESET, "crash");
}

/* As a crash leaves it while a file was written. */
static void have_cut_export(struct fake *f)
{
    const struct export_request q = {.name = "t", .path = "/file"};
    struct exported done;
    have_running(f);
    f->context.export = cut_off;
    if (instance_export(&f->context, &q, &done, NULL, NULL) == 0)
        abort();
    world_revive(f->world);
}

/* As a reboot of the host leaves it. */
void have_left_dead(struct fake *f)
{
    struct host *h = &f->world->host;
    have_running(f);
    struct world_domain *t = &h->domains[h->n_domains - 1];
    world_end_guest(t);
    for (size_t i = h->n_maps; i-- > 0;)
        if (str_starts(h->maps[i].lv, t->d.uuid))
            world_drop(h->maps, &h->n_maps, sizeof h->maps[0], i);
}

/* --------------------------------------------------------------- operations */

#define LAUNCH(request)                                                                                      \
    static int launch_##request(struct fake *f, struct error *e)                                             \
    {                                                                                                        \
        return launch(f, &request, e);                                                                       \
    }
LAUNCH(one)
LAUNCH(one_off)
LAUNCH(seeded)
LAUNCH(with_autostart)
LAUNCH(three)
LAUNCH(three_shared)
LAUNCH(three_off)
LAUNCH(rootless)
LAUNCH(bare)

int export_disk(struct fake *f, struct error *e)
{
    const struct export_request q = {.name = "t", .path = "/file"};
    struct exported done;
    return instance_export(&f->context, &q, &done, NULL, e);
}

static int export_plaintext(struct fake *f, struct error *e)
{
    const struct export_request q = {.name = "t", .path = "/file", .role = "swap", .plaintext = true};
    struct exported done;
    return instance_export(&f->context, &q, &done, NULL, e);
}

static int export_to_descriptor(struct fake *f, struct error *e)
{
    _cleanup_close_ int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
    const struct export_request q = {.name = "t", .path = "a descriptor", .output_fd = fd, .plaintext = true};
    struct exported done;
    return instance_export(&f->context, &q, &done, NULL, e);
}

static int launch_from_export(struct fake *f, struct error *e)
{
    const struct host *h = &f->world->host;
    char key[KEY_REF_MAX] = "";
    for (size_t i = 0; i < h->n_keys; i++)
        if (h->keys[i].info.scope == KEY_SCOPE_IMAGE)
            snprintf(key, sizeof key, "local:local/%.100s", h->keys[i].info.id);
    const struct launch_request q = {
        .name = "t",
        .count = 1,
        .disks = {.image.path = "/image-of-others", .image.key = key, .root_bytes = GIB}};
    return launch(f, &q, e);
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

/* Of each name the truth is told: who is said to be gone has no domain any more. */
static int delete_all(struct fake *f, const char *const names[], size_t n, struct outcome done[],
                      struct error *e)
{
    int r = instances_delete(&f->context, names, n, done, e);
    for (size_t i = 0; i < n; i++)
        for (size_t d = 0; d < f->world->host.n_domains; d++)
            if (done[i].changed && streq(f->world->host.domains[d].d.name, names[i]))
                world_violated(f->world, "%s was said to be deleted", names[i]);
    return r;
}

/* A name that nobody has is an error, and keeps none of the others. */
static int delete_two(struct fake *f, struct error *e)
{
    const char *const names[] = {"t-1", "nobody", "t-2", "t-1"};
    struct outcome done[ARRAY_SIZE(names)];
    int r = delete_all(f, names, ARRAY_SIZE(names), done, e);
    if (r == 0)
        world_violated(f->world, "the name that nobody has was not told of");
    for (size_t i = 0; r == -ENOENT && i < ARRAY_SIZE(names); i++)
        if (!streq(names[i], "nobody") && done[i].error.errnum)
            return r;
    if (r == -ENOENT)
        *e = ERROR_NONE;
    return r == -ENOENT ? 0 : r;
}

static int delete_pair(struct fake *f, struct error *e)
{
    const char *const names[] = {"t-2", "t-1"};
    struct outcome done[ARRAY_SIZE(names)];
    return delete_all(f, names, ARRAY_SIZE(names), done, e);
}

static int start(struct fake *f, struct error *e)
{
    bool changed = false;
    return instance_start(&f->context, "t", &changed, e);
}

static int stop(struct fake *f, struct error *e)
{
    bool changed = false;
    return instance_stop(&f->context, "t", 5, false, &changed, e);
}

static int stop_hard(struct fake *f, struct error *e)
{
    bool changed = false;
    return instance_stop(&f->context, "t", 0, true, &changed, e);
}

static int reboot(struct fake *f, struct error *e)
{
    bool changed = false;
    return instance_reboot(&f->context, "t", false, &changed, e);
}

static int reboot_hard(struct fake *f, struct error *e)
{
    bool changed = false;
    return instance_reboot(&f->context, "t", true, &changed, e);
}

/* What is promised when it went well, beyond amounts: volume, map and a running guest agree. */
static void check_sizes(struct world *w, const char *role, uint64_t bytes)
{
    const struct host *h = world_look(w);
    const struct world_domain *t = &h->domains[h->n_domains - 1];
    for (size_t i = 0; i < h->n_volumes; i++) {
        const struct volume *v = &h->volumes[i].v;
        char path[DEVICE_PATH_MAX];
        if (!streq(v->instance, t->d.uuid) || !streq(v->role, role))
            continue;
        volume_device_path(v, path);
        uint64_t device_bytes = world_device_bytes(h, path);
        bool told = !t->d.active;
        for (size_t d = 0; d < t->running.n; d++)
            told |= streq(t->running.disk[d].path, path) && t->running.disk[d].bytes == bytes;
        if (v->size_bytes != bytes || (device_bytes && device_bytes != bytes) || !told)
            world_violated(w, "%s was resized, but not everywhere", v->lv);
    }
}

static int resize(struct fake *f, const char *role, uint64_t size_bytes, struct error *e)
{
    const struct resize_request q = {.role = role, .size_bytes = size_bytes};
    bool changed = false;
    int r = instance_resize(&f->context, "t", &q, &changed, NULL, e);
    if (r == 0)
        check_sizes(f->world, role, size_bytes);
    return r;
}

static int resize_root(struct fake *f, struct error *e)
{
    return resize(f, "root", 2 * GIB, e);
}

static int resize_swap(struct fake *f, struct error *e)
{
    return resize(f, "swap", 3 * GIB, e);
}

/* As a cut-off resize leaves it: the volume is larger than its map, and than the guest knows. */
static void have_half_resized(struct fake *f)
{
    struct error e = ERROR_NONE;
    have_running(f);
    const struct host *h = world_look(f->world);
    for (size_t i = 0; i < h->n_volumes; i++)
        if (streq(h->volumes[i].v.instance, h->domains[h->n_domains - 1].d.uuid) &&
            streq(h->volumes[i].v.role, "root")) {
            must(broker_lock(f->context.broker, h->volumes[i].v.instance, &e), &e);
            must(broker_resize(f->context.broker, &h->volumes[i].v, 2 * GIB, &e), &e);
            broker_unlock(f->context.broker, h->volumes[i].v.instance);
        }
}

/* By another configuration than the disks were opened by. */
static int set_user(struct fake *f, struct error *e)
{
    bool changed = false;
    return instance_set_engine(&f->context, "t", "user", false, &changed, NULL, e);
}

static int set_dm_crypt(struct fake *f, struct error *e)
{
    bool changed = false;
    return instance_set_engine(&f->context, "t", "dm-crypt", false, &changed, NULL, e);
}

static void have_served(struct fake *f)
{
    struct error e = ERROR_NONE;
    have_stopped(f);
    must(set_user(f, &e), &e);
}

static int tune(struct fake *f, struct error *e)
{
    bool changed = false;
    f->config.discard = true;
    int r = instance_tune(&f->context, "t", false, &changed, NULL, e);
    const struct host *h = &f->world->host;
    for (size_t i = 0; r == 0 && i < h->n_maps; i++)
        if (str_starts(h->maps[i].lv, h->domains[h->n_domains - 1].d.uuid) &&
            h->maps[i].map.flags != CRYPT_ALLOW_DISCARDS)
            world_violated(f->world, "%s was tuned, but has not the flags that it should", h->maps[i].lv);
    return r;
}

/* What is promised when it went well, beyond amounts: the disks have what was made on them before. */
static void check_contents(struct world *w, const char *uuid)
{
    const struct host *h = world_look(w);
    for (size_t i = 0; i < h->n_volumes; i++) {
        const struct world_volume *v = &h->volumes[i];
        bool root = streq(v->v.role, "root"), seed = volume_is_seed(&v->v);
        if (streq(v->v.instance, uuid) &&
            (v->has_image != root || !streq(v->fs, v->v.fs) || (root || seed) == !!v->fs[0] ||
             seed != !!strstr(v->seed, "\"web\"")))
            world_violated(w, "%s was rebuilt, but not with what it had", v->v.lv);
    }
}

static int rebuild_named(struct fake *f, const char *name, struct error *e)
{
    static const struct rebuild_request q = {.image = {.path = "/image", .sha256 = WORLD_IMAGE_SHA256}};
    int r = instance_rebuild(&f->context, name, &q, NULL, e);
    for (size_t i = 0; r == 0 && i < f->world->host.n_domains; i++)
        if (streq(f->world->host.domains[i].d.name, name))
            check_contents(f->world, f->world->host.domains[i].d.uuid);
    return r;
}

static int rebuild(struct fake *f, struct error *e)
{
    return rebuild_named(f, "t", e);
}

static int rebuild_empty(struct fake *f, struct error *e)
{
    static const struct rebuild_request q = {.image = {.path = NULL}};
    return instance_rebuild(&f->context, "t", &q, NULL, e);
}

static int rebuild_with_seed(struct fake *f, struct error *e)
{
    static const struct rebuild_request q = {.seed = {.hostname = "other"}};
    return instance_rebuild(&f->context, "t", &q, NULL, e);
}

static int rebuild_first(struct fake *f, struct error *e)
{
    return rebuild_named(f, "t-1", e);
}

/* How many disks of the instance are in that state? */
static size_t disks_in(const struct host *h, const char *uuid, enum volume_state state)
{
    size_t n = 0;
    for (size_t i = 0; i < h->n_volumes; i++)
        n += streq(h->volumes[i].v.instance, uuid) && h->volumes[i].v.state == state;
    return n;
}

/* Where the process of a rebuild was killed: so many of three disks were rebuilding. */
static void have_cut_rebuild(struct fake *f, size_t rebuilding)
{
    static struct world before;
    char uuid[UUID_TEXT];
    have_running(f);
    fake_again(f); /* or the launch would still hold its lock */
    before = *f->world;
    memcpy(uuid, before.host.domains[before.host.n_domains - 1].d.uuid, sizeof uuid);
    for (unsigned at = 1; disks_in(&f->world->host, uuid, VOLUME_REBUILDING) != rebuilding; at++) {
        struct error e = ERROR_NONE;
        world_become(f->world, &before);
        f->world->calls = 0;
        f->world->inject[0].at = at;
        f->world->inject[0].kind = INJECT_CRASH_AFTER;
        if (rebuild(f, &e) == 0)
            abort();
        world_revive(f->world);
        fake_again(f);
    }
}

static void have_rebuild_cut_early(struct fake *f)
{
    have_cut_rebuild(f, 1); /* and the others have their old key */
}

/* Recover has destroyed its old key, and can but tell of the rest. */
static void have_rebuild_cut_late(struct fake *f)
{
    struct error e = ERROR_NONE;
    have_cut_rebuild(f, 3);
    must(recover_all(f, &e) == -ENEEDSRECOVER ? 0 : -EIO, &e);
    fake_again(f);
}

static int open_disks(struct fake *f, struct error *e)
{
    bool changed = false;
    return instance_open(&f->context, "t", MAP_TO_STAY, &changed, e);
}

static int open_for_start(struct fake *f, struct error *e)
{
    bool changed = false;
    return instance_open(&f->context, "t", MAP_FOR_START, &changed, e);
}

static int close_disks(struct fake *f, struct error *e)
{
    bool changed = false;
    return instance_close(&f->context, "t", true, &changed, e);
}

/* As libvirt calls the hook, which must not ask it anything: before the domain starts, and after it has ended
 * or could not be started. */
static int hook(struct fake *f, bool before, struct error *e)
{
    struct context c = f->context;
    const struct domain *t = &f->world->host.domains[f->world->host.n_domains - 1].d;
    struct hook_domain d = {.name = (char *)"t", .ours = true};
    memcpy(d.uuid, t->uuid, sizeof d.uuid);
    c.virt = NULL;
    return before ? instance_hook_prepare(&c, &d, e) : instance_hook_release(&c, d.uuid, e);
}

int virsh_start(struct fake *f, struct error *e)
{
    int r = hook(f, true, e);
    if (r == 0)
        r = virt_start(f->context.virt, f->world->host.domains[f->world->host.n_domains - 1].d.uuid, e);
    if (r < 0)
        (void)!hook(f, false, NULL);
    return r;
}

static int virsh_destroy(struct fake *f, struct error *e)
{
    int r = virt_destroy(f->context.virt, f->world->host.domains[f->world->host.n_domains - 1].d.uuid, e);
    return r < 0 ? r : hook(f, false, e);
}

int recover_all(struct fake *f, struct error *e)
{
    _cleanup_free_ struct recovered *done = NULL;
    size_t n = 0;
    return instance_recover(&f->context, 0, &done, &n, e);
}

const struct scenario scenarios[] = {
    /* name, tune, prepare, operate, {domains, active, volumes, maps, opened, keys}, promise */
    {"launch", NULL, NULL, launch_one, {1, 1, 3, 3, 0, 1}, UNDONE},
    {"launch --no-start", NULL, NULL, launch_one_off, {1, 0, 3, 0, 0, 1}, UNDONE},
    {"launch --count 3", NULL, NULL, launch_three, {3, 3, 9, 9, 0, 3}, UNDONE},
    {"launch --count 3 --shared-key", NULL, NULL, launch_three_shared, {3, 3, 6, 6, 0, 1}, UNDONE},
    {"launch --count 3 --shared-key --no-start", NULL, NULL, launch_three_off, {3, 0, 6, 0, 0, 1}, UNDONE},
    {"launch without root", NULL, NULL, launch_rootless, {1, 1, 2, 2, 0, 1}, UNDONE},
    {"launch with autostart", NULL, NULL, launch_with_autostart, {2, 2, 2, 2, 0, 2}, UNDONE},
    {"launch with a seed", NULL, NULL, launch_seeded, {1, 1, 2, 2, 0, 1}, UNDONE},
    {"delete with a seed", NULL, have_seeded, delete, NOTHING, FORWARD},
    {"rebuild, keeping a seed", NULL, have_seeded, rebuild, {1, 1, 2, 2, 0, 1}, FORWARD},
    {"rebuild stopped, keeping a seed", NULL, have_seeded_off, rebuild_empty, {1, 0, 2, 0, 0, 1}, FORWARD},
    {"rebuild with another seed", NULL, have_seeded, rebuild_with_seed, {1, 1, 2, 2, 0, 1}, FORWARD},
    {"launch plain", plain_disks, NULL, launch_one, {1, 1, 3, 0, 0, 0}, UNDONE},
    {"launch plain, bare", plain_disks, NULL, launch_bare, {1, 0, 1, 0, 0, 0}, UNDONE},
    {"launch plain --count 3", plain_disks, NULL, launch_three, {3, 3, 9, 0, 0, 0}, UNDONE},
    {"launch with ephemeral key", ephemeral_keys, NULL, launch_one, {1, 1, 3, 3, 0, 0}, UNDONE},
    {"launch --count 3 --shared-key, ephemeral",
     ephemeral_keys,
     NULL,
     launch_three_shared,
     {3, 3, 6, 6, 0, 0},
     UNDONE},
    {"delete running", NULL, have_running, delete, NOTHING, FORWARD},
    {"delete stopped", NULL, have_stopped, delete, NOTHING, FORWARD},
    {"delete opened", NULL, have_opened, delete, NOTHING, FORWARD},
    {"delete of a pair", NULL, have_pair, delete_first, {1, 1, 2, 2, 0, 1}, FORWARD},
    {"delete two of three", NULL, have_three, delete_two, {1, 1, 3, 3, 0, 1}, FORWARD},
    {"delete both of a pair", NULL, have_pair, delete_pair, NOTHING, FORWARD},
    {"delete last of a pair", NULL, have_last_of_pair, delete_first, NOTHING, FORWARD},
    {"delete plain", plain_disks, have_running, delete, NOTHING, FORWARD},
    {"delete with ephemeral key", ephemeral_keys, have_running, delete, NOTHING, FORWARD},
    {"start", NULL, have_stopped, start, {1, 1, 3, 3, 0, 1}, UNDONE},
    {"start opened", NULL, have_opened, start, {1, 1, 3, 3, 3, 1}, UNDONE},
    {"start after a reboot", NULL, have_left_dead, start, {1, 1, 3, 3, 0, 1}, UNDONE},
    {"start plain", plain_disks, have_stopped, start, {1, 1, 3, 0, 0, 0}, UNDONE},
    {"start with ephemeral key", ephemeral_keys, have_ephemeral_stopped, start, {1, 1, 3, 3, 0, 0}, UNDONE},
    {"virsh start", NULL, have_stopped, virsh_start, {1, 1, 3, 3, 0, 1}, FORWARD},
    {"virsh start after a reboot", NULL, have_left_dead, virsh_start, {1, 1, 3, 3, 0, 1}, FORWARD},
    {"virsh destroy", NULL, have_running, virsh_destroy, {1, 0, 3, 0, 0, 1}, FORWARD},
    {"stop", NULL, have_running, stop, {1, 0, 3, 0, 0, 1}, FORWARD},
    {"stop --force", NULL, have_running, stop_hard, {1, 0, 3, 0, 0, 1}, FORWARD},
    {"stop opened", NULL, have_opened, stop, {1, 0, 3, 0, 0, 1}, FORWARD},
    {"stop with ephemeral key", ephemeral_keys, have_running, stop, {1, 0, 3, 3, 0, 0}, FORWARD},
    {"reboot", NULL, have_running, reboot, {1, 1, 3, 3, 0, 1}, UNDONE},
    {"reboot --hard", NULL, have_running, reboot_hard, {1, 1, 3, 3, 0, 1}, FORWARD},
    {"reboot --hard after a reboot", NULL, have_left_dead, reboot_hard, {1, 1, 3, 3, 0, 1}, FORWARD},
    {"reboot --hard plain", plain_disks, have_running, reboot_hard, {1, 1, 3, 0, 0, 0}, FORWARD},
    {"reboot --hard with ephemeral key",
     ephemeral_keys,
     have_running,
     reboot_hard,
     {1, 1, 3, 3, 0, 0},
     FORWARD},
    {"resize", NULL, have_stopped, resize_root, {1, 0, 3, 0, 0, 1}, FORWARD},
    {"resize running", NULL, have_running, resize_root, {1, 1, 3, 3, 0, 1}, FORWARD},
    {"resize running, swap", NULL, have_running, resize_swap, {1, 1, 3, 3, 0, 1}, FORWARD},
    {"resize opened", NULL, have_opened, resize_root, {1, 0, 3, 3, 3, 1}, FORWARD},
    {"resize running, half done", NULL, have_half_resized, resize_root, {1, 1, 3, 3, 0, 1}, FORWARD},
    {"resize plain", plain_disks, have_running, resize_root, {1, 1, 3, 0, 0, 0}, FORWARD},
    {"tune", NULL, have_running, tune, {1, 1, 3, 3, 0, 1}, FORWARD},
    {"tune opened", NULL, have_opened, tune, {1, 0, 3, 3, 3, 1}, FORWARD},
    {"tune stopped", NULL, have_stopped, tune, {1, 0, 3, 0, 0, 1}, UNDONE},
    {"tune plain", plain_disks, have_running, tune, {1, 1, 3, 0, 0, 0}, UNDONE},
    {"set-engine user", NULL, have_stopped, set_user, {1, 0, 3, 0, 0, 1}, UNDONE},
    {"set-engine dm-crypt", NULL, have_served, set_dm_crypt, {1, 0, 3, 0, 0, 1}, UNDONE},
    {"rebuild", NULL, have_running, rebuild, {1, 1, 3, 3, 0, 1}, FORWARD},
    {"rebuild stopped", NULL, have_stopped, rebuild, {1, 0, 3, 0, 0, 1}, FORWARD},
    {"rebuild opened", NULL, have_opened, rebuild, {1, 0, 3, 0, 0, 1}, FORWARD},
    {"rebuild after a reboot", NULL, have_left_dead, rebuild, {1, 0, 3, 0, 0, 1}, FORWARD},
    {"rebuild of a pair", NULL, have_pair_with_image, rebuild_first, {2, 2, 4, 4, 0, 2}, FORWARD},
    {"rebuild cut early", NULL, have_rebuild_cut_early, rebuild, {1, 0, 3, 0, 0, 1}, FORWARD},
    {"rebuild cut late", NULL, have_rebuild_cut_late, rebuild, {1, 0, 3, 0, 0, 1}, FORWARD},
    {"delete of what is rebuilding", NULL, have_rebuild_cut_early, delete, NOTHING, FORWARD},
    {"rebuild plain", plain_disks, have_running, rebuild, {1, 1, 3, 0, 0, 0}, FORWARD},
    {"rebuild with ephemeral key", ephemeral_keys, have_running, rebuild, {1, 1, 3, 3, 0, 0}, FORWARD},
    {"rebuild with ephemeral key after a reboot",
     ephemeral_keys,
     have_left_dead,
     rebuild,
     {1, 0, 3, 3, 0, 0},
     FORWARD},
    {"open", NULL, have_stopped, open_disks, {1, 0, 3, 3, 3, 1}, UNDONE},
    {"open what was left open", NULL, have_left_open, open_disks, {1, 0, 3, 3, 3, 1}, FORWARD},
    {"open --for-start", NULL, have_stopped, open_for_start, {1, 0, 3, 3, 0, 1}, UNDONE},
    {"open --for-start again", NULL, have_no_start_followed, open_for_start, {1, 0, 3, 3, 0, 1}, FORWARD},
    {"start opened for it", NULL, have_opened_for_start, start, {1, 1, 3, 3, 0, 1}, FORWARD},
    {"virsh start opened for it", NULL, have_opened_for_start, virsh_start, {1, 1, 3, 3, 0, 1}, FORWARD},
    {"close", NULL, have_opened, close_disks, {1, 0, 3, 0, 0, 1}, FORWARD},
    {"close with ephemeral key",
     ephemeral_keys,
     have_ephemeral_stopped,
     close_disks,
     {1, 0, 3, 0, 0, 0},
     FORWARD},
    {"export", NULL, have_running, export_disk, {1, 1, 3, 3, 0, 2}, UNDONE},
    {"export of a stopped one", NULL, have_stopped, export_disk, {1, 0, 3, 0, 0, 2}, UNDONE},
    {"export of a swap disk, in plaintext", NULL, have_running, export_plaintext, {1, 1, 3, 3, 0, 1}, UNDONE},
    {"export to a descriptor", NULL, have_running, export_to_descriptor, {1, 1, 3, 3, 0, 1}, UNDONE},
    {"launch from an export", NULL, NULL, launch_from_export, {1, 1, 1, 1, 0, 1}, UNDONE},
    {"delete with an export that was cut off", NULL, have_cut_export, delete, NOTHING, FORWARD},
    {"stop with an export that was cut off", NULL, have_cut_export, stop, {1, 0, 4, 1, 0, 2}, UNFINISHED},
    {"recover an export that was cut off", NULL, have_cut_export, recover_all, {1, 1, 3, 3, 0, 1}, FORWARD},
    {"recover in order", NULL, have_running, recover_all, {1, 1, 3, 3, 0, 1}, FORWARD},
    {"recover opened for a start", NULL, have_opened_for_start, recover_all, {1, 0, 3, 3, 0, 1}, FORWARD},
    {"recover without that start", NULL, have_no_start_followed, recover_all, {1, 0, 3, 0, 0, 1}, FORWARD},
    {"recover left open", NULL, have_left_open, recover_all, {1, 0, 3, 0, 0, 1}, FORWARD},
};
const size_t n_scenarios = ARRAY_SIZE(scenarios);

void scenario_prepare(const struct scenario *s, struct world *w)
{
    struct fake f;
    if (!s->prepare)
        return;
    w->without = NULL;
    fake_begin(&f, w);
    if (s->tune)
        s->tune(&f.config);
    s->prepare(&f);
    fake_end(&f);
}
