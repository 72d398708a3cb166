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
static int lock_uuid(struct addition *a, const char *uuid, struct error *e)
{
    const struct context *c = a->new.context;
    int r = model_load_domains(c, &a->model, e);
    if (r == 0)
        r = model_lock_uuid(c, uuid, e);
    if (r == 0)
        r = model_own_lock(a->model, c, uuid, e);
    if (r == 0)
        r = model_load_volumes(c, a->model, e);
    if (r == 0)
        r = model_ask_domain(c, a->model, uuid, e);
    if (r == 0)
        a->domain = model_domain_of(a->model, uuid);
    if (r == 0)
        a->new.before = a->model->inventory;
    return r;
}

/* Takes the uuid of the request, and its name. Names are for people: without one the uuid is the name. */
static int take_uuid(struct addition *a, struct error *e)
{
    const struct add_disks_request *q = a->request;
    if (!uuid_valid(q->uuid))
        return error_set(e, -EINVAL, "'%s' is not a uuid; give the uuid of the domain, in lower case",
                         q->uuid);
    if (q->name && !volume_instance_name_valid(q->name))
        return error_set(e, -EINVAL, "instance %s: invalid name; use letters, digits, '_', '.', '-' and '+'",
                         q->name);
    a->apart = true;
    memcpy(a->absent.uuid, q->uuid, sizeof a->absent.uuid);
    snprintf(a->absent.name, sizeof a->absent.name, "%s", q->name ? q->name : q->uuid);
    int r = lock_uuid(a, q->uuid, e);
    if (r == 0 && !a->domain)
        a->domain = &a->absent;
    return r;
}

/* Finds the domain, locks it, and looks again under the lock. */
static int take_domain(struct addition *a, struct error *e)
{
    const struct context *c = a->new.context;
    const char *name = a->request->name;
    char uuid[UUID_TEXT];
    struct domain d;
    int r = uuid_read(name, uuid) ? virt_find_uuid(c->virt, uuid, &d, NULL) : -ENOENT;
    if (r == -ENOENT) /* also if a name looks like a uuid */
        r = virt_find_name(c->virt, name, &d, e);
    else if (r < 0)
        r = virt_find_uuid(c->virt, uuid, &d, e);
    if (r == 0)
        r = lock_uuid(a, d.uuid, e);
    if (r < 0)
        return r;
    return a->domain ? 0 : error_set(e, -ENOENT, "domain %s: it has been undefined meanwhile", name);
}

/* Refuses a domain with a managed save: a guest resumed from it would not have the new disks. */
static int check_not_saved(const struct addition *a, struct error *e)
{
    static const struct drift_need needs = {.cannot = "cannot be given disks", .refused = DRIFT(SAVED)};
    struct instance i = {.domain_known = true};
    memcpy(i.uuid, a->domain->uuid, sizeof i.uuid);
    memcpy(i.name, a->domain->name, sizeof a->domain->name);
    return drift_check(a->new.context, a->model, &i, &needs, e);
}

/* True if the request asks for this disk, which may have grown since it was made. */
static bool is_same(const struct addition *a, const struct instance *i, const char *role, const char *alias,
                    const char *fs, uint64_t bytes)
{
    const struct add_disks_request *q = a->request;
    const struct volume *v = instance_disk(i, role);
    return v && v->size_bytes >= bytes && streq(v->fs, fs) && streq(v->alias, alias) &&
           (!q->disks.volume_group || streq(v->vg, q->disks.volume_group)) &&
           (!q->key || (key_ref_same(v->key, q->key) &&
                        v->scope == (q->keep_key ? KEY_SCOPE_CALLER : KEY_SCOPE_INSTANCE)));
}

/* True if the instance has all disks that were asked for, and no others. */
static bool has_them(const struct addition *a, const struct instance *i)
{
    const struct wanted_disks *w = &a->request->disks;
    bool same = i->n_volumes == new_disks_each(&a->new);
    if (same && w->root_bytes)
        same = is_same(a, i, "root", w->root_alias, "", w->root_bytes);
    for (size_t n = 0; same && n < w->n_ephemeral; n++) {
        char role[ROLE_MAX];
        snprintf(role, sizeof role, "eph%u", (unsigned)n % 100);
        same = is_same(a, i, role, w->ephemeral[n].alias, w->ephemeral[n].fs, w->ephemeral[n].size_bytes);
    }
    if (same && w->swap_bytes)
        same = is_same(a, i, "swap", w->swap_alias, "swap", w->swap_bytes);
    return same;
}

static int check_domain(const struct addition *a, bool *ret_done, struct error *e)
{
    const struct domain *d = a->domain;
    const struct instance *known = NULL;
    if (model_find(a->model, d->uuid, &known, NULL) == 0 && has_them(a, known)) {
        *ret_done = true;
        return model_check_ready(a->model, known, e);
    }
    if (known)
        return error_set(e, -EEXIST,
                         "domain %s: it has other Mayfly disks already; add more by mayfly add-disk; "
                         "see mayfly show %s",
                         d->name, d->name);
    if (d->ours || model_damaged(a->model, d->uuid))
        return error_set(e, -EUNSAFE,
                         "domain %s: it is a Mayfly instance, but its disks cannot be found, or have "
                         "damaged tags; see vgs and mayfly list",
                         d->name);
    if (d->active)
        return error_set(e, -EBUSY, "domain %s: it runs; shut it down first (virsh shutdown %s)", d->name,
                         d->name);
    return check_not_saved(a, e);
}

