/* SPDX-License-Identifier: Apache-2.0 */
/* mayfly add-disks: disks for a domain that others have defined. The domain stays theirs: it does not get
 * our mark, so it is never ended or undefined.
 *
 *     lock | key, volumes, open, fill | close | definition | others ready | FIRST DISK READY
 *
 * The disks are closed before the definition names them. So if somebody starts the domain meanwhile, the hook
 * finds the disks closed, and waits a little for our lock. If the disks are ready by then, it opens them;
 * else it refuses the start.
 *
 * A program may define the domain later (request->uuid). Then no definition is changed, and the instance has
 * no domain until one of its uuid is defined. A repeated request gets the same answer: existing disks are
 * compared with the requested ones.
 */
#include "instance/drift.h"
#include "instance/given-key.h"
#include "instance/lock.h"

#include <stdio.h>

/* Locks the uuid, and looks under the lock; `domain` is NULL if there is none. */
static int lock_uuid(struct launch *l, const char *uuid, struct error *e)
{
    const struct context *c = l->context;
    int r = model_load_domains(c, &l->model, e);
    if (r == 0)
        r = model_lock_uuid(c, uuid, e);
    if (r == 0)
        r = model_own_lock(l->model, c, uuid, e);
    if (r == 0)
        r = model_load_volumes(c, l->model, e);
    if (r == 0)
        r = model_ask_domain(c, l->model, uuid, e);
    if (r == 0)
        l->domain = model_domain_of(l->model, uuid);
    return r;
}

/* Takes the uuid of the request, and its name. Names are for people: without one the uuid is the name. */
static int take_uuid(struct launch *l, struct error *e)
{
    const struct launch_request *q = l->request;
    if (!uuid_valid(q->uuid))
        return error_set(e, -EINVAL, "'%s' is not a uuid; give the uuid of the domain, in lower case",
                         q->uuid);
    if (q->name && !volume_instance_name_valid(q->name))
        return error_set(e, -EINVAL, "instance %s: invalid name; use letters, digits, '_', '.', '-' and '+'",
                         q->name);
    l->apart = true;
    memcpy(l->absent.uuid, q->uuid, sizeof l->absent.uuid);
    snprintf(l->absent.name, sizeof l->absent.name, "%s", q->name ? q->name : q->uuid);
    int r = lock_uuid(l, q->uuid, e);
    if (r == 0 && !l->domain)
        l->domain = &l->absent;
    return r;
}

/* Finds the domain, locks it, and looks again under the lock. */
static int take_domain(struct launch *l, struct error *e)
{
    const struct context *c = l->context;
    const char *name = l->request->name;
    char uuid[UUID_TEXT];
    struct domain d;
    int r = uuid_read(name, uuid) ? virt_find_uuid(c->virt, uuid, &d, NULL) : -ENOENT;
    if (r == -ENOENT) /* also if a name looks like a uuid */
        r = virt_find_name(c->virt, name, &d, e);
    else if (r < 0)
        r = virt_find_uuid(c->virt, uuid, &d, e);
    if (r == 0)
        r = lock_uuid(l, d.uuid, e);
    if (r < 0)
        return r;
    return l->domain ? 0 : error_set(e, -ENOENT, "domain %s: it has been undefined meanwhile", name);
}

/* Refuses a domain with a managed save: a guest resumed from it would not have the new disks. */
static int check_not_saved(const struct launch *l, struct error *e)
{
    static const struct drift_need needs = {.cannot = "cannot be given disks", .refused = DRIFT(SAVED)};
    struct instance i = {.domain_known = true};
    memcpy(i.uuid, l->domain->uuid, sizeof i.uuid);
    memcpy(i.name, l->domain->name, sizeof l->domain->name);
    return drift_check(l->context, l->model, &i, &needs, e);
}

/* True if this disk was asked for. It may have grown since. */
static bool is_same(const struct launch *l, const struct instance *i, const char *role, const char *alias,
                    const char *fs, uint64_t bytes)
{
    const struct launch_request *q = l->request;
    const struct volume *v = instance_disk(i, role);
    return v && v->size_bytes >= bytes && streq(v->fs, fs) && streq(v->alias, alias) &&
           (!q->volume_group || streq(v->vg, q->volume_group)) &&
           (!q->key || (key_ref_same(v->key, q->key) &&
                        v->scope == (q->keep_key ? KEY_SCOPE_CALLER : KEY_SCOPE_INSTANCE)));
}

