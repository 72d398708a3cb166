/* SPDX-License-Identifier: Apache-2.0 */
/* What must be true of a host: the invariants of HACKING.md, as a program. They are stated on the world
 * itself, and share no code with what they judge.
 */
#include "matrix.h"

#include <stdio.h>

#define WRONG(...) (snprintf(why, 200, __VA_ARGS__), false)

static const struct world_volume *volume_of(const struct host *h, const char *lv)
{
    for (size_t i = 0; i < h->n_volumes; i++)
        if (streq(h->volumes[i].v.lv, lv))
            return &h->volumes[i];
    return NULL;
}

static const struct world_map *map_of(const struct host *h, const char *lv)
{
    for (size_t i = 0; i < h->n_maps; i++)
        if (streq(h->maps[i].lv, lv))
            return &h->maps[i];
    return NULL;
}

static const struct world_key *key_of(const struct host *h, const char *id)
{
    for (size_t i = 0; i < h->n_keys; i++)
        if (streq(h->keys[i].info.id, id))
            return &h->keys[i];
    return NULL;
}

static const struct world_domain *domain_of(const struct host *h, const char *uuid)
{
    for (size_t i = 0; i < h->n_domains; i++)
        if (streq(h->domains[i].d.uuid, uuid))
            return &h->domains[i];
    return NULL;
}

/* ------------------------------------------------------------------ comparing */

/* Who made or opened it last, and by which descriptor, does not count. */
static bool same_volume(const struct world_volume *a, const struct world_volume *b)
{
    return memcmp(&a->v, &b->v, sizeof a->v) == 0 && a->has_image == b->has_image &&
           streq(a->seed, b->seed) && a->stranger == b->stranger && streq(a->fs, b->fs) &&
           streq(a->label, b->label);
}

#define SAME(a, b) (memcmp((a), (b), sizeof *(a)) == 0)

bool bystanders_untouched(const struct host *before, const struct host *now, char why[200])
{
    for (size_t i = 0; i < before->n_volumes; i++) {
        const struct world_volume *v = volume_of(now, before->volumes[i].v.lv);
        if (!v || !same_volume(v, &before->volumes[i]))
            return WRONG("volume %s of another instance was touched", before->volumes[i].v.lv);
    }
    for (size_t i = 0; i < before->n_maps; i++) {
        const struct world_map *m = map_of(now, before->maps[i].lv);
        if (!m || !SAME(m, &before->maps[i]))
            return WRONG("map %s of another instance was touched", before->maps[i].map.name);
    }
    for (size_t i = 0; i < before->n_keys; i++) {
        const struct world_key *k = key_of(now, before->keys[i].info.id);
        if (!k || !SAME(k, &before->keys[i]))
            return WRONG("key of another instance, %s, was touched", before->keys[i].info.owner);
    }
    for (size_t i = 0; i < before->n_domains; i++) {
        const struct world_domain *d = domain_of(now, before->domains[i].d.uuid);
        if (!d || !SAME(d, &before->domains[i]))
            return WRONG("domain %s of another instance was touched", before->domains[i].d.name);
    }
    return true;
}

bool hosts_equal(const struct host *a, const struct host *b, char why[200])
{
    if (a->n_volumes != b->n_volumes || a->n_maps != b->n_maps || a->n_keys != b->n_keys ||
        a->n_domains != b->n_domains || a->n_files != b->n_files || a->n_untagged != b->n_untagged)
        return WRONG("it was not undone: volumes %zu, %zu; maps %zu, %zu; keys %zu, %zu; domains %zu, %zu; "
                     "files %zu, %zu",
                     a->n_volumes, b->n_volumes, a->n_maps, b->n_maps, a->n_keys, b->n_keys, a->n_domains,
                     b->n_domains, a->n_files, b->n_files);
    if (!SAME(&a->group, &b->group))
        return WRONG("the free space of the group has changed");
    return bystanders_untouched(a, b, why);
}

/* --------------------------------------------------------------- invariants */

static bool is_ephemeral(const struct volume *v)
{
    return str_starts(v->key, "ephemeral:");
}

/* Is it being rebuilt? Then its lead says so, and what its other disks say is worth nothing. */
static bool rebuilding(const struct host *h, const char *uuid)
{
    const struct volume *lead = NULL;
    for (size_t i = 0; i < h->n_volumes; i++) {
        const struct volume *v = &h->volumes[i].v;
        if (streq(v->instance, uuid) && (!lead || streq(v->role, "root")))
            lead = v;
    }
    return lead && lead->state == VOLUME_REBUILDING;
}

