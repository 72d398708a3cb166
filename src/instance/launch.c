/* SPDX-License-Identifier: Apache-2.0 */
/* mayfly launch: looks, designs, makes the list of steps, runs it. All instances or nothing.
 *
 *     locks | key, volumes, open, fill: per instance | domains | close | others ready | LEADS READY | start
 *                                                                                     commit point
 *
 * Before the commit point recover undoes an instance, after it the instance stands. Per instance, so that no
 * more secrets than that of one instance, or of the batch, are in memory at a time.
 */
#include "instance/launch.h"

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

static int add_key(struct steps *s, struct launch_key *k, struct error *e)
{
    const char *manager = k->launch->km->ops->name;
    return steps_add(s, launch_create_key, launch_create_key_undo, k, e,
                     "create a key of %u bits in %s for %s", k->want.bits, manager, k->want.owner);
}

static int add_volume(struct steps *s, struct launch_disk *d, struct error *e)
{
    char size[32];
    return steps_add(s, launch_create_volume, launch_create_volume_undo, d, e, "create volume %s/%s of %s",
                     d->v.vg, d->v.lv, str_from_bytes(d->v.size_bytes, size, sizeof size));
}

/* A plain disk that stays empty has no map, and needs none. */
static int add_open(struct steps *s, struct launch_disk *d, struct error *e)
{
    if (!d->key && !d->takes_image && !d->fs[0])
        return 0;
    return steps_add(s, launch_open, launch_open_undo, d, e, "open %s/%s", d->v.vg, d->v.lv);
}

static int add_fill(struct steps *s, struct launch_disk *d, struct error *e)
{
    if (d->takes_image)
        return steps_add(s, launch_fill, NULL, d, e, "write image %s to %s", d->launch->request->image_path,
                         d->v.lv);
    return d->fs[0] ? steps_add(s, launch_fill, NULL, d, e, "format %s: %s", d->v.lv, d->fs) : 0;
}

static int add_disks(struct steps *s, struct launch_instance *i, struct error *e)
{
    int r = 0;
    for (size_t n = 0; r == 0 && n < i->n_disks; n++)
        r = add_volume(s, &i->disks[n], e);
    for (size_t n = 0; r == 0 && n < i->n_disks; n++)
        r = add_open(s, &i->disks[n], e);
    for (size_t n = 0; r == 0 && n < i->n_disks; n++)
        r = add_fill(s, &i->disks[n], e);
    return r;
}

static int add_storage(struct steps *s, struct launch *l, struct error *e)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < l->n_instances; i++) {
        if (i < l->n_keys) /* one each, or the batch's with the first */
            r = add_key(s, &l->keys[i], e);
        if (r == 0)
            r = add_disks(s, &l->instances[i], e);
    }
    return r;
}

/* A domain that could not be undefined keeps its volumes: it is by them that recover finds it. */
static int add_domains(struct steps *s, struct launch *l, struct error *e)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < l->n_instances; i++)
        r = steps_add_keystone(s, launch_define, launch_define_undo, &l->instances[i], e, "define domain %s",
                               l->instances[i].name);
    for (size_t i = 0; r == 0 && l->km && l->request->no_start && i < l->n_instances; i++)
        r = steps_add(s, launch_close_maps, NULL, &l->instances[i], e, "close the disks of %s",
                      l->instances[i].name);
    return r;
}

static int add_commits(struct steps *s, struct launch *l, struct error *e)
{
    int r = 0;
    if (l->n_others)
        r = steps_add_keystone(s, launch_others_ready, launch_others_doomed, l, e, "mark %zu disks ready",
                               l->n_others);
    if (r == 0)
        r = steps_add_keystone(s, launch_leads_ready, launch_leads_doomed, l, e,
                               "mark %zu disks ready, the first of each instance", l->n_leads);
    for (size_t i = 0; r == 0 && !l->request->no_start && i < l->n_instances; i++)
        r = steps_add(s, launch_start, launch_start_undo, &l->instances[i], e, "start domain %s",
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
    if (r < 0)
        return r;
    *ret = TAKE_PTR(s);
    return 0;
}

static int tell_result(const struct launch *l, struct launched **ret, struct error *e)
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

int instance_launch(const struct context *c, const struct launch_request *request, struct launched **ret,
                    struct steps **ret_plan, struct error *e)
{
    struct launch launch = {.context = c, .request = request};
    _cleanup_(launch_freep) struct launch *l = &launch;
    _cleanup_steps_ struct steps *plan = NULL;
    _cleanup_free_ struct launched *launched = NULL;

    int r = launch_check(l, e);
    if (r == 0)
        r = launch_design(l, e);
    if (r == 0)
        r = make_plan(l, &plan, e);
    if (r == 0)
        r = tell_result(l, &launched, e);
    if (r < 0)
        return r;
    if (!l->km)
        report_warning(c,
                       "the disks of %s are not encrypted: enabled is false in "
                       "[ephemeral_storage_encryption]",
                       request->name);
    if (!request->dry_run)
        r = steps_run(plan, c, e);
    if (r < 0)
        return r;
    *ret = TAKE_PTR(launched);
    if (ret_plan)
        *ret_plan = TAKE_PTR(plan);
    return 0;
}
