/* SPDX-License-Identifier: Apache-2.0 */
/* mayfly recover: undoes (building) or finishes (doomed) what an interruption left half done, closes maps
 * that nobody uses, and destroys keys that no volume names. In doubt it does nothing. Each of its acts may be
 * cut off and repeated.
 *
 *     look -> list keys -> plan -> lock what is planned -> look again -> instances -> maps -> keys
 *
 * The plan is a dry run over the first look: the uuids of its lines are locked, and the lines are dropped.
 * Then the same code works on the second look, which counts: a launch that was at work during the first look
 * is seen whole now, or is still at work, and keeps its locks. If nothing is planned nothing is
 * locked, and one look is enough, however many instances there are.
 */
#include "instance/recover.h"

#include "base/audit.h"
#include "instance/lock.h"
#include "virt/domain-xml.h"

static bool has_instance(const struct model *m, const char *uuid)
{
    const struct instance *known = NULL;
    return model_find(m, uuid, &known, NULL) == 0;
}

static int lock_instances(struct recovery *r, const struct model *before, struct error *e)
{
    int result = 0;
    for (size_t i = 0; result == 0 && i < before->n_instances; i++) {
        const struct subject about = subject_instance(&before->instances[i]);
        result = recovery_lock(r, &about, e);
    }
    return result;
}

/* Locks maps whose instance has no volumes. */
static int lock_orphan_maps(struct recovery *r, const struct model *before, struct error *e)
{
    char uuid[UUID_TEXT];
    int result = 0;
    for (size_t i = 0; result == 0 && i < before->inventory->n_maps; i++) {
        const struct map *map = &before->inventory->maps[i];
        if (!map_instance(map, uuid) || has_instance(before, uuid))
            continue;
        const struct subject about = subject_map(uuid, map);
        result = recovery_lock(r, &about, e);
    }
    return result;
}

/* Locks keys whose owner has no volumes. */
static int lock_keys(struct recovery *r, const struct model *before, struct error *e)
{
    int result = 0;
    for (size_t i = 0; result == 0 && i < r->keys->n_keys; i++) {
        const struct key_entry *k = &r->keys->keys[i];
        if (!k->listed || k->state == KEY_IMAGE || has_instance(before, k->info.owner))
            continue;
        const struct subject about = subject_key(k->info.owner, k->ref);
        result = recovery_lock(r, &about, e);
    }
    return result;
}

static int lock_planned(struct recovery *r, const struct model *before, struct error *e)
{
    int result = recovery_lock_suspended(r, e);
    if (result == 0)
        result = lock_instances(r, before, e);
    if (result == 0)
        result = lock_orphan_maps(r, before, e);
    return result < 0 ? result : lock_keys(r, before, e);
}

/* Looks at storage even if libvirt does not answer; then without domains. */
static int look(struct recovery *r, struct model **ret, struct error *e)
{
    struct error why = ERROR_NONE;
    int result = model_load_whole(&r->context, ret, &why);
    if (result < 0 && result != -ENOMEM && r->context.virt) {
        why = ERROR_NONE;
        r->context.virt = NULL;
        result = model_load_whole(&r->context, ret, &why);
    }
    if (result < 0)
        return error_pass(e, result, &why);
    free(r->suspended);
    r->suspended = NULL;
    r->n_suspended = 0;
    return broker_suspended(r->context.broker, &r->suspended, &r->n_suspended, e);
}

/* Gives the lock of one instance back before the others are done: nobody shall wait for them all. */
static void unlock(struct recovery *r, const struct instance *i)
{
    broker_unlock(r->context.broker, i->uuid);
    for (size_t n = 0; n < r->n_locked; n++)
        if (streq(r->locked[n], i->uuid))
            memmove(r->locked[n], r->locked[--r->n_locked], UUID_TEXT);
    if (!r->dry_run)
        model_close_after_guest(&r->context, r->model, i);
}

/* Puts in order all that r->model shows and this run may act on. */
static int work(struct recovery *r, struct error *e)
{
    int result = recovery_resume(r, e);
    for (size_t i = 0; result == 0 && i < r->model->n_instances; i++) {
        const struct instance *one = &r->model->instances[i];
        if (!recovery_may_act(r, one->uuid))
            continue;
        result = recovery_instance(r, one, e);
        if (!r->planning && !recovery_has_unnamed_key(r, one->uuid))
            unlock(r, one);
    }
    if (result == 0)
        result = recovery_orphan_maps(r, e);
    return result < 0 ? result : recovery_destroy_keys(r, e);
}

