/* SPDX-License-Identifier: Apache-2.0 */
/* mayfly add-disk: one more ephemeral disk, or a seed disk for a domain that others define. Its key is
 * derived from the instance's secret. The steps of a launch make the disk.
 *
 *     lock | fetch the key | volume, open, format | definition, and guest if it runs | READY
 *                                                                                     commit point
 *
 * The first disk of the instance stays ready, so before the commit point recover removes only the new disk.
 */
#include "instance/drift.h"
#include "instance/keys.h"
#include "instance/launch.h"
#include "instance/lock.h"

#include <stdio.h>

struct addition {
    struct launch launch;
    struct launch_request request; /* the caller's, but in the group of the first disk */
    const struct instance *instance;
    const struct volume *lead;
};

/* The definition gets the disk, and so does a running guest. */
static const struct drift_need needs = {
    .cannot = "cannot be given another disk",
    .refused = DRIFT(UNDEFINED) | DRIFT(TRANSIENT) | DRIFT(SAVED) | DRIFT(HALTED) | DRIFT(ENDING),
};

static bool has_role(const struct instance *i, const char *role)
{
    for (size_t n = 0; n < i->n_volumes; n++)
        if (streq(i->volumes[n]->role, role))
            return true;
    return false;
}

/* Checks that a seed disk can be added. Another program defines the domain, and adds the seed disk to it. */
static int check_seed(const struct addition *a, struct error *e)
{
    static const struct drift_need needs_of_seed = {.cannot = "cannot be given a seed disk",
                                                    .refused = DRIFT(SAVED)};
    const struct launch *l = &a->launch;
    if (l->domain && l->domain->ours)
        return error_set(e, -EINVAL,
                         "instance %s: its domain was defined by Mayfly, which makes a seed disk with the "
                         "instance: see launch --user-data",
                         a->instance->name);
    if (has_role(a->instance, ROLE_SEED))
        return error_set(e, -EEXIST, "instance %s: has a seed disk already", a->instance->name);
    return drift_check(l->context, l->model, a->instance, &needs_of_seed, e);
}

static int check_instance(const struct addition *a, struct error *e)
{
    int r = model_check_not_in_rescue(a->instance, e);
    if (r < 0)
        return r;
    return a->request.seed_image ? check_seed(a, e)
                                 : drift_check(a->launch.context, a->launch.model, a->instance, &needs, e);
}

/* Decides whether the new disk is encrypted: as the instance is, not as today's configuration says. */
static int check_key(struct addition *a, struct error *e)
{
    const struct context *c = a->launch.context;
    char manager[KEY_ID_MAX], id[KEY_ID_MAX];
    bool durable = false;
    if (!volume_encrypted(a->lead) && c->config->encryption_enabled)
        return error_set(e, -EUNSAFE,
                         "instance %s: its disks are plain, so there is no key for another disk, which must "
                         "be encrypted: enabled is true in [ephemeral_storage_encryption]",
                         a->instance->name);
    if (!volume_encrypted(a->lead))
        return 0;
    int r = key_durable(c, a->lead, &durable, e);
    if (r == 0 && !durable)
        r = error_set(e, -EINVAL,
                      "instance %s: its key is ephemeral, and was forgotten when its disks were opened, so "
                      "no other key can be derived from it",
                      a->instance->name);
    if (r == 0)
        r = key_ref_parse(a->lead->key, manager, id, e);
    return r < 0 ? r : context_keymgr(c, manager, &a->launch.km, e);
}

static int check_addition(struct addition *a, struct error *e)
{
    struct launch *l = &a->launch;
    size_t n = l->request->n_ephemeral + (l->request->seed_image ? 1 : 0);
    int r = n == 1 ? launch_check_disks(l, e)
                   : error_set(e, -EINVAL, "add-disk: needs --ephemeral SIZE or --seed-image FILE, once");
    if (r == 0)
        r = model_lock_ready(l->context, l->request->name, &l->model, &a->instance, e);
    if (r < 0)
        return r;
    a->lead = a->instance->volumes[0];
    a->request.volume_group = a->lead->vg; /* so that no disk of an instance is ever seen alone */
    l->domain = model_domain_of(l->model, a->instance->uuid);
    l->apart = l->request->seed_image != NULL;
    l->live = !l->apart && a->instance->state == INSTANCE_RUNNING;
    l->closes = !l->live;
    r = check_instance(a, e);
    if (r == 0)
        r = check_key(a, e);
    return r < 0 ? r : launch_check_room(l, e);
}

