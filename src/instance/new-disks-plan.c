/* SPDX-License-Identifier: Apache-2.0 */
/* The list of steps that make new disks.
 *
 *     new_disks_add_steps()      keys, volumes, open, image, formats: per chunk
 *     new_disks_add_settling()   close, or wait for the nodes
 *     new_disks_add_commits()    others ready, FIRST DISKS READY
 */
#include "instance/new-disks.h"

#include "base/audit.h"

int new_disks_add_keys(struct steps *s, struct new_chunk *k, struct error *e)
{
    if (k->n_keys == 0)
        return 0;
    const char *manager = k->all->km->ops->name;
    const struct key_info *want = &k->keys[0].want;
    if (k->n_keys > 1)
        return steps_add(s, new_keys_create, new_keys_create_undo, k, e, "create %zu keys of %u bits in %s",
                         k->n_keys, want->bits, manager);
    bool shared = want->scope == KEY_SCOPE_BATCH;
    return steps_add(s, new_keys_create, new_keys_create_undo, k, e, "create a key of %u bits in %s for %s%s",
                     want->bits, manager, shared ? "batch " : "",
                     shared ? want->owner : k->recipients[0].name);
}

static int add_volume(struct steps *s, struct new_disk *d, struct error *e)
{
    char size[32];
    if (d->key)
        d->key->n_uses++;
    return steps_add(s, new_disk_create_volume, new_disk_create_volume_undo, d, e,
                     "create volume %s/%s of %s", d->v.vg, d->v.lv,
                     str_from_bytes(d->v.size_bytes, size, sizeof size));
}

/* True if the disk is written to, or a guest must find it open. A plain disk has no map. */
static bool is_opened(const struct new_disk *d)
{
    bool written = d->takes_image || d->takes_seed || d->fs[0];
    return written || (d->key && !d->recipient->all->closes);
}

static int add_open(struct steps *s, struct new_disk *d, struct error *e)
{
    if (!is_opened(d))
        return 0;
    if (d->key)
        d->key->n_uses++;
    return steps_add(s, new_disk_open, new_disk_open_undo, d, e, "open %s/%s", d->v.vg, d->v.lv);
}

static int add_format(struct steps *s, struct new_disk *d, struct error *e)
{
    return d->fs[0] ? steps_add(s, new_disk_format, NULL, d, e, "format %s: %s", d->v.lv, d->fs) : 0;
}

static int add_seed(struct steps *s, struct new_disk *d, struct error *e)
{
    return d->takes_seed ? steps_add(s, new_disk_write_seed, NULL, d, e, "write the seed to %s", d->v.lv) : 0;
}

static int add_image(struct steps *s, struct new_chunk *k, struct error *e)
{
    struct new_disk *disks[NEW_CHUNK_MAX];
    size_t n = new_chunk_image_disks(k, disks);
    const char *path = k->all->image_path;
    if (n == 0)
        return 0;
    if (n == 1)
        return steps_add(s, new_chunk_write_image, NULL, k, e, "write image %s to %s", path, disks[0]->v.lv);
    return steps_add(s, new_chunk_write_image, NULL, k, e, "write image %s to %s and %zu more", path,
                     disks[0]->v.lv, n - 1);
}

/* Adds a step for each disk of the chunk, recipient by recipient. */
static int add_each(struct steps *s, struct new_chunk *k,
                    int (*add)(struct steps *, struct new_disk *, struct error *), struct error *e)
{
    int r = 0;
    for (size_t i = 0; i < k->n_recipients; i++)
        for (size_t n = 0; r == 0 && n < k->recipients[i].n_disks; n++)
            r = add(s, &k->recipients[i].disks[n], e);
    return r;
}

static bool opens_any(const struct recipient *i)
{
    bool opens = false;
    for (size_t n = 0; !opens && n < i->n_disks; n++)
        opens = is_opened(&i->disks[n]);
    return opens;
}

int new_disks_add_contents(struct steps *s, struct new_chunk *k, struct error *e)
{
    int r = add_each(s, k, add_open, e);
    if (r == 0)
        r = add_each(s, k, add_seed, e);
    if (r == 0)
        r = add_image(s, k, e);
    return r < 0 ? r : add_each(s, k, add_format, e);
}

/* Adds the steps that close disks, or wait for udevd, which makes the nodes while disks are written and
 * domains defined. */
int new_disks_add_settling(struct steps *s, struct new_disks *n, struct error *e)
{
    bool opens = false;
    int r = 0;
    for (size_t i = 0; r == 0 && n->km && i < n->n_recipients; i++) {
        bool any = opens_any(&n->recipients[i]);
        opens = opens || any;
        if (any && n->closes)
            r = steps_add(s, recipient_close_maps, NULL, &n->recipients[i], e, "close the disks of %s",
                          n->recipients[i].name);
    }
    return r == 0 && opens ? steps_add(s, new_disks_settle, NULL, n, e, "wait for udevd") : r;
}

int new_disks_add_steps(struct steps *s, struct new_disks *n, struct error *e)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < n->n_chunks; i++) {
        struct new_chunk *k = &n->chunks[i];
        r = new_disks_add_keys(s, k, e);
        if (r == 0)
            r = add_each(s, k, add_volume, e);
        if (r == 0)
            r = new_disks_add_contents(s, k, e);
    }
    return r;
}

int new_disks_add_commits(struct steps *s, struct new_disks *n, struct error *e)
{
    int r = 0;
    if (n->n_others)
        r = steps_add_anchor(s, new_disks_others_ready, new_disks_others_doomed, n, e, "mark %zu disks ready",
                             n->n_others);
    if (r == 0 && n->n_leads)
        r = steps_add_anchor(s, new_disks_leads_ready, new_disks_leads_doomed, n, e,
                             "mark %zu disks ready, the first of each instance", n->n_leads);
    return r;
}

int new_disks_run(const struct new_disks *n, struct steps *plan, struct error *e)
{
    if (!n->km)
        report_warning(n->context,
                       "the disks of %s are not encrypted: enabled is false in "
                       "[ephemeral_storage_encryption], as it is where the configuration does not set it",
                       n->name);
    if (n->dry_run)
        return 0;
    int r = steps_run(plan, n->context, e);
    for (size_t i = 0; i < n->n_recipients; i++)
        audit_instance(n->verb, n->recipients[i].uuid, n->recipients[i].name, r, e);
    return r;
}
