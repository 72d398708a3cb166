/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of the matrix about disks that Nova made: nothing may ever destroy them but a delete of what was
 * adopted, and an adoption that did not come about has left no trace.
 */
#include "keys/derive.h"
#include "matrix.h"
#include "storage/xts.h"

#include <stdio.h>

#define NOVAS   "0a0a0a0a-0000-4000-8000-000000000000"
#define KEY     "0b0b0b0b-0000-4000-8000-000000000000"
#define REF     "barbican:" KEY
#define N_DISKS 3

static struct secret *novas_secret(uint8_t first)
{
    struct error e = ERROR_NONE;
    struct secret *s = NULL;
    world_allocates = true; /* operations get it from their caller */
    must(secret_new(64, &s, &e), &e);
    world_allocates = false;
    for (size_t i = 0; i < 64; i++)
        secret_bytes(s)[i] = (uint8_t)(first + i);
    return s;
}

/* --------------------------------------------------------------- preparations */

static void add_volume(struct host *h, const char *suffix, struct world_domain *d)
{
    struct volume made = {
        .cipher = XTS_CIPHER, .key_bits = 512, .sector_bytes = 512, .kdf = KDF_NOVA_RIPEMD160};
    _cleanup_secret_ struct secret *s = novas_secret(1), *key = NULL;
    struct error e = ERROR_NONE;
    must(derive_volume_key(&made, s, &key, &e), &e);

    struct world_volume *w = &h->volumes[h->n_volumes++];
    memset(w, 0, sizeof *w);
    w->nova = w->stranger = true;
    w->v.size_bytes = GIB;
    snprintf(w->v.vg, sizeof w->v.vg, "vg0");
    snprintf(w->v.lv, sizeof w->v.lv, NOVAS "_disk%s", suffix);
    memcpy(w->sealing, secret_peek(key), sizeof w->sealing);
    h->group.free_bytes -= GIB;
    snprintf(d->defined.disk[d->defined.n++].path, DEVICE_PATH_MAX, "/dev/mapper/" NOVAS "_disk%s-dmcrypt",
             suffix);
}

/* Nova's instance: its domain is not Mayfly's. */
static void have_novas(struct fake *f)
{
    struct host *h = &f->world->host;
    struct world_domain *d = &h->domains[h->n_domains++];
    memset(d, 0, sizeof *d);
    snprintf(d->d.name, sizeof d->d.name, "instance-0000000a");
    snprintf(d->d.uuid, sizeof d->d.uuid, NOVAS);
    add_volume(h, "", d);
    add_volume(h, ".local", d);
    add_volume(h, ".swap", d);
}

static void have_novas_key(struct fake *f)
{
    have_novas(f);
    have_others_key(f, KEY, 512); /* the bytes of novas_secret(1) */
}

static int adopt(struct fake *f, struct error *e);
static void have_adopted(struct fake *f)
{
    struct error e = ERROR_NONE;
    have_novas_key(f);
    must(adopt(f, &e), &e);
}

/* --------------------------------------------------------------- operations */

static size_t strangers(const struct host *h)
{
    size_t n = 0;
    for (size_t i = 0; i < h->n_volumes; i++)
        n += h->volumes[i].stranger;
    return n;
}

/* An error leaves no trace: but for one that says so, at the commit point. */
static int run(struct fake *f, const struct adopt_request *q, struct error *e)
{
    struct world *w = f->world;
    size_t keys = w->host.n_keys;
    bool changed = false;
    int r = instance_adopt(&f->context, q, &changed, NULL, e);
    if (r < 0 && r != -ENEEDSRECOVER && !w->crashed && !w->without &&
        (strangers(&w->host) != N_DISKS || w->host.n_keys != keys))
        world_violated(w, "an adoption failed (%d), and left traces", r);
    return r;
}

static int adopt(struct fake *f, struct error *e)
{
    const struct adopt_request q = {.uuid = NOVAS, .key = REF, .kdf = KDF_NOVA_RIPEMD160};
    return run(f, &q, e);
}

static int adopt_imported(struct fake *f, struct error *e)
{
    _cleanup_secret_ struct secret *s = novas_secret(1);
    const struct adopt_request q = {.uuid = NOVAS, .secret = s, .kdf = KDF_NOVA_RIPEMD160};
    return run(f, &q, e);
}

/* Refused, and 0 for that; of other errors the caller hears. */
static int refused(struct fake *f, const struct adopt_request *q, struct error *e)
{
    int r = run(f, q, e);
    if (r == 0)
        world_violated(f->world, "a wrong key, or hash, went through");
    return r == -EKEYREJECTED ? 0 : r;
}

static int adopt_wrong_key(struct fake *f, struct error *e)
{
    _cleanup_secret_ struct secret *s = novas_secret(2);
    const struct adopt_request q = {.uuid = NOVAS, .secret = s, .kdf = KDF_NOVA_RIPEMD160};
    return refused(f, &q, e);
}

static int adopt_wrong_hash(struct fake *f, struct error *e)
{
    const struct adopt_request q = {.uuid = NOVAS, .key = REF, .kdf = KDF_NOVA_SHA256};
    return refused(f, &q, e);
}

static int start(struct fake *f, struct error *e)
{
    bool changed = false;
    return instance_start(&f->context, NOVAS, &changed, e);
}

/* Nova's key is the secret that the new disk's own key is derived from. */
static int add_disk(struct fake *f, struct error *e)
{
    const struct add_disk_request q = {.name = NOVAS, .ephemeral = {.size_bytes = GIB, .fs = "ext4"}};
    struct volume v;
    return instance_add_disk(&f->context, &q, &v, NULL, e);
}

static int delete (struct fake *f, struct error *e)
{
    bool changed = false;
    return instance_delete(&f->context, NOVAS, &changed, e);
}

const struct scenario adopt_scenarios[] = {
    /* name, tune, prepare, operate, {domains, active, volumes, maps, opened, keys}, promise */
    {"adopt", NULL, have_novas_key, adopt, {1, 0, 3, 0, 0, 1}, FORWARD},
    {"adopt, key imported", NULL, have_novas, adopt_imported, {1, 0, 3, 0, 0, 1}, FORWARD},
    {"adopt with a wrong key", NULL, have_novas, adopt_wrong_key, {1, 0, 3, 0, 0, 0}, UNDONE},
    {"adopt with a wrong hash", NULL, have_novas_key, adopt_wrong_hash, {1, 0, 3, 0, 0, 1}, UNDONE},
    {"start adopted", NULL, have_adopted, start, {1, 1, 3, 3, 0, 1}, UNDONE},
    {"add-disk to adopted", NULL, have_adopted, add_disk, {1, 0, 4, 0, 0, 1}, UNDONE},
    {"delete adopted", NULL, have_adopted, delete, {1, 0, 0, 0, 0, 0}, FORWARD},
};
const size_t n_adopt_scenarios = ARRAY_SIZE(adopt_scenarios);