/* True if the instance has all disks that were asked for, and no others. */
static bool has_them(const struct launch *l, const struct instance *i)
{
    const struct launch_request *q = l->request;
    bool same = i->n_volumes == launch_disks_each(q);
    if (same && q->root_bytes)
        same = is_same(l, i, "root", q->root_alias, "", q->root_bytes);
    for (size_t n = 0; same && n < q->n_ephemeral; n++) {
        char role[ROLE_MAX];
        snprintf(role, sizeof role, "eph%u", (unsigned)n % 100);
        same = is_same(l, i, role, q->ephemeral[n].alias, q->ephemeral[n].fs, q->ephemeral[n].size_bytes);
    }
    if (same && q->swap_bytes)
        same = is_same(l, i, "swap", q->swap_alias, "swap", q->swap_bytes);
    return same;
}

static int check_domain(const struct launch *l, bool *ret_done, struct error *e)
{
    const struct domain *d = l->domain;
    const struct instance *known = NULL;
    if (model_find(l->model, d->uuid, &known, NULL) == 0 && has_them(l, known)) {
        *ret_done = true;
        return model_check_ready(l->model, known, e);
    }
    if (known)
        return error_set(e, -EEXIST,
                         "domain %s: it has other Mayfly disks already; add more by mayfly add-disk; "
                         "see mayfly show %s",
                         d->name, d->name);
    if (d->ours || model_damaged(l->model, d->uuid))
        return error_set(e, -EUNSAFE,
                         "domain %s: it is a Mayfly instance, but its disks cannot be found, or have "
                         "damaged tags; see vgs and mayfly list",
                         d->name);
    if (d->active)
        return error_set(e, -EBUSY, "domain %s: it runs; shut it down first (virsh shutdown %s)", d->name,
                         d->name);
    return check_not_saved(l, e);
}

static int check_request(struct launch *l, bool *ret_done, struct error *e)
{
    int r = launch_check_disks(l, e);
    if (r == 0)
        r = context_check_virt(l->context, e);
    if (r == 0)
        r = l->request->uuid ? take_uuid(l, e) : take_domain(l, e);
    if (r == 0)
        r = check_domain(l, ret_done, e);
    if (r < 0 || *ret_done)
        return r;
    r = launch_check_keys(l, e);
    if (r == 0 && l->request->key)
        r = given_key_check(l, e);
    return r < 0 ? r : launch_check_room(l, e);
}

static int make_plan(struct launch *l, struct steps **ret, struct error *e)
{
    _cleanup_steps_ struct steps *s = NULL;
    int r = steps_new(&s, e);
    if (r == 0 && l->request->key)
        r = steps_add(s, given_key_fetch, NULL, l, e, "fetch the key %s", l->request->key);
    if (r == 0)
        r = launch_add_to_domain(s, l, e);
    if (r < 0)
        return r;
    *ret = TAKE_PTR(s);
    return 0;
}

static int make(struct launch *l, struct steps **ret_plan, struct error *e)
{
    int r = launch_design(l, e);
    if (r == 0)
        r = make_plan(l, ret_plan, e);
    if (r == 0)
        r = launch_run(l, *ret_plan, e);
    if (r == 0 && !l->request->dry_run)
        launch_let_domain_go(l);
    return r;
}

int instance_add_disks(const struct context *c, const struct launch_request *request, struct launched **ret,
                       bool *ret_changed, struct steps **ret_plan, struct error *e)
{
    struct launch launch = {.context = c, .request = request, .verb = "add-disks", .closes = true};
    _cleanup_(launch_freep) struct launch *l = &launch;
    _cleanup_steps_ struct steps *plan = NULL;
    bool done = false;

    _cleanup_free_ struct launched *one = calloc(1, sizeof *one); /* allocated before anything is made */
    if (!one)
        return error_memory(e);
    int r = check_request(l, &done, e);
    if (r == 0)
        r = done ? steps_new(&plan, e) : make(l, &plan, e);
    if (r < 0)
        return r;
    snprintf(one->name, sizeof one->name, "%s", l->domain->name[0] ? l->domain->name : l->domain->uuid);
    memcpy(one->uuid, l->domain->uuid, sizeof one->uuid);
    *ret = TAKE_PTR(one);
    *ret_changed = !done;
    if (ret_plan)
        *ret_plan = TAKE_PTR(plan);
    return 0;
}
