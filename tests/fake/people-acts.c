/* SPDX-License-Identifier: Apache-2.0 */
/* What people do, to the instance `t`, and what must be left of it. */
#include "people.h"

#include <stdio.h>

#define WRONG(...) (snprintf(why, 200, __VA_ARGS__), false)

static char uuid_of_t[UUID_TEXT]; /* also once nothing of it is there any more */

const char *people_uuid(struct world *w)
{
    for (size_t i = 0; i < w->host.n_volumes; i++)
        if (streq(w->host.volumes[i].v.name, "t"))
            memcpy(uuid_of_t, w->host.volumes[i].v.instance, sizeof uuid_of_t);
    for (size_t i = 0; i < w->host.n_domains; i++)
        if (streq(w->host.domains[i].d.name, "t"))
            memcpy(uuid_of_t, w->host.domains[i].d.uuid, sizeof uuid_of_t);
    return uuid_of_t;
}

static struct world_domain *domain_of_t(struct world *w)
{
    return world_domain(w, people_uuid(w));
}

static const struct world_domain *domain_in(const struct host *h)
{
    for (size_t i = 0; i < h->n_domains; i++)
        if (streq(h->domains[i].d.uuid, uuid_of_t))
            return &h->domains[i];
    return NULL;
}

/* ------------------------------------------------------------------- domain */

static bool undefine(struct world *w)
{
    struct world_domain *d = domain_of_t(w);
    if (!d || d->transient)
        return false;
    if (d->d.active)
        d->transient = true;
    else
        world_drop(w->host.domains, &w->host.n_domains, sizeof *d, (size_t)(d - w->host.domains));
    world_settle(&w->host);
    return true;
}

/* What somebody has undefined does not come back. */
static bool still_undefined(const struct host *before, struct world *w, char why[200])
{
    const struct world_domain *was = domain_in(before), *is = domain_of_t(w);
    return was || !is ? true : WRONG("domain %.80s is back", is->d.name);
}

static bool rename_it(struct world *w)
{
    struct world_domain *d = domain_of_t(w);
    if (!d || d->d.active)
        return false;
    snprintf(d->d.name, sizeof d->d.name, "somebody's");
    return true;
}

static bool destroy(struct world *w)
{
    struct world_domain *d = domain_of_t(w);
    if (!d || !d->d.active)
        return false;
    world_end_guest(d);
    world_forget_transient(&w->host);
    return true;
}

static bool start(struct world *w)
{
    struct world_domain *d = domain_of_t(w);
    return d && !d->d.active && world_start_guest(w, d);
}

static bool pause_it(struct world *w)
{
    struct world_domain *d = domain_of_t(w);
    if (!d || !d->d.active || d->d.state != DOMAIN_NO_STATE)
        return false;
    d->d.state = DOMAIN_PAUSED;
    return true;
}

static void resume(struct world *w)
{
    struct world_domain *d = domain_of_t(w);
    if (d && d->d.state == DOMAIN_PAUSED)
        d->d.state = DOMAIN_NO_STATE;
}

static bool save(struct world *w)
{
    struct world_domain *d = domain_of_t(w);
    if (!d || !d->d.active || d->details.save_refused)
        return false;
    world_end_guest(d);
    d->details.saved = true;
    for (size_t i = 0; i < w->host.n_volumes; i++)
        if (streq(w->host.volumes[i].v.instance, d->d.uuid))
            w->host.volumes[i].remembered = true;
    return true;
}

/* --------------------------------------------------------------- definition */

static bool edit_out(struct world *w)
{
    struct world_domain *d = domain_of_t(w);
    if (!d || d->transient || d->defined.n < 2)
        return false;
    world_drop(d->defined.disk, &d->defined.n, sizeof d->defined.disk[0], d->defined.n - 1);
    return true;
}

static bool edit_in(struct world *w)
{
    struct world_domain *d = domain_of_t(w);
    if (!d || d->transient || d->defined.n == WORLD_DISKS)
        return false;
    snprintf(d->defined.disk[d->defined.n++].path, DEVICE_PATH_MAX, WORLD_FOREIGN_DISK);
    return true;
}

static bool has_foreign_disk(const struct host *before, struct world *w, char why[200])
{
    const struct world_domain *d = domain_of_t(w);
    (void)before;
    if (w->person.call &&
        streq(w->person.call, "redefine")) /* libvirt has no way to change what it just told */
        return true;
    return !d || world_has_disk(&d->defined, WORLD_FOREIGN_DISK) ? true
                                                                 : WRONG("the disk that was added is gone");
}

