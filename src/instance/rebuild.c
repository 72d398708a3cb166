/* SPDX-License-Identifier: Apache-2.0 */
/* mayfly rebuild: an instance gets new disks, of the same roles, sizes and file systems, with a new key.
 *
 *     look, and compare the image | new key | end domain, close | REMAKE, first disk first
 *     | open, fill, close | others ready, FIRST DISK READY
 *     then, each whatever becomes of the other: start | destroy the old key
 *
 * The volumes stay. REMAKE changes their tags: another uuid, the new key, state rebuilding. So no room is
 * needed for a second set of disks, and nothing is renamed. The price: from the first REMAKE on the old data
 * is gone, whatever becomes of the rest.
 *
 * Old and new disks are never mixed. The first disk is the first to say rebuilding and the last to say ready.
 * Until it says ready, the instance is neither started nor opened. Recover closes such an instance and
 * reports it. Another rebuild, which begins anew, or a delete ends this state.
 */
#include "base/audit.h"
#include "instance/drift.h"
#include "instance/keys-going.h"
#include "instance/lock.h"
#include "instance/rebuild-internal.h"
#include "keys/derive.h"

#include <inttypes.h>
#include <stdio.h>

/* Designs the same disk with another uuid and key. The domain's definition stays right. */
static void design_disk(struct recipient *i, struct new_key *key, const struct volume *old)
{
    const struct new_disks *all = i->all;
    struct new_disk *d = &i->disks[i->n_disks++];
    *d = (struct new_disk){.recipient = i, .v = *old, .disk = OPENED_NONE};
    d->v.state = VOLUME_REBUILDING;
    broker_disk_uuid(all->context->broker, d->v.disk);
    memcpy(d->fs, old->fs, sizeof d->fs);
    if (str_starts(old->role, "eph"))
        snprintf(d->label, sizeof d->label, "ephemeral%.2s", old->role + strlen("eph"));
    d->takes_image = all->image && streq(old->role, "root");
    d->takes_seed = volume_is_seed(old);
    if (!volume_encrypted(old))
        return;
    d->key = key;
    d->key->n_uses++; /* used by remake() */
    d->v.scope = KEY_SCOPE_INSTANCE;
    snprintf(d->v.kdf, sizeof d->v.kdf, "%s", KDF_HKDF_SHA512);
}

static int design_disks(struct rebuild *r, struct error *e)
{
    struct new_disks *n = &r->new;
    const struct instance *i = r->instance;
    int result = new_disks_allocate_one(n, i->n_volumes, i->name, i->uuid, e);
    if (result < 0)
        return result;
    struct new_key *key = NULL;
    if (n->km) /* as it is if some disk is encrypted */
        key = new_disks_add_key(n, i->uuid, i->volumes[0]->vg, KEY_SCOPE_INSTANCE);
    for (size_t v = 0; v < i->n_volumes; v++)
        design_disk(n->recipients, key, i->volumes[v]);
    recipient_note_commits(n->recipients);
    new_disks_add_chunk(n, n->n_keys);
    n->closes = n->km && n->km->durable;
    return 0;
}

/* -------------------------------------------------------------------- steps */

/* Checks the image while the old disks still exist: writing it comes too late. */
static int check_sha256(const struct context *c, void *rebuild, struct error *e)
{
    struct image *image = ((struct rebuild *)rebuild)->new.image;
    return context_import(c, image, NULL, 0, 0, 0, e);
}

static int end_domain(const struct context *c, void *rebuild, struct error *e)
{
    return virt_destroy(c->virt, ((struct rebuild *)rebuild)->instance->uuid, e);
}

/* Looks for what people did since the first look: a managed save, or an overlay above a disk. */
static int look_for_changes(const struct context *c, void *rebuild, struct error *e)
{
    static const struct drift_need last = {.cannot = "cannot be rebuilt",
                                           .refused = DRIFT(UNDEFINED) | DRIFT(SAVED) | DRIFT(HELD) |
                                                      DRIFT_ELSEWHERE | DRIFT(BARE)};
    return drift_check_ended(c, ((struct rebuild *)rebuild)->instance->uuid, &last, e);
}

/* Remakes the disks, the first disk first. From here on the old data is gone, and a half-made instance helps
 * nobody: so a stop by the user waits until the end. */
static int remake(const struct context *c, void *rebuild, struct error *e)
{
    struct new_disks *all = &((struct rebuild *)rebuild)->new;
    int r = 0;
    context_hold_stop(c);
    for (size_t n = 0; r == 0 && n < all->n_disks; n++) {
        if (all->disks[n].key)
            r = new_disk_set_key_tags(&all->disks[n], e);
        if (r == 0)
            r = broker_remake(c->broker, &all->disks[n].v, e);
    }
    return r;
}

/* Checks that no disk was remade. Else the new key stays, since the first disk names it now. */
static int remake_undo(const struct context *c, void *rebuild, struct error *e)
{
    const struct rebuild *r = rebuild;
    _cleanup_inventory_ struct inventory *now = NULL;
    int result = broker_list(c->broker, &now, e);
    if (result < 0)
        return result;
    for (size_t n = 0; n < now->n_volumes; n++)
        if (streq(now->volumes[n].disk, r->instance->volumes[0]->disk))
            return 0;
    return error_set(
        e, -ENEEDSRECOVER,
        "instance %s: the data of its disks is gone; run mayfly rebuild %s again, or mayfly delete",
        r->instance->name, r->instance->name);
}

