/* SPDX-License-Identifier: Apache-2.0 */
/* mayfly launch: looks, designs, makes the list of steps, runs it. All instances or nothing.
 *
 *     locks | keys, volumes, open, image, formats: per chunk | domains | close | others ready
 *     FIRST DISKS READY, the commit point | start
 *
 * Before the commit point recover undoes an instance; after it the instance stays.
 *
 * The keys of a chunk of instances are made at once: a manager behind a network does that over several
 * connections. A secret is in memory until the last disk that needs it is open. So all disks of the chunk are
 * opened before an image is written to any, which may take hours. A chunk is small, so that its secrets are
 * few, fit into lockable memory, and are made within one deadline of the manager. A secret that a batch
 * shares stays in memory until the last chunk is open.
 */
#include "instance/launch.h"

#include "base/audit.h"
static int add_locks(struct steps *s, struct launch *l, struct error *e)
{
    int r = 0;
    if (l->request->shared_key)
        r = steps_add(s, launch_lock_batch, NULL, l, e, "lock batch %s", l->batch);
    for (size_t i = 0; r == 0 && i < l->n_instances; i++)
        r = steps_add(s, launch_lock_instance, NULL, &l->instances[i], e, "lock instance %s (%s)",
                      l->instances[i].name, l->instances[i].uuid);
    return r;
}

static int add_keys(struct steps *s, struct launch_chunk *k, struct error *e)
{
    const char *manager = k->launch->km->ops->name;
    const struct key_info *want = &k->keys[0].want;
    if (k->n_keys == 1)
        return steps_add(s, launch_create_keys, launch_create_keys_undo, k, e,
                         "create a key of %u bits in %s for %s", want->bits, manager, want->owner);
    return steps_add(s, launch_create_keys, launch_create_keys_undo, k, e, "create %zu keys of %u bits in %s",
                     k->n_keys, want->bits, manager);
}

static int add_volume(struct steps *s, struct launch_disk *d, struct error *e)
{
    char size[32];
    if (d->key)
        d->key->n_uses++;
    return steps_add(s, launch_create_volume, launch_create_volume_undo, d, e, "create volume %s/%s of %s",
                     d->v.vg, d->v.lv, str_from_bytes(d->v.size_bytes, size, sizeof size));
}

/* True if the disk is written to, or a guest must find it open. A plain disk has no map. */
static bool is_opened(const struct launch_disk *d)
{
    bool written = d->takes_image || d->takes_seed || d->fs[0];
    return written || (d->key && !d->launch->closes);
}

static int add_open(struct steps *s, struct launch_disk *d, struct error *e)
{
    if (!is_opened(d))
        return 0;
    if (d->key)
        d->key->n_uses++;
    return steps_add(s, launch_open, launch_open_undo, d, e, "open %s/%s", d->v.vg, d->v.lv);
}

static int add_format(struct steps *s, struct launch_disk *d, struct error *e)
{
    return d->fs[0] ? steps_add(s, launch_format, NULL, d, e, "format %s: %s", d->v.lv, d->fs) : 0;
}

static int add_seed(struct steps *s, struct launch_disk *d, struct error *e)
{
    return d->takes_seed ? steps_add(s, launch_write_seed, NULL, d, e, "write the seed to %s", d->v.lv) : 0;
}

static int add_image(struct steps *s, struct launch_chunk *k, struct error *e)
{
    struct launch_disk *disks[LAUNCH_CHUNK_MAX];
    size_t n = launch_image_disks(k, disks);
    const char *path = k->launch->request->image.path;
    if (n == 0)
        return 0;
    if (n == 1)
        return steps_add(s, launch_write_image, NULL, k, e, "write image %s to %s", path, disks[0]->v.lv);
    return steps_add(s, launch_write_image, NULL, k, e, "write image %s to %s and %zu more", path,
                     disks[0]->v.lv, n - 1);
}

/* Adds a step for each disk of the chunk, instance by instance. */
static int add_each(struct steps *s, struct launch_chunk *k,
                    int (*add)(struct steps *, struct launch_disk *, struct error *), struct error *e)
{
    int r = 0;
    for (size_t i = 0; i < k->n_instances; i++)
        for (size_t n = 0; r == 0 && n < k->instances[i].n_disks; n++)
            r = add(s, &k->instances[i].disks[n], e);
    return r;
}

static bool opens_any(const struct launch_instance *i)
{
    bool opens = false;
    for (size_t n = 0; !opens && n < i->n_disks; n++)
        opens = is_opened(&i->disks[n]);
    return opens;
}

int launch_add_contents(struct steps *s, struct launch_chunk *k, struct error *e)
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
int launch_add_settling(struct steps *s, struct launch *l, struct error *e)
{
    bool opens = false;
    int r = 0;
    for (size_t i = 0; r == 0 && l->km && i < l->n_instances; i++) {
        bool any = opens_any(&l->instances[i]);
        opens = opens || any;
        if (any && l->closes)
            r = steps_add(s, launch_close_maps, NULL, &l->instances[i], e, "close the disks of %s",
                          l->instances[i].name);
    }
    return r == 0 && opens ? steps_add(s, launch_settle_disks, NULL, l, e, "wait for udevd") : r;
}

