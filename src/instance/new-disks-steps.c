/* SPDX-License-Identifier: Apache-2.0 */
/* The steps that make new disks, each with its undo. A step may have done nothing, or all before it failed.
 * So its undo looks for the uuid that was made for it alone, and touches nothing else. */
#include "instance/disks.h"
#include "instance/keys.h"
#include "instance/made-volume.h"
#include "instance/new-disks.h"
#include "keys/derive.h"
#include "storage/check.h"

#include <stdio.h>

/* --------------------------------------------------------------------- keys */

int new_keys_create(const struct context *c, void *object, struct error *e)
{
    struct new_chunk *k = object;
    (void)c;
    _cleanup_free_ struct key_info *want = calloc(k->n_keys, sizeof *want);
    _cleanup_free_ struct key_made *made = calloc(k->n_keys, sizeof *made);
    if (!want || !made)
        return error_memory(e);
    for (size_t i = 0; i < k->n_keys; i++)
        want[i] = k->keys[i].want;
    int r = keymgr_create_many(k->all->km, want, k->n_keys, made, e);
    if (r < 0)
        return r;
    for (size_t i = 0; i < k->n_keys; i++) {
        memcpy(k->keys[i].id, made[i].id, sizeof made[i].id);
        k->keys[i].secret = made[i].secret;
    }
    k->keys_made = true;
    return 0;
}

static int destroy_made(const struct new_chunk *k, struct error *e)
{
    _cleanup_free_ struct key_asked *made = calloc(k->n_keys + 1, sizeof *made);
    if (!made)
        return error_memory(e);
    for (size_t i = 0; i < k->n_keys; i++)
        made[i].id = k->keys[i].id;
    return keymgr_destroy_many(k->all->km, made, k->n_keys, e);
}

/* True if it is a key of this run. The owner alone does not tell: a rebuilt instance has a key already,
 * and may have another for disks in a group that is missing now. */
static bool wanted(const struct new_chunk *k, const struct key_info *key)
{
    char ref[KEY_REF_MAX];
    snprintf(ref, sizeof ref, "%s:%.159s", k->all->km->ops->name, key->id);
    for (size_t i = 0; i < k->n_keys; i++)
        if (streq(k->keys[i].want.owner, key->owner) && streq(k->keys[i].want.vg, key->vg))
            return !key_named(k->all->before, ref);
    return false;
}

/* Destroys keys of this run after the manager's answer was lost: their owners are uuids of this run. If the
 * manager cannot be asked now, recover asks it later, and the run still counts as undone. */
static int destroy_lost(const struct context *c, const struct new_chunk *k, struct error *e)
{
    _cleanup_key_listing_ struct key_listing l = {.n = 0};
    struct error why = ERROR_NONE;
    size_t n = 0;
    if (keymgr_list(k->all->km, &l, &why) < 0)
        report_warning(c, "key manager %s: cannot tell whether it made a key: %s; mayfly recover checks that",
                       k->all->km->ops->name, why.text);
    _cleanup_free_ struct key_asked *lost = calloc(l.n + 1, sizeof *lost);
    if (!lost)
        return error_memory(e);
    for (size_t i = 0; i < l.n; i++)
        if (wanted(k, &l.keys[i]))
            lost[n++].id = l.keys[i].id;
    return keymgr_destroy_many(k->all->km, lost, n, e);
}

int new_keys_create_undo(const struct context *c, void *object, struct error *e)
{
    struct new_chunk *k = object;
    for (size_t i = 0; i < k->n_keys; i++)
        k->keys[i].secret = secret_free(k->keys[i].secret);
    return k->keys_made ? destroy_made(k, e) : destroy_lost(c, k, e);
}

/* -------------------------------------------------------------------- disks */

/* Counts a use of the key, and wipes the secret after the last one. */
static void use_key(const struct new_disk *d)
{
    if (d->key && --d->key->n_uses == 0)
        d->key->secret = secret_free(d->key->secret);
}

int new_disk_set_key_tags(struct new_disk *d, struct error *e)
{
    _cleanup_secret_ struct secret *volume_key = NULL;
    int n = snprintf(d->v.key, sizeof d->v.key, "%s:%s", d->recipient->all->km->ops->name, d->key->id);
    if (n < 0 || (size_t)n >= sizeof d->v.key)
        return error_set(e, -EINVAL, "key %s: its name is too long for a tag", d->key->id);
    int r = derive_volume_key(&d->v, d->key->secret, &volume_key, e);
    if (r == 0)
        r = volume_check_value(&d->v, volume_key, d->v.check, e);
    if (r == 0)
        use_key(d);
    return r;
}

int new_disk_create_volume(const struct context *c, void *object, struct error *e)
{
    struct new_disk *d = object;
    memcpy(d->v.fs, d->fs, sizeof d->v.fs);
    int r = d->key ? new_disk_set_key_tags(d, e) : 0;
    if (r == 0)
        r = broker_create(c->broker, &d->v, e);
    if (r < 0)
        return r;
    d->made = true;
    return 0;
}