size_t only_told(const struct host *h)
{
    size_t n = 0;
    for (size_t i = 0; i < h->n_volumes; i++)
        n += is_ephemeral(&h->volumes[i].v) && !map_of(h, h->volumes[i].v.lv) &&
             !rebuilding(h, h->volumes[i].v.instance);
    for (size_t i = 0; i < h->n_domains; i++)
        n += rebuilding(h, h->domains[i].d.uuid);
    return n;
}

static bool volume_in_order(const struct host *h, const struct world_volume *w, char why[200])
{
    const struct volume *v = &w->v;
    const char *id = strrchr(v->key, '/'); /* behind the place */
    if (!id)
        id = strchr(v->key, ':');
    if (w->suspended)
        return WRONG("volume %s is still suspended", v->lv);
    if (w->stranger)
        return true;
    if (v->state == VOLUME_READY && streq(v->role, "seed") && !w->seed[0])
        return WRONG("seed disk %s is ready, and empty", v->lv);
    bool unready = rebuilding(h, v->instance);
    if (v->state != VOLUME_READY && !(unready && v->state == VOLUME_REBUILDING))
        return WRONG("volume %s is still %s", v->lv, volume_state_name(v->state));
    bool apart = streq(v->instance, h->apart);
    if (!apart && !domain_of(h, v->instance))
        return WRONG("volume %s is ready, but there is no domain", v->lv);
    if (unready && (map_of(h, v->lv) || domain_of(h, v->instance)->d.active))
        return WRONG("volume %s is used, while its instance is rebuilding", v->lv);
    if (v->key[0] && !is_ephemeral(v) && !key_of(h, id + 1))
        return WRONG("volume %s is ready, but its key is gone", v->lv);
    return true;
}

static bool key_in_order(const struct host *h, const struct world_key *k, char why[200])
{
    if (k->nova)
        return true;
    if (streq(k->manager, "barbican") && !(k->host_reads && k->has_consumer))
        return WRONG("a key of %s was only half made", k->info.owner);
    for (size_t i = 0; i < h->n_volumes; i++)
        if (str_ends(h->volumes[i].v.key, k->info.id))
            return true;
    for (size_t i = 0; k->info.scope == KEY_SCOPE_IMAGE && i < h->n_files; i++)
        if (memcmp(h->files[i].key, k->bytes, sizeof k->bytes) == 0)
            return true;
    if (k->info.scope == KEY_SCOPE_IMAGE && h->handed_over)
        return true;
    return WRONG("a key of %s has no volume", k->info.owner);
}

static bool file_in_order(const struct host *h, const struct world_file *f, char why[200])
{
    for (size_t i = 0; i < h->n_keys; i++)
        if (memcmp(h->keys[i].bytes, f->key, sizeof f->key) == 0)
            return true;
    return f->encrypted ? WRONG("file %s is whole, but its key is gone", f->path) : true;
}

static bool map_in_order(const struct host *h, const struct world_map *m, char why[200])
{
    const struct world_volume *v = volume_of(h, m->lv);
    const struct world_domain *d = v ? domain_of(h, v->v.instance) : NULL;
    if (!v)
        return WRONG("map %s leads nowhere", m->map.name);
    if (m->map.size_bytes > v->v.size_bytes)
        return WRONG("map %s is longer than its volume", m->map.name);
    if ((d && d->d.active) || map_stays(&m->map) || is_ephemeral(&v->v))
        return true;
    return WRONG("map %s is open, and nobody runs", m->map.name);
}

/* Each disk that the guest has is one of those, by its map. A remove-disk that was cut off may have left it
 * without one. */
static bool guest_in_order(const struct host *h, const struct world_domain *d, char why[200])
{
    for (size_t n = 0; d->d.active && n < d->running.n; n++) {
        const struct world_volume *found = NULL;
        for (size_t i = 0; i < h->n_volumes; i++) {
            char path[DEVICE_PATH_MAX];
            volume_device_path(&h->volumes[i].v, path);
            if (streq(path, d->running.disk[n].path))
                found = &h->volumes[i];
        }
        if (!found || !streq(found->v.instance, d->d.uuid))
            return WRONG("domain %s runs with %s, which is no disk of it", d->d.name,
                         d->running.disk[n].path);
        const struct world_map *m = map_of(h, found->v.lv);
        if (found->v.key[0] && !(m && (m->map.served != 0) == volume_served(&found->v)))
            return WRONG("domain %s runs without the map of %s", d->d.name, found->v.lv);
        if (d->running.disk[n].bytes > world_device_bytes(h, d->running.disk[n].path))
            return WRONG("domain %s was told of more than %s has", d->d.name, found->v.lv);
    }
    return true;
}

