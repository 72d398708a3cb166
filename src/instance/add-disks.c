/* SPDX-License-Identifier: Apache-2.0 */
/* mayfly add-disks: disks for a domain that others have defined, and that stays theirs: it has no mark of
 * ours, and so is never ended or undefined.
 *
 *     lock | key, volumes, open, fill | close | definition | others ready | LEAD READY
 *
 * All is closed before the definition names it. So if somebody starts the domain meanwhile, the hook finds
 * the disks missing, waits a little for our lock, and opens them if they are ready by then; else it refuses
 * the start, and nothing was changed.
 */
#include "instance/drift.h"
#include "instance/launch.h"

/* Found, locked, and seen again under the lock. */
static int take_domain(struct launch *l, struct error *e)
{
    const struct context *c = l->context;
    const char *name = l->request->name;
    char uuid[UUID_TEXT];
    struct domain d;
    int r = uuid_read(name, uuid) ? virt_find_uuid(c->virt, uuid, &d, NULL) : -ENOENT;
    if (r == -ENOENT) /* also a name that looks like a uuid */
        r = virt_find_name(c->virt, name, &d, e);
    else if (r < 0)
        r = virt_find_uuid(c->virt, uuid, &d, e);
    if (r == 0)
        r = model_load_domains(c, &l->model, e);
    if (r == 0)
        r = model_lock_uuid(c, d.uuid, e);
    if (r == 0)
        r = model_note_locked(l->model, c, d.uuid, e);
    if (r == 0)
        r = model_load_volumes(c, l->model, e);
    if (r == 0)
        r = model_ask_domain(c, l->model, d.uuid, e);
    if (r < 0)
        return r;
    l->domain = model_domain_of(l->model, d.uuid);
    return l->domain ? 0 : error_set(e, -ENOENT, "domain %s: it has been undefined meanwhile", name);
}

/* A guest that goes on from its saved memory would not have the new disks. */
static int check_not_saved(const struct launch *l, struct error *e)
{
    static const struct drift_need needs = {.cannot = "cannot be given disks", .refused = DRIFT(SAVED)};
    struct instance i = {.domain_known = true};
    memcpy(i.uuid, l->domain->uuid, sizeof i.uuid);
    memcpy(i.name, l->domain->name, sizeof l->domain->name);
    return drift_check(l->context, l->model, &i, &needs, e);
}

static int check_domain(const struct launch *l, struct error *e)
{
    const struct domain *d = l->domain;
    const struct instance *known = NULL;
    if (model_find(l->model, d->uuid, &known, NULL) == 0)
        return error_set(
            e, -EEXIST,
            "domain %s: it has disks of Mayfly's already; add more by mayfly add-disk, see mayfly "
            "show %s",
            d->name, d->name);
    if (d->ours || model_damaged(l->model, d->uuid))
        return error_set(e, -EUNSAFE,
                         "domain %s: it is an instance of Mayfly's whose disks are not to be seen, or have "
                         "damaged tags; see vgs and mayfly list",
                         d->name);
    if (d->active)
        return error_set(e, -EBUSY, "domain %s: it runs; shut it down first (virsh shutdown %s)", d->name,
                         d->name);
    return check_not_saved(l, e);
}

static int check(struct launch *l, struct error *e)
{
    int r = launch_check_disks(l, e);
    if (r == 0)
        r = context_check_virt(l->context, e);
    if (r == 0)
        r = take_domain(l, e);
    if (r == 0)
        r = check_domain(l, e);
    if (r == 0)
        r = launch_check_keys(l, e);
    return r < 0 ? r : launch_check_room(l, e);
}

static int make_plan(struct launch *l, struct steps **ret, struct error *e)
{
    _cleanup_steps_ struct steps *s = NULL;
    int r = steps_new(&s, e);
    if (r == 0)
        r = launch_add_to_domain(s, l, e);
    if (r < 0)
        return r;
    *ret = TAKE_PTR(s);
    return 0;
}

int instance_add_disks(const struct context *c, const struct launch_request *request, struct launched **ret,
                       struct steps **ret_plan, struct error *e)
{
    struct launch launch = {.context = c, .request = request, .verb = "add-disks"};
    _cleanup_(launch_freep) struct launch *l = &launch;
    _cleanup_steps_ struct steps *plan = NULL;
    _cleanup_free_ struct launched *launched = NULL;

    int r = check(l, e);
    if (r == 0)
        r = launch_design(l, e);
    if (r == 0)
        r = make_plan(l, &plan, e);
    if (r == 0)
        r = launch_tell(l, &launched, e);
    if (r == 0)
        r = launch_run(l, plan, e);
    if (r < 0)
        return r;
    if (!request->dry_run)
        launch_let_domain_go(l);
    *ret = TAKE_PTR(launched);
    if (ret_plan)
        *ret_plan = TAKE_PTR(plan);
    return 0;
}