static int add_storage(struct steps *s, struct launch *l, struct error *e)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < l->n_chunks; i++) {
        struct launch_chunk *k = &l->chunks[i];
        if (k->n_keys)
            r = add_keys(s, k, e);
        if (r == 0)
            r = add_each(s, k, add_volume, e);
        if (r == 0)
            r = launch_add_contents(s, k, e);
    }
    return r;
}

/* Adds the steps that define the domains. If a domain cannot be undefined, its volumes stay: recover finds
 * the domain by them. */
static int add_domains(struct steps *s, struct launch *l, struct error *e)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < l->n_instances; i++)
        r = steps_add_anchor(s, launch_define, launch_define_undo, &l->instances[i], e, "define domain %s",
                             l->instances[i].name);
    for (size_t i = 0; r == 0 && l->autostart && i < l->n_instances; i++)
        r = steps_add(s, launch_autostart, NULL, &l->instances[i], e, "give domain %s autostart",
                      l->instances[i].name);
    if (r == 0)
        r = steps_add(s, launch_settle, NULL, l, e, "sync libvirt's definitions");
    return r < 0 ? r : launch_add_settling(s, l, e);
}

static int add_attachments(struct steps *s, struct launch *l, struct error *e)
{
    int r = launch_add_settling(s, l, e);
    for (size_t i = 0; r == 0 && !l->apart && i < l->n_disks; i++)
        r = steps_add_anchor(s, launch_attach, launch_attach_undo, &l->disks[i], e,
                             "add disk %s to the definition of %s%s", l->disks[i].v.role, l->instances->name,
                             l->live ? ", and to its guest" : "");
    return r;
}

static int add_commits(struct steps *s, struct launch *l, struct error *e)
{
    int r = 0;
    if (l->n_others)
        r = steps_add_anchor(s, launch_others_ready, launch_others_doomed, l, e, "mark %zu disks ready",
                             l->n_others);
    if (r == 0 && l->n_leads)
        r = steps_add_anchor(s, launch_leads_ready, launch_leads_doomed, l, e,
                             "mark %zu disks ready, the first of each instance", l->n_leads);
    return r;
}

int launch_add_to_domain(struct steps *s, struct launch *l, struct error *e)
{
    int r = add_storage(s, l, e);
    if (r == 0)
        r = add_attachments(s, l, e);
    return r < 0 ? r : add_commits(s, l, e);
}

static int add_starts(struct steps *s, struct launch *l, struct error *e)
{
    int r = 0;
    for (size_t i = 0; r == 0 && !l->request->no_start && i < l->n_instances; i++)
        r = steps_add_at_once(s, launch_start, launch_start_undo, &l->instances[i], e, "start domain %s",
                              l->instances[i].name);
    return r;
}

static int make_plan(struct launch *l, struct steps **ret, struct error *e)
{
    _cleanup_steps_ struct steps *s = NULL;
    int r = steps_new(&s, e);
    if (r == 0)
        r = add_locks(s, l, e);
    if (r == 0)
        r = add_storage(s, l, e);
    if (r == 0)
        r = add_domains(s, l, e);
    if (r == 0)
        r = add_commits(s, l, e);
    if (r == 0)
        r = add_starts(s, l, e);
    if (r < 0)
        return r;
    *ret = TAKE_PTR(s);
    return 0;
}

int launch_tell(const struct launch *l, struct launched **ret, struct error *e)
{
    struct launched *launched = calloc(l->n_instances, sizeof *launched);
    if (!launched)
        return error_memory(e);
    for (size_t i = 0; i < l->n_instances; i++) {
        memcpy(launched[i].name, l->instances[i].name, sizeof launched[i].name);
        memcpy(launched[i].uuid, l->instances[i].uuid, sizeof launched[i].uuid);
    }
    *ret = launched;
    return 0;
}

int launch_run(const struct launch *l, struct steps *plan, struct error *e)
{
    if (!l->km)
        report_warning(l->context,
                       "the disks of %s are not encrypted: enabled is false in "
                       "[ephemeral_storage_encryption], as it is where the configuration does not set it",
                       l->request->name ? l->request->name : l->request->uuid);
    if (l->request->dry_run)
        return 0;
    int r = steps_run(plan, l->context, e);
    for (size_t i = 0; i < l->n_instances; i++)
        audit_instance(l->verb, l->instances[i].uuid, l->instances[i].name, r, e);
    return r;
}

int instance_launch(const struct context *c, const struct launch_request *request, struct launched **ret,
                    struct steps **ret_plan, struct error *e)
{
    struct launch launch = {.context = c, .request = request, .verb = "launch", .closes = request->no_start};
    _cleanup_(launch_freep) struct launch *l = &launch;
    _cleanup_steps_ struct steps *plan = NULL;
    _cleanup_free_ struct launched *launched = NULL;

    int r = launch_check(l, e);
    if (r == 0)
        r = launch_design(l, e);
    if (r == 0)
        r = launch_write_definitions(l, e);
    if (r == 0)
        r = make_plan(l, &plan, e);
    if (r == 0)
        r = launch_tell(l, &launched, e);
    if (r < 0)
        return r;
    r = launch_run(l, plan, e);
    if (r < 0)
        return r;
    if (!request->dry_run)
        launch_let_go(l);
    *ret = TAKE_PTR(launched);
    if (ret_plan)
        *ret_plan = TAKE_PTR(plan);
    return 0;
}