static int destroy_old_keys(const struct context *c, void *rebuild, struct error *e)
{
    const struct rebuild *r = rebuild;
    _cleanup_inventory_ struct inventory *now = NULL;
    _cleanup_keys_going_ struct keys_going keys = {.n = 0};
    int result = broker_list(c->broker, &now, e);
    if (result == 0)
        result = keys_of_going(now, r->instance->volumes, r->instance->n_volumes, &keys, e);
    if (result == 0)
        result = keys_destroy_unused(c, &keys, e);
    if (result == 0 && r->request->ret_key)
        *r->request->ret_key = keys_end(&keys);
    if (result < 0)
        error_append(e, "; instance %s is rebuilt, and mayfly recover destroys its old key",
                     r->instance->name);
    return result;
}

static int start(const struct context *c, void *rebuild, struct error *e)
{
    bool changed = false;
    return instance_start(c, ((struct rebuild *)rebuild)->instance->uuid, &changed, e);
}

/* Adds the steps up to the commit point. */
static int add_steps(struct steps *s, struct rebuild *r, struct error *e)
{
    struct new_disks *n = &r->new;
    const char *name = r->instance->name;
    int result = 0;
    if (r->request->image.sha256)
        result =
            steps_add(s, check_sha256, NULL, r, e, "check the SHA-256 of image %s", r->request->image.path);
    if (result == 0 && r->keeps_seed)
        result = steps_add(s, rebuild_keep_seed, NULL, r, e, "read the seed of %s", name);
    if (result == 0)
        result = new_disks_add_keys(s, &n->chunks[0], e);
    if (result == 0 && r->running)
        result = steps_add(s, end_domain, NULL, r, e, "end domain %s", name);
    if (result == 0 && r->disks.n_open)
        result = steps_add(s, disks_close, NULL, &r->disks, e, "close the disks of %s", name);
    if (result == 0)
        result =
            steps_add(s, look_for_changes, NULL, r, e, "see that nothing else has the old disks of %s", name);
    if (result == 0)
        result = steps_add_anchor(s, remake, remake_undo, r, e, "make the disks of %s anew: the old are gone",
                                  name);
    if (result == 0)
        result = new_disks_add_contents(s, &n->chunks[0], e);
    if (result == 0)
        result = new_disks_add_settling(s, n, e);
    if (result == 0 && n->n_others)
        result = steps_add(s, new_disks_others_ready, NULL, n, e, "mark %zu disks ready", n->n_others);
    return result < 0 ? result : steps_add(s, new_disks_leads_ready, NULL, n, e, "mark the first disk ready");
}

static int add_start(struct steps *s, struct rebuild *r, struct error *e)
{
    return r->running ? steps_add(s, start, NULL, r, e, "start domain %s", r->instance->name) : 0;
}

static int add_destroy_key(struct steps *s, struct rebuild *r, struct error *e)
{
    return r->new.n_keys
               ? steps_add(s, destroy_old_keys, NULL, r, e, "destroy the key that %s had", r->instance->name)
               : 0;
}

/* Runs the two lists that follow a rebuild, each whatever becomes of the other. An error undoes nothing, and
 * the first one is reported. */
static int run_after(const struct context *c, struct rebuild *r, struct error *e)
{
    int (*const adding[])(struct steps *, struct rebuild *, struct error *) = {add_start, add_destroy_key};
    struct error first = ERROR_NONE;
    for (size_t i = 0; i < ARRAY_SIZE(adding); i++) {
        _cleanup_steps_ struct steps *s = NULL;
        struct error why = ERROR_NONE;
        int result = steps_new(&s, &why);
        if (result == 0)
            result = adding[i](s, r, &why);
        context_hold_stop(c);
        if (result == 0)
            result = steps_run(s, c, &why);
        if (result < 0 && first.errnum)
            report_warning(c, "%s", why.text);
        else if (result < 0)
            first = why;
    }
    return first.errnum ? error_pass(e, first.errnum, &first) : 0;
}

static int run_plan(const struct context *c, struct rebuild *r, struct steps **ret_plan, struct error *e)
{
    bool dry_run = r->request->dry_run;
    _cleanup_steps_ struct steps *s = NULL;
    int result = steps_new(&s, e);
    if (result == 0)
        result = add_steps(s, r, e);
    if (result == 0 && dry_run)
        result = add_start(s, r, e);
    if (result == 0 && dry_run)
        result = add_destroy_key(s, r, e);
    if (result == 0 && !dry_run)
        result = steps_run(s, c, e);
    if (result == 0 && !dry_run)
        result = run_after(c, r, e);
    if (!dry_run)
        audit_instance("rebuild", r->instance->uuid, r->instance->name, result, e);
    if (result == 0)
        steps_hand_over(&s, ret_plan);
    return result;
}

static struct rebuild *rebuild_free(struct rebuild *r)
{
    if (r) {
        new_disks_free(&r->new);
        secret_free(r->kept_seed);
        model_free(r->model);
    }
    return NULL;
}
DEFINE_CLEANUP(struct rebuild *, rebuild_free)

int instance_rebuild(const struct context *c, const char *name, const struct rebuild_request *q,
                     struct steps **ret_plan, struct error *e)
{
    struct rebuild rebuild = {
        .new = {.context = c, .wanted_seed = &q->seed, .image_path = q->image.path},
        .request = q,
    };
    _cleanup_(rebuild_freep) struct rebuild *r = &rebuild;
    int result = context_check_virt(c, e);
    if (result == 0)
        result = model_lock(c, name, &r->model, &r->instance, e);
    if (result < 0)
        return result;
    r->new.before = r->model->inventory;
    result = rebuild_check(r, e);
    if (result == 0)
        result = design_disks(r, e);
    return result < 0 ? result : run_plan(c, r, ret_plan, e);
}
