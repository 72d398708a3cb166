/* SPDX-License-Identifier: Apache-2.0 */
/* mayfly add-disk: one more ephemeral disk, or a seed disk for a domain that others define. Its key is
 * derived from the instance's secret.
 *
 *     lock | fetch the key | volume, open, format | definition, and guest if it runs | READY
 *                                                                                     commit point
 *
 * The first disk of the instance stays ready, so before the commit point recover removes only the new disk.
 */
#include "instance/addition.h"
#include "instance/drift.h"
#include "instance/keys.h"
#include "instance/lock.h"

#include <stdio.h>

struct one_more {
    struct addition to;
    const struct add_disk_request *request;
    struct wanted_disks wanted; /* that disk alone */
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
static int check_seed(const struct one_more *m, struct error *e)
{
    static const struct drift_need needs_of_seed = {.cannot = "cannot be given a seed disk",
                                                    .refused = DRIFT(SAVED)};
    if (m->to.domain && m->to.domain->ours)
        return error_set(e, -EINVAL,
                         "instance %s: its domain was defined by Mayfly, which makes a seed disk with the "
                         "instance: see launch --user-data",
                         m->instance->name);
    if (has_role(m->instance, ROLE_SEED))
        return error_set(e, -EEXIST, "instance %s: has a seed disk already", m->instance->name);
    return drift_check(m->to.new.context, m->to.model, m->instance, &needs_of_seed, e);
}

static int check_instance(const struct one_more *m, struct error *e)
{
    int r = model_check_not_in_rescue(m->instance, e);
    if (r < 0)
        return r;
    return m->request->seed_image ? check_seed(m, e)
                                  : drift_check(m->to.new.context, m->to.model, m->instance, &needs, e);
}

/* Decides whether the new disk is encrypted: as the instance is, not as today's configuration says. */
static int check_key(struct one_more *m, struct error *e)
{
    const struct context *c = m->to.new.context;
    char manager[KEY_ID_MAX], id[KEY_ID_MAX];
    bool durable = false;
    if (!volume_encrypted(m->lead) && c->config->encryption_enabled)
        return error_set(e, -EUNSAFE,
                         "instance %s: its disks are plain, so there is no key for another disk, which must "
                         "be encrypted: enabled is true in [ephemeral_storage_encryption]",
                         m->instance->name);
    if (!volume_encrypted(m->lead))
        return 0;
    int r = key_durable(c, m->lead, &durable, e);
    if (r == 0 && !durable)
        r = error_set(e, -EINVAL,
                      "instance %s: its key is ephemeral, and was forgotten when its disks were opened, so "
                      "no other key can be derived from it",
                      m->instance->name);
    if (r == 0)
        r = key_ref_parse(m->lead->key, manager, id, e);
    return r < 0 ? r : context_keymgr(c, manager, &m->to.new.km, e);
}

/* Checks that one disk is wanted, and notes it. */
static int check_request(struct one_more *m, struct error *e)
{
    const struct wanted_ephemeral *ephemeral = &m->request->ephemeral;
    m->to.new.seed = m->request->seed_image;
    m->to.new.wanted = &m->wanted;
    if ((ephemeral->size_bytes > 0) == (m->request->seed_image != NULL))
        return error_set(e, -EINVAL, "add-disk: needs either --ephemeral SIZE or --seed-image FILE");
    if (ephemeral->size_bytes)
        m->wanted.ephemeral[m->wanted.n_ephemeral++] = *ephemeral;
    return new_disks_check(&m->to.new, e);
}

static int check(struct one_more *m, struct error *e)
{
    int r = check_request(m, e);
    if (r == 0)
        r = model_lock_ready(m->to.new.context, m->request->name, &m->to.model, &m->instance, e);
    if (r < 0)
        return r;
    m->to.new.before = m->to.model->inventory;
    m->lead = m->instance->volumes[0];
    m->wanted.volume_group = m->lead->vg; /* so that no disk of an instance is ever seen alone */
    m->to.domain = model_domain_of(m->to.model, m->instance->uuid);
    m->to.apart = m->request->seed_image != NULL;
    m->to.live = !m->to.apart && m->instance->state == INSTANCE_RUNNING;
    m->to.new.closes = !m->to.live;
    m->to.new.engine = m->lead->engine;
    r = check_instance(m, e);
    if (r == 0)
        r = check_key(m, e);
    return r < 0 ? r : new_disks_check_room(&m->to.new, 1, e);
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

/* Takes the key of the first disk. */
static struct new_key *take_key(struct one_more *m)
{
    struct new_key *k = &m->to.new.keys[m->to.new.n_keys++];
    char manager[KEY_ID_MAX];
    k->want.scope = m->lead->scope;
    (void)!key_ref_parse(m->lead->key, manager, k->id, NULL); /* check_key() has parsed it */
    return k;
}

static int choose_role(const struct one_more *m, unsigned *ret_number, struct error *e)
{
    const char *alias = m->request->ephemeral.alias;
    if (m->request->seed_image)
        return 0;
    int r = choose_number(m->instance, ret_number, e);
    if (r == 0 && *alias && instance_disk(m->instance, alias))
        r = error_set(e, -EEXIST, "instance %s: has a disk %s already; use another name", m->instance->name,
                      alias);
    return r;
}

/* Designs the disk, with the key of the first disk and its parameters. */
static int design_disk(struct one_more *m, struct error *e)
{
    struct new_disks *n = &m->to.new;
    unsigned number = 0;
    int r = choose_role(m, &number, e);
    if (r == 0)
        r = new_disks_allocate_one(n, 1, m->instance->name, m->instance->uuid, e);
    if (r < 0)
        return r;
    struct new_key *key = n->km ? take_key(m) : NULL;
    struct new_disk *d = n->seed
                             ? recipient_add_seed(n->recipients, key)
                             : recipient_add_ephemeral(n->recipients, key, number, &m->request->ephemeral);
    if (key) {
        d->v.key_bits = m->lead->key_bits;
        memcpy(d->v.cipher, m->lead->cipher, sizeof d->v.cipher);
    }
    n->others[n->n_others++] = &d->v;
    new_disks_add_chunk(n, 0);
    return 0;
}

static int fetch_key(const struct context *c, void *object, struct error *e)
{
    struct one_more *m = object;
    return key_fetch(c, m->lead, &m->to.new.keys->secret, e);
}

static int make_plan(struct one_more *m, struct steps **ret, struct error *e)
{
    _cleanup_steps_ struct steps *s = NULL;
    int r = steps_new(&s, e);
    if (r == 0 && m->to.new.km)
        r = steps_add(s, fetch_key, NULL, m, e, "fetch the key of %s", m->instance->name);
    if (r == 0)
        r = addition_add_steps(s, &m->to, e);
    if (r < 0)
        return r;
    *ret = TAKE_PTR(s);
    return 0;
}

int instance_add_disk(const struct context *c, const struct add_disk_request *request, struct volume *ret,
                      struct steps **ret_plan, struct error *e)
{
    struct one_more m = {
        .to.new = {.context = c, .verb = "add-disk", .name = request->name, .dry_run = request->dry_run},
        .request = request};
    _cleanup_(addition_freep) struct addition *to = &m.to;
    _cleanup_steps_ struct steps *plan = NULL;

    int r = check(&m, e);
    if (r == 0)
        r = design_disk(&m, e);
    if (r == 0)
        r = make_plan(&m, &plan, e);
    if (r == 0)
        r = new_disks_run(&to->new, plan, e);
    if (r < 0)
        return r;
    if (!request->dry_run)
        addition_let_go(to);
    *ret = to->new.disks[0].v;
    steps_hand_over(&plan, ret_plan);
    return 0;
}
