/* SPDX-License-Identifier: Apache-2.0 */
/* The steps of a launch, each with its undo. A step may have done nothing, or all before it failed. So its
 * undo looks for the uuid that was made for it alone, and touches nothing else. */
#include "base/fd.h"
#include "instance/disks.h"
#include "instance/keys.h"
#include "instance/launch.h"
#include "instance/lock.h"
#include "instance/removal.h"
#include "keys/derive.h"
#include "storage/check.h"

#include <stdio.h>

/* -------------------------------------------------------------------- locks */

int launch_lock_instance(const struct context *c, void *object, struct error *e)
{
    return broker_lock(c->broker, ((struct launch_instance *)object)->uuid, e);
}

int launch_lock_batch(const struct context *c, void *object, struct error *e)
{
    return broker_lock(c->broker, ((struct launch *)object)->batch, e);
}

/* --------------------------------------------------------------------- keys */

int launch_create_keys(const struct context *c, void *object, struct error *e)
{
    struct launch_chunk *k = object;
    (void)c;
    _cleanup_free_ struct key_info *want = calloc(k->n_keys, sizeof *want);
    _cleanup_free_ struct key_made *made = calloc(k->n_keys, sizeof *made);
    if (!want || !made)
        return error_memory(e);
    for (size_t i = 0; i < k->n_keys; i++)
        want[i] = k->keys[i].want;
    int r = keymgr_create_many(k->launch->km, want, k->n_keys, made, e);
    if (r < 0)
        return r;
    for (size_t i = 0; i < k->n_keys; i++) {
        memcpy(k->keys[i].id, made[i].id, sizeof made[i].id);
        k->keys[i].secret = made[i].secret;
    }
    k->keys_made = true;
    return 0;
}

static int destroy_made(const struct launch_chunk *k, struct error *e)
{
    _cleanup_free_ struct key_asked *made = calloc(k->n_keys + 1, sizeof *made);
    if (!made)
        return error_memory(e);
    for (size_t i = 0; i < k->n_keys; i++)
        made[i].id = k->keys[i].id;
    return keymgr_destroy_many(k->launch->km, made, k->n_keys, e);
}

/* True if it is a key of this launch. The owner alone does not tell: a rebuilt instance has a key already,
 * and may have another for disks in a group that is missing now. */
static bool wanted(const struct launch_chunk *k, const struct key_info *key)
{
    char ref[KEY_REF_MAX];
    snprintf(ref, sizeof ref, "%s:%.159s", k->launch->km->ops->name, key->id);
    for (size_t i = 0; i < k->n_keys; i++)
        if (streq(k->keys[i].want.owner, key->owner) && streq(k->keys[i].want.vg, key->vg))
            return !key_named(k->launch->model->inventory, ref);
    return false;
}

/* Destroys keys of this launch after the manager's answer was lost: their owners are uuids of this launch. If
 * the manager cannot be asked now, recover asks it later, and the launch still counts as undone. */
static int destroy_lost(const struct context *c, const struct launch_chunk *k, struct error *e)
{
    _cleanup_key_listing_ struct key_listing l = {.n = 0};
    struct error why = ERROR_NONE;
    size_t n = 0;
    if (keymgr_list(k->launch->km, &l, &why) < 0)
        report_warning(c, "key manager %s: cannot tell whether it made a key: %s; mayfly recover checks that",
                       k->launch->km->ops->name, why.text);
    _cleanup_free_ struct key_asked *lost = calloc(l.n + 1, sizeof *lost);
    if (!lost)
        return error_memory(e);
    for (size_t i = 0; i < l.n; i++)
        if (wanted(k, &l.keys[i]))
            lost[n++].id = l.keys[i].id;
    return keymgr_destroy_many(k->launch->km, lost, n, e);
}

int launch_create_keys_undo(const struct context *c, void *object, struct error *e)
{
    struct launch_chunk *k = object;
    for (size_t i = 0; i < k->n_keys; i++)
        k->keys[i].secret = secret_free(k->keys[i].secret);
    return k->keys_made ? destroy_made(k, e) : destroy_lost(c, k, e);
}

/* -------------------------------------------------------------------- disks */

/* Counts a use of the key, and wipes the secret after the last one. */
static void use_key(const struct launch_disk *d)
{
    if (d->key && --d->key->n_uses == 0)
        d->key->secret = secret_free(d->key->secret);
}