/* Where there is a rescue disk, with an image on it, there is the mark, and the other way round. */
static bool rescue_in_order(const struct host *h, const struct world_domain *d, char why[200])
{
    const struct world_volume *rescue = NULL;
    for (size_t i = 0; i < h->n_volumes; i++)
        if (streq(h->volumes[i].v.instance, d->d.uuid) && streq(h->volumes[i].v.role, "rescue"))
            rescue = &h->volumes[i];
    if (d->d.rescued != (rescue != NULL))
        return WRONG("domain %s %s in rescue", d->d.name, rescue ? "ought to be" : "is still");
    return !rescue || rescue->has_image ? true : WRONG("the rescue disk of %s is empty", d->d.name);
}

/* All its disks or none; those that Nova made also before they are adopted. */
static bool domain_in_order(const struct host *h, const struct world_domain *d, char why[200])
{
    size_t disks = 0;
    for (size_t i = 0; i < h->n_volumes; i++) {
        const struct volume *v = &h->volumes[i].v;
        char path[DEVICE_PATH_MAX];
        if (!streq(v->instance, d->d.uuid) && !(h->volumes[i].stranger && str_starts(v->lv, d->d.uuid)))
            continue;
        volume_device_path(v, path);
        if (!world_has_disk(&d->defined, path))
            return WRONG("domain %s lacks volume %s, or has it unencrypted", d->d.name, v->lv);
        disks++;
    }
    if (d->unsettled)
        return WRONG("domain %s would not outlive a power cut", d->d.name);
    if (disks != d->defined.n)
        return WRONG("domain %s has %zu disks of %zu", d->d.name, disks, d->defined.n);
    return rescue_in_order(h, d, why) && guest_in_order(h, d, why);
}

bool invariants_hold(const struct host *h, char why[200])
{
    bool hold = true;
    for (size_t i = 0; hold && i < h->n_volumes; i++)
        hold = volume_in_order(h, &h->volumes[i], why);
    for (size_t i = 0; hold && i < h->n_keys; i++)
        hold = key_in_order(h, &h->keys[i], why);
    for (size_t i = 0; hold && i < h->n_maps; i++)
        hold = map_in_order(h, &h->maps[i], why);
    for (size_t i = 0; hold && i < h->n_domains; i++)
        hold = domain_in_order(h, &h->domains[i], why);
    for (size_t i = 0; hold && i < h->n_files; i++)
        hold = file_in_order(h, &h->files[i], why);
    if (hold && h->n_damaged)
        return WRONG("the tags of a disk of %s are damaged", h->damaged[0].tagged);
    if (hold && h->n_untagged)
        return WRONG("%s is left without tags", h->untagged[0].lv);
    if (hold && h->n_undefined)
        return WRONG("domain %.80s would be back after a power cut", h->undefined[0].d.name);
    return hold;
}

static bool same_disks(const struct world_disks *a, const struct world_disks *b)
{
    bool same = a->n == b->n;
    for (size_t i = 0; same && i < a->n; i++)
        same = streq(a->disk[i].path, b->disk[i].path);
    return same;
}

bool amount_is(const struct host *others, const struct host *h, const struct amount *wanted, char why[200])
{
    struct amount is = {.domains = h->n_domains - others->n_domains,
                        .volumes = h->n_volumes - others->n_volumes,
                        .maps = h->n_maps - others->n_maps,
                        .keys = h->n_keys - others->n_keys};
    for (size_t i = 0; i < h->n_domains; i++) {
        const struct world_domain *d = &h->domains[i];
        is.active += d->d.active && !domain_of(others, d->d.uuid);
        if (d->d.active && !same_disks(&d->running, &d->defined))
            return WRONG("it went well, but the guest %s has other disks than its definition", d->d.name);
    }
    for (size_t i = 0; i < h->n_maps; i++)
        is.opened += str_ends(h->maps[i].map.uuid, MAP_UUID_OPENED);
    if (memcmp(&is, wanted, sizeof is) == 0)
        return true;
    return WRONG(
        "it went well, but there are %zu domains, %zu active, %zu volumes, %zu maps, %zu opened, %zu keys",
        is.domains, is.active, is.volumes, is.maps, is.opened, is.keys);
}
