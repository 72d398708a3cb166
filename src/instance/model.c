/* SPDX-License-Identifier: Apache-2.0 */
/* The volumes with one uuid make an instance; libvirt says whether it runs. Nothing is kept between two
 * looks.
 *
 *     broker: volumes, maps --+
 *                             +--> instances, sorted by name
 *     libvirt: domains -------+
 *
 * The first disk of an instance (root, if there is one) leads, and code calls it the lead: a launch marks it
 * ready last, a delete marks it doomed first. So its state is that of the whole instance.
 */
#include "instance/model.h"

static const char *const state_names[] = {
    [INSTANCE_REBUILDING] = "rebuilding", [INSTANCE_RUNNING] = "running",
    [INSTANCE_SHUT_OFF] = "shut off",     [INSTANCE_OPEN] = "open",
    [INSTANCE_ADOPTING] = "adopting",     [INSTANCE_BUILDING] = "building",
    [INSTANCE_DOOMED] = "doomed",         [INSTANCE_NO_DOMAIN] = "no domain",
    [INSTANCE_UNKNOWN] = "unknown",
};

const char *instance_state_name(const struct instance *i)
{
    return i->state == INSTANCE_RUNNING ? domain_state_name(i->domain_state) : state_names[i->state];
}

const struct map *model_map_of(const struct model *m, const struct volume *v)
{
    return inventory_map_of(m->inventory, v);
}

static int by_uuid(const void *a, const void *b)
{
    const struct domain *x = a, *y = b;
    return strcmp(x->uuid, y->uuid);
}

static struct domain *find_domain(const struct model *m, const char *uuid)
{
    struct domain key = {.active = false};
    return !m->n_domains || str_copy(key.uuid, sizeof key.uuid, uuid) < 0
               ? NULL
               : bsearch(&key, m->domains, m->n_domains, sizeof *m->domains, by_uuid);
}

const struct domain *model_domain_of(const struct model *m, const char *uuid)
{
    return find_domain(m, uuid);
}

bool instance_is_served(const struct instance *i)
{
    for (size_t n = 0; n < i->n_volumes; n++)
        if (volume_served(i->volumes[n]))
            return true;
    return false;
}

const struct volume *instance_disk(const struct instance *i, const char *role_or_alias)
{
    for (size_t n = 0; n < i->n_volumes; n++)
        if (streq(i->volumes[n]->role, role_or_alias) || streq(i->volumes[n]->alias, role_or_alias))
            return i->volumes[n];
    return NULL;
}

const struct volume *instance_rescue_disk(const struct instance *i)
{
    const struct volume *last = i->volumes[i->n_volumes - 1];
    return volume_is_rescue(last) ? last : NULL;
}

bool instance_in_rescue(const struct instance *i)
{
    const struct volume *disk = instance_rescue_disk(i);
    return disk && disk->state == VOLUME_READY;
}

int model_check_not_in_rescue(const struct instance *i, struct error *e)
{
    if (!instance_rescue_disk(i))
        return 0;
    return error_set(e, -EBUSY, "instance %s: it is in rescue; run mayfly unrescue %s first", i->name,
                     i->name);
}

bool model_damaged(const struct model *m, const char *uuid)
{
    for (size_t i = 0; i < m->inventory->n_damaged; i++)
        if (damaged_is_of(&m->inventory->damaged[i], uuid))
            return true;
    return false;
}

int model_check_ready(const struct model *m, const struct instance *i, struct error *e)
{
    if (model_damaged(m, i->uuid))
        return error_set(
            e, -EUNSAFE,
            "instance %s: one of its volumes has damaged tags, so it is left alone; see mayfly list",
            i->name);
    if (i->state == INSTANCE_REBUILDING)
        return error_set(e, -ENEEDSRECOVER,
                         "instance %s: its rebuild was cut off, and the data of its disks is gone; run "
                         "mayfly rebuild again, or mayfly delete",
                         i->name);
    for (size_t v = 0; v < i->n_volumes; v++)
        if (i->volumes[v]->state != VOLUME_READY)
            return error_set(
                e, -ENEEDSRECOVER,
                "instance %s: volume %s/%s is %s, since a launch, a delete or an adoption was cut off; run "
                "mayfly recover",
                i->name, i->volumes[v]->vg, i->volumes[v]->lv, volume_state_name(i->volumes[v]->state));
    return 0;
}