/* Chooses the first free number whose disk sorts after the first disk. Otherwise it would become the first
 * disk, and a crash would leave an instance that looks as if it had never been launched. */
static int choose_number(const struct instance *i, unsigned *ret, struct error *e)
{
    const char *lead = i->volumes[0]->role;
    bool root = streq(lead, "root"), after = root;
    if (!root && !str_starts(lead, "eph"))
        return error_set(
            e, -EINVAL,
            "instance %s: its first disk is %s, and no disk can come before it; launch another instance",
            i->name, lead);
    for (unsigned number = 0; number < 100; number++) {
        char role[ROLE_MAX];
        snprintf(role, sizeof role, "eph%u", number);
        if (after && !has_role(i, role)) {
            *ret = number;
            return 0;
        }
        after = after || streq(role, lead);
    }
    return error_set(e, -ENOSPC, "instance %s: it has as many ephemeral disks as possible", i->name);
}

/* Takes the key of the first disk, with its parameters. */
static void take_key(struct addition *a, struct launch_key *k)
{
    char manager[KEY_ID_MAX];
    k->want.scope = a->lead->scope;
    (void)!key_ref_parse(a->lead->key, manager, k->id, NULL); /* check_key() has parsed it */
    a->launch.n_keys = 1;
}

static int choose_role(const struct addition *a, unsigned *ret_number, struct error *e)
{
    const char *alias = a->request.ephemeral[0].alias;
    if (a->request.seed_image)
        return 0;
    int r = choose_number(a->instance, ret_number, e);
    if (r == 0 && *alias && instance_disk(a->instance, alias))
        r = error_set(e, -EEXIST, "instance %s: has a disk %s already; use another name", a->instance->name,
                      alias);
    return r;
}

static int design_disk(struct addition *a, struct error *e)
{
    struct launch *l = &a->launch;
    const struct secret *seed = l->request->seed_image;
    unsigned number = 0;
    int r = choose_role(a, &number, e);
    if (r == 0)
        r = launch_allocate(l, 1, 1, e);
    if (r < 0)
        return r;
    struct launch_instance *i = l->instances;
    *i = (struct launch_instance){.launch = l, .disks = l->disks};
    memcpy(i->name, a->instance->name, sizeof i->name);
    memcpy(i->uuid, a->instance->uuid, sizeof i->uuid);
    if (l->km)
        take_key(a, l->keys);
    struct launch_key *key = l->km ? l->keys : NULL;
    struct launch_disk *d = seed ? launch_add_seed_disk(i, key, secret_size(seed))
                                 : launch_add_ephemeral(i, key, number, &l->request->ephemeral[0]);
    if (l->km) {
        d->v.key_bits = a->lead->key_bits;
        memcpy(d->v.cipher, a->lead->cipher, sizeof d->v.cipher);
    }
    l->others[l->n_others++] = &d->v;
    l->chunks[l->n_chunks++] = (struct launch_chunk){.launch = l, .instances = i, .n_instances = 1};
    return 0;
}

static int fetch_key(const struct context *c, void *addition, struct error *e)
{
    struct addition *a = addition;
    return key_fetch(c, a->lead, &a->launch.keys->secret, e);
}

static int make_plan(struct addition *a, struct steps **ret, struct error *e)
{
    _cleanup_steps_ struct steps *s = NULL;
    int r = steps_new(&s, e);
    if (r == 0 && a->launch.km)
        r = steps_add(s, fetch_key, NULL, a, e, "fetch the key of %s", a->instance->name);
    if (r == 0)
        r = launch_add_to_domain(s, &a->launch, e);
    if (r < 0)
        return r;
    *ret = TAKE_PTR(s);
    return 0;
}

int instance_add_disk(const struct context *c, const struct launch_request *request, struct volume *ret,
                      struct steps **ret_plan, struct error *e)
{
    struct addition a = {.launch = {.context = c, .verb = "add-disk"}, .request = *request};
    _cleanup_(launch_freep) struct launch *l = &a.launch;
    _cleanup_steps_ struct steps *plan = NULL;

    l->request = &a.request;
    int r = check_addition(&a, e);
    if (r == 0)
        r = design_disk(&a, e);
    if (r == 0)
        r = make_plan(&a, &plan, e);
    if (r == 0)
        r = launch_run(l, plan, e);
    if (r < 0)
        return r;
    if (!request->dry_run)
        launch_let_domain_go(l);
    *ret = l->disks[0].v;
    if (ret_plan)
        *ret_plan = TAKE_PTR(plan);
    return 0;
}