int new_disk_create_volume_undo(const struct context *c, void *object, struct error *e)
{
    const struct new_disk *d = object;
    return made_volume_remove(c, &d->v, d->made, e);
}

int new_disk_open(const struct context *c, void *object, struct error *e)
{
    struct new_disk *d = object;
    int r = disk_open(c, &d->v, d->key ? d->key->secret : NULL, MAP_FOR_DOMAIN, SETTLE_LATER,
                      d->takes_image || d->takes_seed ? &d->disk : NULL, e);
    if (r == 0)
        use_key(d);
    return r;
}

int new_disk_open_undo(const struct context *c, void *object, struct error *e)
{
    struct new_disk *d = object;
    opened_close(&d->disk);
    return disk_close(c, &d->v, SETTLE_NOW, e);
}

int new_disks_settle(const struct context *c, void *object, struct error *e)
{
    (void)object;
    return broker_settle(c->broker, NULL, e);
}

/* ------------------------------------------------------------------ contents */

static int make_seed(const struct new_disk *d, struct secret **ret, struct error *e)
{
    const struct recipient *i = d->recipient;
    const struct wanted_seed *w = i->all->wanted_seed;
    char hostname[HOSTNAME_FIELD];
    int r = wanted_seed_hostname(w, i->name, i->number, hostname, e);
    if (r < 0)
        return r;
    const struct seed seed = {.instance = i->uuid,
                              .hostname = hostname,
                              .ssh_keys = w->ssh_keys ? w->ssh_keys : "",
                              .user_data = w->user_data};
    return seed_make(&seed, ret, e);
}

int new_disk_write_seed(const struct context *c, void *object, struct error *e)
{
    struct new_disk *d = object;
    _cleanup_secret_ struct secret *made = NULL;
    const struct secret *given = d->recipient->all->seed;
    int r = given ? 0 : make_seed(d, &made, e);
    if (r == 0)
        r = c->write_seed(&d->disk, given ? given : made, e);
    opened_close(&d->disk);
    return r;
}

int new_disk_format(const struct context *c, void *object, struct error *e)
{
    const struct new_disk *d = object;
    return broker_format(c->broker, &d->v, d->fs, d->label, e);
}

size_t new_chunk_image_disks(const struct new_chunk *k, struct new_disk *disks[NEW_CHUNK_MAX])
{
    size_t n = 0;
    for (size_t i = 0; i < k->n_recipients; i++)
        for (size_t d = 0; d < k->recipients[i].n_disks; d++)
            if (k->recipients[i].disks[d].takes_image)
                disks[n++] = &k->recipients[i].disks[d];
    return n;
}

/* Reads the image once for all disks of the chunk. */
int new_chunk_write_image(const struct context *c, void *object, struct error *e)
{
    const struct new_chunk *k = object;
    struct new_disks *all = k->all;
    struct image_target targets[NEW_CHUNK_MAX];
    struct new_disk *disks[NEW_CHUNK_MAX];
    size_t n = new_chunk_image_disks(k, disks);
    for (size_t i = 0; i < n; i++)
        targets[i] = (struct image_target){.disk = &disks[i]->disk, .name = disks[i]->v.lv};

    uint64_t image_bytes = image_size_bytes(all->image);
    int r = context_import(c, all->image, targets, n, all->written_bytes, image_bytes * all->n_recipients, e);
    for (size_t i = 0; i < n; i++)
        opened_close(&disks[i]->disk);
    all->written_bytes += image_bytes * n;
    return r;
}

int recipient_close_maps(const struct context *c, void *object, struct error *e)
{
    const struct recipient *i = object;
    int r = 0;
    for (size_t n = 0; r == 0 && n < i->n_disks; n++)
        r = disk_close(c, &i->disks[n].v, SETTLE_LATER, e);
    return r;
}

/* ------------------------------------------------------------------- commits */

int new_disks_others_ready(const struct context *c, void *object, struct error *e)
{
    const struct new_disks *n = object;
    return broker_mark(c->broker, n->others, n->n_others, VOLUME_READY, e);
}

int new_disks_others_doomed(const struct context *c, void *object, struct error *e)
{
    const struct new_disks *n = object;
    return broker_mark(c->broker, n->others, n->n_others, VOLUME_DOOMED, e);
}

int new_disks_leads_ready(const struct context *c, void *object, struct error *e)
{
    const struct new_disks *n = object;
    return broker_mark(c->broker, n->leads, n->n_leads, VOLUME_READY, e);
}

int new_disks_leads_doomed(const struct context *c, void *object, struct error *e)
{
    const struct new_disks *n = object;
    return broker_mark(c->broker, n->leads, n->n_leads, VOLUME_DOOMED, e);
}