static bool snapshot_disk(struct world *w)
{
    struct world_domain *d = domain_of_t(w);
    if (!d || !d->d.active || d->running.n == 0)
        return false;
    const char *path = d->running.disk[0].path;
    snprintf(d->running.disk[0].overlay, sizeof d->running.disk[0].overlay, "/srv/o");
    for (size_t i = 0; i < d->defined.n; i++)
        if (streq(d->defined.disk[i].path, path))
            memcpy(d->defined.disk[i].overlay, "/srv/o", sizeof "/srv/o");
    return true;
}

static const struct world_volume *volume_behind(const struct host *h, const char *path)
{
    for (size_t i = 0; i < h->n_volumes; i++) {
        char device[DEVICE_PATH_MAX];
        volume_device_path(&h->volumes[i].v, device);
        if (streq(device, path))
            return &h->volumes[i];
    }
    return NULL;
}

/* What the overlay needs below it. */
static bool overlay_has_its_base(const struct host *before, struct world *w, char why[200])
{
    const struct world_domain *d = domain_of_t(w);
    for (size_t i = 0; d && i < d->defined.n; i++) {
        const char *path = d->defined.disk[i].path;
        if (!d->defined.disk[i].overlay[0])
            continue;
        const struct world_volume *was = volume_behind(before, path), *is = volume_behind(&w->host, path);
        if (was && (!is || !streq(was->v.disk, is->v.disk)))
            return WRONG("the overlay of a disk has lost what is below it");
    }
    return true;
}

/* --------------------------------------------------------------------- host */

static struct world_map *map_of_t(struct world *w)
{
    for (size_t i = 0; i < w->host.n_maps; i++)
        if (str_starts(w->host.maps[i].lv, people_uuid(w)))
            return &w->host.maps[i];
    return NULL;
}

static bool mount(struct world *w)
{
    struct world_map *map = *people_uuid(w) ? map_of_t(w) : NULL;
    if (map)
        map->held = true;
    return map;
}

static void unmount(struct world *w)
{
    for (size_t i = 0; i < w->host.n_maps; i++)
        w->host.maps[i].held = false;
}

/* What is mounted stays, and what is below it. */
static bool still_mounted(const struct host *before, struct world *w, char why[200])
{
    for (size_t i = 0; i < before->n_maps; i++) {
        const struct world_map *map = world_map(w, before->maps[i].lv);
        if (before->maps[i].held && (!map || !map->held || !streq(map->map.uuid, before->maps[i].map.uuid)))
            return WRONG("map %s was mounted, and is gone", before->maps[i].map.name);
    }
    return true;
}

static struct volume untagged; /* as it was */

static bool snapshot_volume(struct world *w)
{
    for (size_t i = 0; i < w->host.n_volumes; i++)
        if (streq(w->host.volumes[i].v.instance, people_uuid(w)) && !w->host.volumes[i].stranger)
            return w->host.volumes[i].snapshotted = true;
    return false;
}

static void remove_snapshots(struct world *w)
{
    for (size_t i = 0; i < w->host.n_volumes; i++)
        w->host.volumes[i].snapshotted = false;
}

/* A backup that is being read. */
static bool has_its_snapshot(const struct host *before, struct world *w, char why[200])
{
    for (size_t i = 0; i < before->n_volumes; i++) {
        const struct world_volume *was = &before->volumes[i], *is = world_volume(w, was->v.lv);
        if (was->snapshotted && (!is || !streq(is->v.disk, was->v.disk)))
            return WRONG("somebody's LVM snapshot of %s went with it", was->v.lv);
    }
    return true;
}

#define OTHER_UUID "0badcafe-0000-4000-8000-00000000000a"

/* virsh attach-disk --live, to a domain of their own. */
static bool give_away(struct world *w)
{
    struct world_map *map = *people_uuid(w) ? map_of_t(w) : NULL;
    if (!map)
        return false;
    struct world_domain *d = world_add_domain(w, "other", OTHER_UUID);
    d->d.active = d->transient = true;
    d->running.n = 1;
    snprintf(d->running.disk[0].path, DEVICE_PATH_MAX, "/dev/mapper/%s", map->map.name);
    return true;
}