int launch_set_key_tags(struct launch_disk *d, struct error *e)
{
    _cleanup_secret_ struct secret *volume_key = NULL;
    int n = snprintf(d->v.key, sizeof d->v.key, "%s:%s", d->launch->km->ops->name, d->key->id);
    if (n < 0 || (size_t)n >= sizeof d->v.key)
        return error_set(e, -EINVAL, "key %s: its name is too long for a tag", d->key->id);
    int r = derive_volume_key(&d->v, d->key->secret, &volume_key, e);
    if (r == 0)
        r = volume_check_value(&d->v, volume_key, d->v.check, e);
    if (r == 0)
        use_key(d);
    return r;
}

int launch_create_volume(const struct context *c, void *object, struct error *e)
{
    struct launch_disk *d = object;
    memcpy(d->v.fs, d->fs, sizeof d->v.fs);
    int r = d->key ? launch_set_key_tags(d, e) : 0;
    if (r == 0)
        r = broker_create(c->broker, &d->v, e);
    if (r < 0)
        return r;
    d->made = true;
    return 0;
}

int launch_create_volume_undo(const struct context *c, void *object, struct error *e)
{
    const struct launch_disk *d = object;
    const struct volume *v = &d->v;
    if (d->made)
        return broker_remove(c->broker, &v, 1, e);

    _cleanup_inventory_ struct inventory *now = NULL;
    int r = broker_list(c->broker, &now, e);
    for (size_t i = 0; r == 0 && i < now->n_volumes; i++) {
        v = &now->volumes[i];
        if (streq(v->disk, d->v.disk))
            r = broker_remove(c->broker, &v, 1, e);
    }
    return r;
}

int launch_open(const struct context *c, void *object, struct error *e)
{
    struct launch_disk *d = object;
    int r = disk_open(c, &d->v, d->key ? d->key->secret : NULL, MAP_FOR_DOMAIN, SETTLE_LATER,
                      d->takes_image || d->takes_seed ? &d->disk : NULL, e);
    if (r == 0)
        use_key(d);
    return r;
}

int launch_open_undo(const struct context *c, void *object, struct error *e)
{
    struct launch_disk *d = object;
    opened_close(&d->disk);
    return disk_close(c, &d->v, SETTLE_NOW, e);
}

int launch_settle_disks(const struct context *c, void *object, struct error *e)
{
    (void)object;
    return broker_settle(c->broker, NULL, e);
}

/* ------------------------------------------------------------------ contents */

int launch_format(const struct context *c, void *object, struct error *e)
{
    const struct launch_disk *d = object;
    return broker_format(c->broker, &d->v, d->fs, d->label, e);
}

size_t launch_image_disks(const struct launch_chunk *k, struct launch_disk *disks[LAUNCH_CHUNK_MAX])
{
    size_t n = 0;
    for (size_t i = 0; i < k->n_instances; i++)
        for (size_t d = 0; d < k->instances[i].n_disks; d++)
            if (k->instances[i].disks[d].takes_image)
                disks[n++] = &k->instances[i].disks[d];
    return n;
}

/* Reads the image once for all disks of the chunk. */
int launch_write_image(const struct context *c, void *object, struct error *e)
{
    const struct launch_chunk *k = object;
    struct launch *l = k->launch;
    struct image_target targets[LAUNCH_CHUNK_MAX];
    struct launch_disk *disks[LAUNCH_CHUNK_MAX];
    size_t n = launch_image_disks(k, disks);
    for (size_t i = 0; i < n; i++)
        targets[i] = (struct image_target){.disk = &disks[i]->disk, .name = disks[i]->v.lv};

    uint64_t image_bytes = image_size_bytes(l->image);
    int r = context_import(c, l->image, targets, n, l->written_bytes, image_bytes * l->n_instances, e);
    for (size_t i = 0; i < n; i++)
        opened_close(&disks[i]->disk);
    l->written_bytes += image_bytes * n;
    return r;
}

int launch_close_maps(const struct context *c, void *object, struct error *e)
{
    const struct launch_instance *i = object;
    int r = 0;
    for (size_t n = 0; r == 0 && n < i->n_disks; n++)
        r = disk_close(c, &i->disks[n].v, SETTLE_LATER, e);
    return r;
}

/* ------------------------------------------------------------------- domains */

int launch_define(const struct context *c, void *object, struct error *e)
{
    return virt_define(c->virt, ((struct launch_instance *)object)->xml, e);
}

