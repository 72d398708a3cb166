/* SPDX-License-Identifier: Apache-2.0 */
/* mayfly recover: undoes (building) or finishes (doomed) what an interruption left half done, closes maps
 * that nobody uses, and destroys keys that nobody names. In doubt it does nothing. Each of its acts may be
 * cut off and repeated.
 *
 *     look -> list keys -> note what is to be done -> lock that -> look again -> instances -> maps -> keys
 *
 * The second look counts: a launch that was at work during the first one either is still at work, and its
 * locks are not to be had, or is seen whole. Where there is nothing to do there is nothing to lock either,
 * and one look is enough, whatever the number of instances.
 */
#include "instance/recover.h"

#include "base/audit.h"
#include "instance/lock.h"
#include "virt/domain-xml.h"

#include <stdarg.h>
#include <stdio.h>

/* Instances, orphaned maps, keys: what was noted of them. Of a key, only one whose owner has no volumes is
 * locked by its owner here. */
static int lock_noted(struct recovery *r, const struct model *before, struct error *e)
{
    char object[sizeof r->done->object], uuid[UUID_TEXT];
    int result = recovery_lock_suspended(r, e);
    for (size_t i = 0; result == 0 && i < before->n_instances; i++) {
        snprintf(object, sizeof object, "instance %s (%s)", before->instances[i].name,
                 before->instances[i].uuid);
        result = recovery_lock(r, before->instances[i].uuid, object, e);
    }
    for (size_t i = 0; result == 0 && i < before->inventory->n_maps; i++) {
        const struct map *map = &before->inventory->maps[i];
        snprintf(object, sizeof object, "map %s", map->name);
        const struct instance *known = NULL;
        if (map_instance(map, uuid) && model_find(before, uuid, &known, NULL) < 0)
            result = recovery_lock(r, uuid, object, e);
    }
    for (size_t i = 0; result == 0 && i < r->keys->n_keys; i++) {
        const struct key_entry *k = &r->keys->keys[i];
        const struct instance *known = NULL;
        snprintf(object, sizeof object, "key %.120s", k->ref);
        if (k->listed && k->state != KEY_IMAGE && model_find(before, k->info.owner, &known, NULL) < 0)
            result = recovery_lock(r, k->info.owner, object, e);
    }
    return result;
}

/* Without libvirt where that does not answer: storage is looked at anyway. */
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

/* Gives the lock back at once, so that others wait only until this one is in order. */
static void let_go(struct recovery *r, const struct instance *i)
{
    broker_unlock(r->context.broker, i->uuid);
    for (size_t n = 0; n < r->n_held; n++)
        if (streq(r->held[n], i->uuid))
            memmove(r->held[n], r->held[--r->n_held], UUID_TEXT);
    if (!r->dry_run)
        model_close_after_guest(&r->context, r->model, i);
}

/* All that is to be done with what r->model has, and may be taken up. */
static int work(struct recovery *r, struct error *e)
{
    int result = recovery_resume(r, e);
    for (size_t i = 0; result == 0 && i < r->model->n_instances; i++) {
        const struct instance *one = &r->model->instances[i];
        if (!recovery_takes(r, one->uuid))
            continue;
        result = recovery_instance(r, one, e);
        if (!r->noting && !recovery_has_unnamed_key(r, one->uuid))
            let_go(r, one);
    }
    if (result == 0)
        result = recovery_orphan_maps(r, e);
    return result < 0 ? result : recovery_destroy_keys(r, e);
}

/* Does the same work as a dry run over the first look, and keeps only the uuids. */
static int note(struct recovery *r, struct error *e)
{
    bool dry_run = r->dry_run;
    r->noting = r->dry_run = true;
    int result = work(r, e);
    r->noting = false;
    r->dry_run = dry_run;
    return result;
}

static int lock_and_look_again(struct recovery *r, struct error *e)
{
    _cleanup_model_ struct model *before = TAKE_PTR(r->model);
    int result = lock_noted(r, before, e);
    return result < 0 ? result : look(r, &r->model, e);
}

static bool has_trials(const struct model *m)
{
    for (size_t i = 0; i < m->n_domains; i++)
        if (str_starts(m->domains[i].name, TRIAL_NAME))
            return true;
    return false;
}

/* Nobody needs them, not even the launch that may be trying one out just now: so there is no lock. */
static int remove_trials(struct recovery *r, struct error *e)
{
    struct error why = ERROR_NONE;
    size_t n = 0;
    int result = has_trials(r->model) ? virt_remove_trials(r->context.virt, r->dry_run, &n, &why) : 0;
    if (result == 0 && n == 0)
        return 0;
    return recovery_settle(r, RECOVER_REMOVED, "definitions " TRIAL_NAME "*",
                           "a launch was cut off while libvirt judged its definition: removed", result, &why,
                           e);
}

static int put_in_order(struct recovery *r, struct error *e)
{
    int result = look(r, &r->model, e);
    if (result == 0)
        result = remove_trials(r, e);
    if (result == 0)
        result = recovery_list_keys(r, r->model->inventory, e);
    if (result == 0)
        result = note(r, e);
    if (result == 0 && r->n_noted)
        result = lock_and_look_again(r, e);
    if (result == 0 && !r->context.virt)
        result = recovery_remains(
            r, "libvirt", -ECONNREFUSED, e,
            "cannot be reached: no domain could be looked at; see systemctl status libvirtd");
    return result == 0 && r->n_held ? work(r, e) : result;
}

static const char *way_out(int reason)
{
    switch (reason) {
    case -EHOSTUNREACH:
        return ": the key manager cannot be reached; try again later";
    case -EACCES:
        return ": their keys are not this caller's; run mayfly recover with the credentials that they were "
               "made with";
    default:
        return "";
    }
}

/* Nothing is looked at then. But an open map of ours shows that a group was configured before. */
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
        "recover: cannot look at anything: no volume group may be used, and yet map %s is open (%zu of "
        "Mayfly's in all); set images_volume_group in mayfly.conf",
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
    free(r.noted);
    free(r.held);
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
        return error_set(e, r.reason, "recover: %zu of %zu things could not be put in order%s", r.n_remains,
                         r.n_done, way_out(r.reason));
    return 0;
}
