/* SPDX-License-Identifier: Apache-2.0 */
/* The design of new disks: names, uuids, sizes, tags. Nothing is changed yet. The check value of a disk is
 * missing until there is a key. */
#include "instance/new-disks.h"

#include "instance/group.h"
#include "storage/facts.h"

#include <stdio.h>

uint64_t new_disks_seed_bytes(const struct new_disks *n)
{
    if (n->seed)
        return secret_size(n->seed);
    return n->wanted_seed && seed_wanted(n->wanted_seed) ? SEED_BYTES : 0;
}

size_t new_disks_each(const struct new_disks *n)
{
    const struct wanted_disks *w = n->wanted;
    return (w->root_bytes ? 1 : 0) + w->n_ephemeral + (w->swap_bytes ? 1 : 0) +
           (new_disks_seed_bytes(n) ? 1 : 0);
}

int new_disks_allocate(struct new_disks *n, size_t n_recipients, size_t n_disks, struct error *e)
{
    n->n_recipients = n_recipients;
    n->n_disks = n_disks;
    n->recipients = calloc(n_recipients, sizeof *n->recipients);
    n->disks = calloc(n_disks, sizeof *n->disks);
    n->keys = calloc(n_recipients, sizeof *n->keys);
    n->chunks = calloc(n_recipients, sizeof *n->chunks);
    n->leads = calloc(n_recipients, sizeof(struct volume *));
    n->others = calloc(n_disks, sizeof(struct volume *));
    if (n->recipients && n->disks && n->keys && n->chunks && n->leads && n->others)
        return 0;
    n->n_recipients = n->n_disks = 0;
    return error_memory(e);
}

int new_disks_allocate_one(struct new_disks *n, size_t n_disks, const char *name, const char *uuid,
                           struct error *e)
{
    int r = new_disks_allocate(n, 1, n_disks, e);
    if (r < 0)
        return r;
    struct recipient *one = n->recipients;
    *one = (struct recipient){.all = n, .disks = n->disks};
    snprintf(one->name, sizeof one->name, "%s", name);
    memcpy(one->uuid, uuid, sizeof one->uuid);
    return 0;
}

void new_disks_add_chunk(struct new_disks *n, size_t n_keys)
{
    n->chunks[n->n_chunks++] = (struct new_chunk){
        .all = n, .recipients = n->recipients, .n_recipients = 1, .keys = n->keys, .n_keys = n_keys};
}

struct new_key *new_disks_add_key(struct new_disks *n, const char *owner, const char *vg,
                                  enum key_scope scope)
{
    struct new_key *k = &n->keys[n->n_keys++];
    k->want.scope = scope;
    k->want.bits = KEY_SECRET_BITS;
    memcpy(k->want.owner, owner, sizeof k->want.owner);
    memcpy(k->want.vg, vg, sizeof k->want.vg);
    return k;
}

/* -------------------------------------------------------------------- disks */

static void encrypt(const struct config *c, struct new_disk *d)
{
    struct facts facts;
    facts_of_group(d->v.vg, 0, &facts);
    choose_encryption(c, &facts, &d->v);
    d->v.scope = d->key->want.scope;
    d->v.engine = d->recipient->all->engine;
}

static struct new_disk *add_disk(struct recipient *i, struct new_key *key, uint64_t bytes, const char *role,
                                 const char alias[ALIAS_MAX])
{
    const struct new_disks *all = i->all;
    struct new_disk *d = &i->disks[i->n_disks++];
    *d = (struct new_disk){.recipient = i, .key = key, .disk = OPENED_NONE};
    d->v.size_bytes = group_round_up(all->group, bytes);
    d->v.state = VOLUME_BUILDING;
    memcpy(d->v.vg, all->group->name, sizeof d->v.vg);
    memcpy(d->v.instance, i->uuid, sizeof d->v.instance);
    snprintf(d->v.name, sizeof d->v.name, "%.63s", volume_instance_name_valid(i->name) ? i->name : i->uuid);
    snprintf(d->v.role, sizeof d->v.role, "%.7s", role);
    memcpy(d->v.alias, alias, sizeof d->v.alias);
    broker_disk_uuid(all->context->broker, d->v.disk);
    volume_set_lv_name(&d->v);
    if (key)
        encrypt(all->context->config, d);
    else
        snprintf(d->v.cipher, sizeof d->v.cipher, "none");
    return d;
}

/* Adds an ephemeral disk, with the label that Nova gives it. */
struct new_disk *recipient_add_ephemeral(struct recipient *i, struct new_key *key, unsigned number,
                                         const struct wanted_ephemeral *wanted)
{
    char role[ROLE_MAX];
    snprintf(role, sizeof role, "eph%u", number % 100);
    struct new_disk *d = add_disk(i, key, wanted->size_bytes, role, wanted->alias);
    memcpy(d->fs, wanted->fs, sizeof d->fs);
    snprintf(d->label, sizeof d->label, "ephemeral%u", number % 100);
    return d;
}

struct new_disk *recipient_add_seed(struct recipient *i, struct new_key *key)
{
    uint64_t bytes = new_disks_seed_bytes(i->all);
    struct new_disk *d = add_disk(i, key, bytes, ROLE_SEED, (const char[ALIAS_MAX]){0});
    d->takes_seed = true;
    return d;
}

void recipient_add_disks(struct recipient *i, struct new_key *key)
{
    const struct wanted_disks *w = i->all->wanted;
    if (w->root_bytes)
        add_disk(i, key, w->root_bytes, "root", w->root_alias)->takes_image = i->all->image != NULL;
    for (size_t n = 0; n < w->n_ephemeral; n++)
        recipient_add_ephemeral(i, key, (unsigned)n, &w->ephemeral[n]);
    if (w->swap_bytes)
        snprintf(add_disk(i, key, w->swap_bytes, "swap", w->swap_alias)->fs, FS_MAX, "swap");
    if (new_disks_seed_bytes(i->all))
        recipient_add_seed(i, key);
}

void recipient_note_commits(struct recipient *i)
{
    struct new_disks *n = i->all;
    n->leads[n->n_leads++] = &i->disks[0].v;
    for (size_t d = 1; d < i->n_disks; d++)
        n->others[n->n_others++] = &i->disks[d].v;
}

struct new_disks *new_disks_free(struct new_disks *n)
{
    if (n) {
        for (size_t i = 0; i < n->n_disks; i++)
            if (n->disks[i].recipient)
                opened_close(&n->disks[i].disk);
        for (size_t i = 0; i < n->n_keys; i++)
            secret_free(n->keys[i].secret);
        free(n->recipients);
        free(n->disks);
        free(n->keys);
        free(n->chunks);
        free(n->leads);
        free(n->others);
        image_close(n->image);
    }
    return NULL;
}