static void take_back(struct world *w)
{
    struct world_domain *d = world_domain(w, OTHER_UUID);
    if (d)
        world_drop(w->host.domains, &w->host.n_domains, sizeof *d, (size_t)(d - w->host.domains));
}

/* A guest that runs has what it was given. */
static bool other_guest_has_it(const struct host *before, struct world *w, char why[200])
{
    const struct world_domain *d = world_domain(w, OTHER_UUID);
    (void)before;
    if (!d || !d->d.active)
        return WRONG("the other guest is gone");
    return world_device_bytes(&w->host, d->running.disk[0].path)
               ? true
               : WRONG("map %.100s is gone, and the other guest has it", d->running.disk[0].path);
}

static bool take_tags(struct world *w)
{
    for (size_t i = w->host.n_volumes; i-- > 0;) {
        struct world_volume *v = &w->host.volumes[i];
        if (streq(v->v.instance, people_uuid(w)) && v->v.state == VOLUME_READY) {
            untagged = v->v;
            world_take_tags(v);
            return true;
        }
    }
    return false;
}

static void give_tags_back(struct world *w)
{
    struct world_volume *v = world_volume(w, untagged.lv);
    if (!v || !v->stranger)
        return;
    v->v = untagged;
    v->stranger = false;
    memset(v->lost_key, 0, sizeof v->lost_key);
}

static bool still_there(const struct host *before, struct world *w, char why[200])
{
    for (size_t i = 0; i < before->n_volumes; i++)
        if (before->volumes[i].stranger && !world_volume(w, before->volumes[i].v.lv))
            return WRONG("volume %s has no tags, and was removed", before->volumes[i].v.lv);
    return true;
}

/* --------------------------------------------------------------- invariants */

static bool has_key(const struct host *h, const char *reference)
{
    for (size_t i = 0; i < h->n_keys; i++)
        if (str_ends(reference, h->keys[i].info.id))
            return true;
    return false;
}

static bool is_ephemeral(const struct volume *v)
{
    return str_starts(v->key, "ephemeral:");
}

bool people_keys_kept(const struct host *h, char why[200])
{
    for (size_t i = 0; i < h->n_volumes; i++) {
        const struct world_volume *v = &h->volumes[i];
        const char *key = v->stranger ? v->lost_key : v->v.key;
        bool ready = v->stranger || v->v.state == VOLUME_READY;
        if (ready && key[0] && !is_ephemeral(&v->v) && !has_key(h, key))
            return WRONG("the key of %s is gone, and the volume is there", v->v.lv);
    }
    return true;
}

static bool key_needed(const struct host *h, const struct world_key *k)
{
    bool needed = k->info.scope == KEY_SCOPE_IMAGE; /* of a file, which has it */
    for (size_t i = 0; i < h->n_volumes; i++)
        needed |= str_ends(h->volumes[i].v.key, k->info.id) || str_ends(h->volumes[i].lost_key, k->info.id);
    return needed;
}

/* Then any key of their group may be theirs, and none is destroyed. */
static bool tags_are_lost(const struct host *h)
{
    for (size_t i = 0; i < h->n_volumes; i++)
        if (h->volumes[i].lost_key[0])
            return true;
    return false;
}

static bool map_needed(const struct host *h, const struct world_map *map)
{
    for (size_t i = 0; i < h->n_volumes; i++) {
        const struct world_volume *v = &h->volumes[i];
        const struct world_domain *d = NULL;
        for (size_t n = 0; n < h->n_domains; n++)
            if (str_starts(v->v.lv, h->domains[n].d.uuid))
                d = &h->domains[n];
        if (streq(v->v.lv, map->lv))
            return (d && d->d.active) || map_stays(&map->map) || v->stranger || is_ephemeral(&v->v);
    }
    return false;
}

bool people_invariants_hold(const struct host *h, char why[200])
{
    for (size_t i = 0; i < h->n_volumes; i++) {
        enum volume_state state = h->volumes[i].v.state;
        if (!h->volumes[i].stranger && state != VOLUME_READY && state != VOLUME_REBUILDING)
            return WRONG("volume %s is still %s", h->volumes[i].v.lv, volume_state_name(state));
    }
    for (size_t i = 0; i < h->n_keys; i++)
        if (!h->keys[i].nova && !key_needed(h, &h->keys[i]) && !tags_are_lost(h))
            return WRONG("a key of %s has no volume", h->keys[i].info.owner);
    for (size_t i = 0; i < h->n_maps; i++)
        if (!map_needed(h, &h->maps[i]))
            return WRONG("map %s is open, and nobody runs", h->maps[i].map.name);
    return people_keys_kept(h, why);
}