/* Works on a copy that is a dry run with lines of its own. They say what is to be locked. */
static int plan(struct recovery *r, struct error *e)
{
    struct recovery dry = *r;
    dry.planning = dry.dry_run = true;
    dry.done = NULL;
    dry.n_done = 0;
    int result = work(&dry, e);
    if (result == 0)
        result = recovery_plan_lines(r, dry.done, dry.n_done, e);
    free(dry.done);
    return result;
}

static int lock_and_look_again(struct recovery *r, struct error *e)
{
    _cleanup_model_ struct model *before = TAKE_PTR(r->model);
    int result = lock_planned(r, before, e);
    return result < 0 ? result : look(r, &r->model, e);
}

static bool has_trials(const struct model *m)
{
    for (size_t i = 0; i < m->n_domains; i++)
        if (str_starts(m->domains[i].name, TRIAL_NAME))
            return true;
    return false;
}

/* Removes trials, without a lock: nobody misses a trial, not even the launch that may just be making one. */
static int remove_trials(struct recovery *r, struct error *e)
{
    struct error why = ERROR_NONE;
    size_t n = 0;
    int result = has_trials(r->model) ? virt_remove_trials(r->context.virt, r->dry_run, &n, &why) : 0;
    if (result == 0 && n == 0)
        return 0;
    static const struct subject trials = {.object = "definitions " TRIAL_NAME "*"};
    return recovery_settle(r, RECOVER_REMOVED, &trials,
                           "a launch was cut off while libvirt judged its definition: removed", result, &why,
                           e);
}

static int put_in_order(struct recovery *r, struct error *e)
{
    static const struct subject libvirt = {.object = "libvirt"};
    int result = look(r, &r->model, e);
    if (result == 0)
        result = remove_trials(r, e);
    if (result == 0)
        result = recovery_list_keys(r, r->model->inventory, e);
    if (result == 0)
        result = plan(r, e);
    if (result == 0 && r->n_planned)
        result = lock_and_look_again(r, e);
    if (result == 0 && !r->context.virt)
        result = recovery_remains(
            r, &libvirt, -ECONNREFUSED, e,
            "cannot be reached: no domain could be looked at; see systemctl status libvirtd");
    return result == 0 && r->n_locked ? work(r, e) : result;
}

static const char *way_out(int reason)
{
    switch (reason) {
    case -EHOSTUNREACH:
        return ": the key manager cannot be reached; try again later";
    case -EACCES:
        return ": their keys are not this caller's; run mayfly recover with the credentials that the keys "
               "were made with";
    default:
        return "";
    }
}

/* Checks that no map of ours is open, since nothing can be looked at without a volume group. An open map
 * shows that a group was configured. */
static int check_unconfigured(const struct context *c, struct error *e)
{
    _cleanup_free_ struct map *maps = NULL;
    struct error why = ERROR_NONE;
    size_t n = 0;
    int r = broker_maps(c->broker, &maps, &n, &why);
    if (r < 0)
        return r == -ENODEV ? 0 : error_pass(e, r, &why);
    if (n == 0)
        return 0;
    return error_set(
        e, -EINVAL,
        "recover: no volume group is configured, but map %s is open (%zu Mayfly maps in all); set "
        "images_volume_group in mayfly.conf",
        maps[0].name, n);
}

int instance_recover(const struct context *c, unsigned how, struct recovered **ret, size_t *ret_n,
                     struct error *e)
{
    if (c->config->volume_groups.n == 0) {
        *ret = NULL;
        *ret_n = 0;
        return check_unconfigured(c, e);
    }
    struct recovery r = {.context = *c, .dry_run = how & RECOVER_DRY_RUN, .quick = how & RECOVER_QUICK};
    int result = put_in_order(&r, e);

    model_free(r.model);
    free(r.planned);
    free(r.locked);
    free(r.suspended);
    key_list_free(r.keys);
    if (result < 0 && result != -ECANCELED) {
        free(r.done);
        return result;
    }
    *ret = r.done;
    *ret_n = r.n_done;
    if (result < 0)
        return result;
    if (r.n_remains)
        return error_set(e, r.reason, "recover: %zu of %zu items could not be put in order%s", r.n_remains,
                         r.n_done, way_out(r.reason));
    return 0;
}