int model_check_no_dependents(const struct model *m, const struct volume *const volumes[], size_t n,
                              struct error *e)
{
    for (size_t i = 0; i < n; i++) {
        const struct dependent *d = inventory_dependent_of(m->inventory, volumes[i]);
        if (d)
            return error_set(e, -EUNSAFE, "volume %s/%s: is left as it is: %s", d->vg, d->lv, d->reason);
    }
    return 0;
}

bool model_is_open(const struct model *m, const struct instance *i)
{
    for (size_t v = 0; v < i->n_volumes; v++)
        if (model_map_of(m, i->volumes[v]))
            return true;
    return false;
}

static enum instance_state state_of(const struct model *m, const struct instance *i,
                                    const struct domain *domain)
{
    enum volume_state lead = i->volumes[0]->state;
    if (lead == VOLUME_BUILDING)
        return INSTANCE_BUILDING;
    if (lead == VOLUME_REBUILDING)
        return INSTANCE_REBUILDING;
    if (lead == VOLUME_ADOPTING)
        return INSTANCE_ADOPTING;
    if (lead == VOLUME_DOOMED)
        return INSTANCE_DOOMED;
    if (!i->domain_known)
        return INSTANCE_UNKNOWN;
    if (!domain)
        return INSTANCE_NO_DOMAIN;
    if (domain->active)
        return INSTANCE_RUNNING;
    return model_is_open(m, i) ? INSTANCE_OPEN : INSTANCE_SHUT_OFF;
}

/* Sets name and state, from the volumes and the domain. */
static int describe(const struct model *m, struct instance *i, struct error *e)
{
    const struct domain *domain = model_domain_of(m, i->uuid);
    int r = str_copy(i->name, sizeof i->name, domain && domain->name[0] ? domain->name : i->volumes[0]->name);
    if (r < 0)
        return error_set(e, r, "instance %s: its name is too long", i->uuid);
    i->state = state_of(m, i, domain);
    i->domain_state = domain ? domain->state : DOMAIN_NO_STATE;
    return 0;
}

/* Adds the instance of the `n` volumes at `first`, which the inventory has side by side. LVM removes a
 * snapshot with its disk: a snapshot alone means that the tags of the disk are damaged, and nothing may be
 * done. */
static int add_instance(struct model *m, const struct volume *first, size_t n, bool domain_known,
                        struct error *e)
{
    if (n == 1 && volume_is_snapshot(first))
        return 0;
    struct instance *i = &m->instances[m->n_instances];
    i->volumes = calloc(n, sizeof(struct volume *));
    if (!i->volumes)
        return error_memory(e);
    m->n_instances++;
    for (size_t v = 0; v < n; v++) {
        if (volume_is_snapshot(&first[v]))
            i->snapshot = &first[v];
        else
            i->volumes[i->n_volumes++] = &first[v];
    }
    i->domain_known = domain_known;
    memcpy(i->uuid, first->instance, sizeof i->uuid);
    return describe(m, i, e);
}

static int by_name(const void *a, const void *b)
{
    const struct instance *x = a, *y = b;
    int order = strverscmp(x->name, y->name); /* ci-2 comes before ci-10 */
    return order ? order : strcmp(x->uuid, y->uuid);
}

static int add_instances(struct model *m, bool domain_known, struct error *e)
{
    const struct volume *v = m->inventory->volumes;
    size_t left = m->inventory->n_volumes;

    m->instances = calloc(left ? left : 1, sizeof *m->instances);
    if (!m->instances)
        return error_memory(e);
    while (left) {
        size_t n = 1;
        while (n < left && streq(v[n].instance, v->instance))
            n++;
        int r = add_instance(m, v, n, domain_known, e);
        if (r < 0)
            return r;
        v += n;
        left -= n;
    }
    qsort(m->instances, m->n_instances, sizeof *m->instances, by_name);
    return 0;
}

static void sort_domains(struct model *m)
{
    if (m->n_domains)
        qsort(m->domains, m->n_domains, sizeof *m->domains, by_uuid);
}