/* Lets libvirt start the domain with the host. Undefining the domain undoes this. */
int launch_autostart(const struct context *c, void *object, struct error *e)
{
    return virt_set_autostart(c->virt, ((struct launch_instance *)object)->uuid, e);
}

int launch_settle(const struct context *c, void *object, struct error *e)
{
    (void)object;
    return virt_settle(c->virt, e);
}

/* Removes the domain, ended first if it runs, whatever became of its start. */
int launch_define_undo(const struct context *c, void *object, struct error *e)
{
    return domain_remove(c, ((struct launch_instance *)object)->uuid, e);
}

int launch_attach(const struct context *c, void *object, struct error *e)
{
    const struct launch_disk *d = object;
    char path[DEVICE_PATH_MAX];
    const struct domain_disk disk = disk_of_domain(c, &d->v, path);
    unsigned sides = DOMAIN_DEFINITION | (d->launch->live ? DOMAIN_GUEST : 0U);
    return virt_attach_disk(c->virt, d->v.instance, &disk, sides, e);
}

int launch_attach_undo(const struct context *c, void *object, struct error *e)
{
    return disk_detach_from_domain(c, &((struct launch_disk *)object)->v, e);
}

void launch_start(const struct context *c, void *const objects[], size_t n, struct error why[])
{
    const char *uuids[STEPS_AT_ONCE];
    for (size_t i = 0; i < n; i++)
        uuids[i] = ((const struct launch_instance *)objects[i])->uuid;
    virt_start_many(c->virt, uuids, n, why);
}

int launch_start_undo(const struct context *c, void *object, struct error *e)
{
    return virt_destroy(c->virt, ((struct launch_instance *)object)->uuid, e);
}

/* ------------------------------------------------------------------- the end */

static void close_after_guest(const struct launch *l, const struct launch_instance *i)
{
    const struct volume *volumes[LAUNCH_DISKS_MAX];
    struct instance started = {.state = INSTANCE_RUNNING, .volumes = volumes, .n_volumes = i->n_disks};
    memcpy(started.uuid, i->uuid, sizeof started.uuid);
    snprintf(started.name, sizeof started.name, "%s", i->name);
    for (size_t d = 0; d < i->n_disks; d++)
        volumes[d] = &i->disks[d].v;
    model_close_after_guest(l->context, l->model, &started);
}

void launch_let_go(const struct launch *l)
{
    launch_unlock_names(l, l->n_instances);
    for (size_t i = 0; i < l->n_instances; i++)
        broker_unlock(l->context->broker, l->instances[i].uuid);
    if (l->batch[0])
        broker_unlock(l->context->broker, l->batch);
    for (size_t i = 0; !l->request->no_start && i < l->n_instances; i++)
        close_after_guest(l, &l->instances[i]);
}

void launch_let_domain_go(const struct launch *l)
{
    const struct context *c = l->context;
    struct error why = ERROR_NONE;
    struct domain d;
    model_unlock(l->model);
    if (l->live || l->apart || virt_find_uuid(c->virt, l->instances->uuid, &d, &why) < 0 || !d.active)
        return;
    for (size_t n = 0; n < l->n_disks; n++) {
        const struct volume *v = &l->disks[n].v;
        char path[DEVICE_PATH_MAX];
        bool has = false;
        volume_device_path(v, path);
        if (virt_has_disk(c->virt, v->instance, path, DOMAIN_GUEST, &has, &why) == 0 && !has)
            report_warning(c,
                           "instance %s: somebody has started its guest meanwhile, without disk %s; the "
                           "guest gets it at its next start",
                           l->instances->name, v->role);
    }
}

/* ------------------------------------------------------------------- commits */

int launch_others_ready(const struct context *c, void *object, struct error *e)
{
    const struct launch *l = object;
    return broker_mark(c->broker, l->others, l->n_others, VOLUME_READY, e);
}

int launch_others_doomed(const struct context *c, void *object, struct error *e)
{
    const struct launch *l = object;
    return broker_mark(c->broker, l->others, l->n_others, VOLUME_DOOMED, e);
}

int launch_leads_ready(const struct context *c, void *object, struct error *e)
{
    const struct launch *l = object;
    return broker_mark(c->broker, l->leads, l->n_leads, VOLUME_READY, e);
}

int launch_leads_doomed(const struct context *c, void *object, struct error *e)
{
    const struct launch *l = object;
    return broker_mark(c->broker, l->leads, l->n_leads, VOLUME_DOOMED, e);
}