/* --------------------------------------------------------------------- rows */

static const struct person undefines = {"undefine it", undefine, still_undefined, NULL};
static const struct person renames = {"rename it", rename_it, NULL, NULL};
static const struct person destroys = {"destroy it", destroy, NULL, NULL};
static const struct person starts = {"start it", start, NULL, NULL};
static const struct person pauses = {"pause it", pause_it, NULL, resume};
static const struct person saves = {"save it", save, NULL, NULL};
static const struct person edits_out = {"take a disk out of it", edit_out, NULL, NULL};
static const struct person edits_in = {"give it a disk", edit_in, has_foreign_disk, NULL};
static const struct person snapshots = {"make a disk-only snapshot", snapshot_disk, overlay_has_its_base,
                                        NULL};
static const struct person snapshots_volume = {"make an LVM snapshot", snapshot_volume, has_its_snapshot,
                                               remove_snapshots};
static const struct person gives_away = {"give a disk to another guest", give_away, other_guest_has_it,
                                         take_back};
static const struct person mounts = {"mount a disk", mount, still_mounted, unmount};
static const struct person untags = {"take tags away", take_tags, still_there, NULL};
static const struct person untags_by_slip = {"take tags away", take_tags, still_there, give_tags_back};

const struct people_row people_rows[] = {
    {"start", {&undefines, &renames, &starts, &edits_out, &edits_in, &mounts, &untags}},
    {"start opened", {&mounts, &starts, &undefines, &gives_away}},
    {"stop", {&undefines, &destroys, &pauses, &snapshots, &untags, &gives_away}},
    {"stop --force", {&undefines, &destroys, &pauses, &gives_away}},
    {"reboot --hard", {&undefines, &destroys, &pauses, &snapshots, &mounts, &edits_in, &gives_away}},
    {"resize running",
     {&destroys, &undefines, &edits_out, &snapshots, &untags, &snapshots_volume, &gives_away}},
    {"rebuild",
     {&undefines, &destroys, &starts, &edits_out, &edits_in, &snapshots, &mounts, &untags, &snapshots_volume,
      &gives_away}},
    {"rebuild stopped", {&undefines, &renames, &starts, &edits_out, &untags, &snapshots_volume}},
    {"rebuild foreign, running", {&saves, &destroys, &undefines}},
    {"export", {&undefines, &destroys, &pauses, &snapshots, &untags}},
    {"add-disk, running", {&undefines, &destroys, &pauses, &edits_in, &untags}},
    {"add-disk to foreign, running", {&saves, &undefines, &destroys}},
    {"add-disk, opened", {&starts, &undefines}},
    {"add-disk", {&undefines, &renames, &starts, &edits_in, &untags, &snapshots_volume}},
    {"remove-disk, running", {&undefines, &destroys, &edits_in, &untags, &snapshots_volume, &gives_away}},
    {"remove-disk", {&undefines, &starts, &edits_in, &mounts, &untags, &snapshots_volume}},
    {"rescue running",
     {&undefines, &destroys, &starts, &edits_in, &snapshots, &untags, &snapshots_volume, &gives_away}},
    {"rescue stopped", {&undefines, &renames, &starts, &edits_in}},
    {"unrescue running", {&undefines, &destroys, &edits_in, &untags, &snapshots_volume, &gives_away}},
    {"delete running", {&undefines, &destroys, &pauses, &untags_by_slip, &snapshots_volume, &gives_away}},
    {"delete stopped", {&undefines, &renames, &starts, &untags_by_slip, &snapshots_volume}},
    {"delete opened", {&mounts, &gives_away}},
    {"delete foreign", {&undefines, &starts, &edits_in, &snapshots_volume}},
    {"add-disks", {&undefines, &renames, &edits_in, &untags}},
    {"launch", {&undefines, &destroys, &pauses, &edits_in, &untags, &gives_away}},
    {"open", {&undefines, &starts, &mounts, &untags}},
    {"close", {&undefines, &mounts, &untags, &gives_away}},
    {"virsh start", {&mounts, &untags}},
};
const size_t n_people_rows = ARRAY_SIZE(people_rows);