static int list_domains(const struct context *c, struct model *m, bool metadata, struct error *e)
{
    int r = c->virt ? virt_list(c->virt, metadata, &m->domains, &m->n_domains, e) : 0;
    if (r == 0)
        sort_domains(m);
    return r;
}

static int load(const struct context *c, bool metadata, struct model **ret, struct error *e)
{
    _cleanup_model_ struct model *m = calloc(1, sizeof *m);
    if (!m)
        return error_memory(e);
    int r = broker_list(c->broker, &m->inventory, e);
    if (r == 0)
        r = list_domains(c, m, metadata, e);
    if (r == 0)
        r = add_instances(m, c->virt != NULL, e);
    if (r < 0)
        return r;
    *ret = TAKE_PTR(m);
    return 0;
}

int model_put_together(struct model *m, bool domains_known, struct error *e)
{
    sort_domains(m);
    return add_instances(m, domains_known, e);
}

int model_load_domains(const struct context *c, struct model **ret, struct error *e)
{
    _cleanup_model_ struct model *m = calloc(1, sizeof *m);
    if (!m)
        return error_memory(e);
    int r = list_domains(c, m, false, e);
    if (r == 0)
        *ret = TAKE_PTR(m);
    return r;
}

int model_load_volumes(const struct context *c, struct model *m, struct error *e)
{
    int r = broker_list(c->broker, &m->inventory, e);
    return r < 0 ? r : add_instances(m, c->virt != NULL, e);
}

int model_load(const struct context *c, struct model **ret, struct error *e)
{
    return load(c, false, ret, e);
}

int model_load_whole(const struct context *c, struct model **ret, struct error *e)
{
    return load(c, true, ret, e);
}

/* Replaces the domain of this uuid by `fresh`; NULL: removes it. */
static int replace_domain(struct model *m, const char *uuid, const struct domain *fresh, struct error *e)
{
    struct domain *known = find_domain(m, uuid);
    if (known && fresh)
        *known = *fresh;
    else if (known)
        memmove(known, known + 1, (size_t)(m->domains + --m->n_domains - known) * sizeof *known);
    else if (fresh) {
        struct domain *bigger = reallocarray(m->domains, m->n_domains + 1, sizeof *bigger);
        if (!bigger)
            return error_memory(e);
        m->domains = bigger;
        bigger[m->n_domains++] = *fresh;
        sort_domains(m);
    }
    return 0;
}

int model_ask_domain(const struct context *c, struct model *m, const char *uuid, struct error *e)
{
    struct domain fresh;
    struct error why = ERROR_NONE;
    if (!c->virt)
        return 0;
    int r = virt_find_uuid(c->virt, uuid, &fresh, &why);
    if (r < 0 && r != -ENOENT)
        return error_pass(e, r, &why);
    r = replace_domain(m, uuid, r == 0 ? &fresh : NULL, e);
    for (size_t i = 0; r == 0 && i < m->n_instances; i++)
        if (streq(m->instances[i].uuid, uuid))
            r = describe(m, &m->instances[i], e);
    return r;
}

struct model *model_free(struct model *m)
{
    if (m) {
        if (m->unlock)
            m->unlock(m);
        for (size_t i = 0; i < m->n_instances; i++)
            free(m->instances[i].volumes);
        free(m->instances);
        free(m->domains);
        inventory_free(m->inventory);
        free(m);
    }
    return NULL;
}

int model_find(const struct model *m, const char *name_or_uuid, const struct instance **ret, struct error *e)
{
    const struct instance *found = NULL;
    char uuid[UUID_TEXT] = "";
    bool maybe_uuid = uuid_read(name_or_uuid, uuid); /* or a name that looks like a uuid */
    for (size_t i = 0; i < m->n_instances; i++) {
        const struct instance *one = &m->instances[i];
        if (maybe_uuid && streq(one->uuid, uuid)) {
            *ret = one;
            return 0;
        }
        if (!streq(one->name, name_or_uuid))
            continue;
        if (found)
            return error_set(
                e, -EINVAL,
                "instance %s: several instances have this name, for example %s and %s; give the uuid",
                one->name, found->uuid, one->uuid);
        found = one;
    }
    if (!found)
        return error_set(e, -ENOENT,
                         "instance %s: there is no instance of this name or uuid; see mayfly list",
                         name_or_uuid);
    *ret = found;
    return 0;
}