/* Opens the manager of the new key, or of the given one. */
static int check_keys(struct addition *a, struct error *e)
{
    const struct config *c = a->new.context->config;
    if (!c->encryption_enabled)
        return 0;
    int r = a->request->key ? given_key_manager(a, e)
                            : context_keymgr(a->new.context, c->key_backend, &a->new.km, e);
    if (r < 0)
        return r;
    if (!a->new.km->durable)
        return error_set(e, -EINVAL,
                         "domain %s: key manager %s keeps a key only while the disks are open, but the new "
                         "disks stay closed until the domain starts; set another backend",
                         a->domain->name, a->new.km->ops->name);
    return a->request->key ? given_key_check(a, e) : 0;
}

/* Refuses a key that no disk would have. */
static int check_key_is_used(const struct addition *a, struct error *e)
{
    if (!a->request->key || a->new.context->config->encryption_enabled)
        return 0;
    return error_set(e, -EINVAL,
                     "key %s: is not used, since encryption is off; set enabled in "
                     "[ephemeral_storage_encryption]",
                     a->request->key);
}

static int check_request(struct addition *a, bool *ret_done, struct error *e)
{
    int r = new_disks_check(&a->new, e);
    if (r == 0)
        r = check_key_is_used(a, e);
    if (r == 0)
        r = context_check_virt(a->new.context, e);
    if (r == 0)
        r = a->request->uuid ? take_uuid(a, e) : take_domain(a, e);
    if (r == 0)
        r = check_domain(a, ret_done, e);
    if (r < 0 || *ret_done)
        return r;
    r = check_keys(a, e);
    return r < 0 ? r : new_disks_check_room(&a->new, 1, e);
}

static int design(struct addition *a, struct error *e)
{
    const struct add_disks_request *q = a->request;
    const struct domain *d = a->domain;
    struct new_disks *n = &a->new;
    int r = new_disks_allocate_one(n, new_disks_each(n), d->name[0] ? d->name : d->uuid, d->uuid, e);
    if (r < 0)
        return r;
    struct new_key *key = NULL;
    if (n->km)
        key = new_disks_add_key(n, d->uuid, n->group->name,
                                q->keep_key ? KEY_SCOPE_CALLER : KEY_SCOPE_INSTANCE);
    recipient_add_disks(n->recipients, key);
    recipient_note_commits(n->recipients);
    new_disks_add_chunk(n, q->key ? 0 : n->n_keys);
    return 0;
}

static int make_plan(struct addition *a, struct steps **ret, struct error *e)
{
    _cleanup_steps_ struct steps *s = NULL;
    int r = steps_new(&s, e);
    if (r == 0 && a->request->key)
        r = steps_add(s, given_key_fetch, NULL, a, e, "fetch the key %s", a->request->key);
    if (r == 0)
        r = addition_add_steps(s, a, e);
    if (r < 0)
        return r;
    *ret = TAKE_PTR(s);
    return 0;
}

static int make(struct addition *a, struct steps **ret_plan, struct error *e)
{
    int r = design(a, e);
    if (r == 0)
        r = make_plan(a, ret_plan, e);
    if (r == 0)
        r = new_disks_run(&a->new, *ret_plan, e);
    if (r == 0 && !a->request->dry_run)
        addition_let_go(a);
    return r;
}

int instance_add_disks(const struct context *c, const struct add_disks_request *request,
                       struct launched **ret, bool *ret_changed, struct steps **ret_plan, struct error *e)
{
    struct addition addition = {.new = {.context = c,
                                        .verb = "add-disks",
                                        .name = request->name ? request->name : request->uuid,
                                        .wanted = &request->disks,
                                        .closes = true,
                                        .dry_run = request->dry_run},
                                .request = request};
    _cleanup_(addition_freep) struct addition *a = &addition;
    _cleanup_steps_ struct steps *plan = NULL;
    bool done = false;

    _cleanup_free_ struct launched *one = calloc(1, sizeof *one); /* allocated before anything is made */
    if (!one)
        return error_memory(e);
    int r = check_request(a, &done, e);
    if (r == 0)
        r = done ? steps_new(&plan, e) : make(a, &plan, e);
    if (r < 0)
        return r;
    snprintf(one->name, sizeof one->name, "%s", a->domain->name[0] ? a->domain->name : a->domain->uuid);
    memcpy(one->uuid, a->domain->uuid, sizeof one->uuid);
    *ret = TAKE_PTR(one);
    *ret_changed = !done;
    steps_hand_over(&plan, ret_plan);
    return 0;
}
