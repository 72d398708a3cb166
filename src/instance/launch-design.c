/* SPDX-License-Identifier: Apache-2.0 */
/* Designs everything that a launch makes: names, new uuids, sizes, the XML of the domains. Nothing is changed
 * yet. The check value of a disk is missing until there is a key. */
#include "base/fd.h"
#include "instance/disks.h"
#include "instance/group.h"
#include "instance/launch.h"
#include "storage/facts.h"
#include "virt/domain-shared.h"

#include <stdio.h>

static void encrypt(const struct config *c, struct launch_disk *d)
{
    struct facts facts;
    facts_of_group(d->v.vg, 0, &facts);
    choose_encryption(c, &facts, &d->v);
    d->v.scope = d->key->want.scope;
}

static struct launch_disk *add_disk(struct launch_instance *i, struct launch_key *key, uint64_t bytes,
                                    const char *role, const char alias[ALIAS_MAX])
{
    struct launch_disk *d = &i->disks[i->n_disks++];
    *d = (struct launch_disk){.launch = i->launch, .key = key, .disk = OPENED_NONE};
    d->v.size_bytes = group_round_up(i->launch->group, bytes);
    d->v.state = VOLUME_BUILDING;
    memcpy(d->v.vg, i->launch->group->name, sizeof d->v.vg);
    memcpy(d->v.instance, i->uuid, sizeof d->v.instance);
    snprintf(d->v.name, sizeof d->v.name, "%.63s", volume_instance_name_valid(i->name) ? i->name : i->uuid);
    snprintf(d->v.role, sizeof d->v.role, "%.7s", role);
    memcpy(d->v.alias, alias, sizeof d->v.alias);
    broker_disk_uuid(i->launch->context->broker, d->v.disk);
    volume_set_lv_name(&d->v);
    if (key)
        encrypt(i->launch->context->config, d);
    else
        snprintf(d->v.cipher, sizeof d->v.cipher, "none");
    return d;
}

/* Adds an ephemeral disk, with the label that Nova gives it. */
struct launch_disk *launch_add_ephemeral(struct launch_instance *i, struct launch_key *key, unsigned number,
                                         const struct launch_ephemeral *asked)
{
    char role[ROLE_MAX];
    snprintf(role, sizeof role, "eph%u", number % 100);
    struct launch_disk *d = add_disk(i, key, asked->size_bytes, role, asked->alias);
    memcpy(d->fs, asked->fs, sizeof d->fs);
    snprintf(d->label, sizeof d->label, "ephemeral%u", number % 100);
    return d;
}

struct launch_disk *launch_add_seed_disk(struct launch_instance *i, struct launch_key *key, uint64_t bytes)
{
    struct launch_disk *d = add_disk(i, key, bytes, ROLE_SEED, (const char[ALIAS_MAX]){0});
    d->takes_seed = true;
    return d;
}

static void add_disks(struct launch_instance *i, struct launch_key *key)
{
    const struct launch_request *q = i->launch->request;
    if (q->root_bytes)
        add_disk(i, key, q->root_bytes, "root", q->root_alias)->takes_image = i->launch->image != NULL;
    for (size_t n = 0; n < q->n_ephemeral; n++)
        launch_add_ephemeral(i, key, (unsigned)n, &q->ephemeral[n]);
    if (q->swap_bytes)
        snprintf(add_disk(i, key, q->swap_bytes, "swap", q->swap_alias)->fs,
                 sizeof(((struct launch_disk *)0)->fs), "swap");
    if (seed_wanted(&q->seed))
        launch_add_seed_disk(i, key, SEED_BYTES);
}

/* Writes the XML of a domain. `trial`: for libvirt's verdict, before any disk exists; `nvram`: from that
 * verdict. The caller frees *ret. */
static int write_xml(const struct launch_instance *i, bool kvm, bool trial, const char *nvram, char **ret,
                     struct error *e)
{
    const struct launch_request *q = i->launch->request;
    struct domain_disk disks[LAUNCH_DISKS_MAX];
    char paths[LAUNCH_DISKS_MAX][DEVICE_PATH_MAX];
    struct domain_spec spec = {.name = i->name,
                               .uuid = i->uuid,
                               .nvram = nvram,
                               .trial = trial,
                               .memory_bytes = i->launch->memory_bytes,
                               .vcpus = i->launch->vcpus,
                               .kvm = kvm,
                               .firmware = i->launch->firmware,
                               .network = i->launch->network,
                               .disks = disks,
                               .n_disks = i->n_disks};
    for (size_t n = 0; n < i->n_disks; n++)
        disks[n] = disk_of_domain(i->launch->context, &i->disks[n].v, paths[n]);
    return domain_xml(&spec, q->template_xml, ret, e);
}

/* Checks for things that instances made from the template would share with each other, or with the domain
 * that the template was printed from. */
static int check_shared(const struct launch *l, struct error *e)
{
    const struct launch_request *q = l->request;
    char shared[DOMAIN_SHARED_MAX] = "";
    int r = q->template_xml ? domain_shared(q->template_xml, shared, e) : 0;
    if (r < 0 || !*shared)
        return r;
    if (q->count > 1)
        return error_set(e, -EINVAL,
                         "domain XML: %u instances cannot share %s; remove that from the template, so that "
                         "libvirt chooses, or launch them one by one",
                         q->count, shared);
    report_warning(l->context, "domain XML: %s will have %s; no other domain may have the same", q->name,
                   shared);
    return 0;
}

int launch_write_definitions(struct launch *l, struct error *e)
{
    _cleanup_free_ char *trial = NULL, *nvram = NULL;
    bool kvm = virt_offers(l->context->virt, VIRT_KVM);
    int r = check_shared(l, e);
    if (r == 0)
        r = write_xml(&l->instances[0], kvm, true, NULL, &trial, e);
    if (r == 0)
        r = virt_try(l->context->virt, trial, l->instances[0].name, &nvram, e);
    for (size_t n = 0; r == 0 && n < l->n_instances; n++)
        r = write_xml(&l->instances[n], kvm, false, nvram, &l->instances[n].xml, e);
    return r;
}

static void set_key(struct launch *l, struct launch_key *k, const char *owner, enum key_scope scope)
{
    k->want.scope = scope;
    k->want.bits = KEY_SECRET_BITS;
    memcpy(k->want.owner, owner, sizeof k->want.owner);
    memcpy(k->want.vg, l->group->name, sizeof k->want.vg);
}

static struct launch_key *key_of(struct launch *l, const struct launch_instance *i)
{
    if (!l->km)
        return NULL;
    if (!l->n_keys || !l->request->shared_key) {
        const struct launch_request *q = l->request;
        struct launch_key *k = &l->keys[l->n_keys++];
        set_key(l, k, q->shared_key ? l->batch : i->uuid,
                q->shared_key ? KEY_SCOPE_BATCH
                : q->keep_key ? KEY_SCOPE_CALLER
                              : KEY_SCOPE_INSTANCE);
    }
    return &l->keys[l->n_keys - 1];
}

static size_t at_most(size_t n, size_t limit)
{
    return n < limit ? n : limit;
}

/* Returns the number of instances in a chunk: its keys take a quarter of the memory that may be locked. For
 * each key mayfly locks a page, and mayfly-keyagent at most two, for its secret and the request that stores
 * it. The rest is for other locked memory: LAUNCH_COUNT_MAX keys at once would nearly fill the 8 MiB of a
 * Debian 12, and 64 KiB are usual elsewhere. */
static size_t chunk_size(void)
{
    size_t fit = secret_pages_max() / 4;
    return fit ? at_most(fit, LAUNCH_CHUNK_MAX) : 1;
}

/* Makes the chunks. Each instance has the key of its own number, or all have the first key. */
static void cut_chunks(struct launch *l)
{
    size_t size = chunk_size();
    for (size_t first = 0; first < l->n_instances; first += size)
        l->chunks[l->n_chunks++] = (struct launch_chunk){
            .launch = l,
            .instances = &l->instances[first],
            .n_instances = at_most(l->n_instances - first, size),
            .keys = &l->keys[first],
            .n_keys = first < l->n_keys && !l->request->key ? at_most(l->n_keys - first, size) : 0,
        };
}

int launch_allocate(struct launch *l, size_t n_instances, size_t n_disks, struct error *e)
{
    l->n_instances = n_instances;
    l->n_disks = n_disks;
    l->instances = calloc(l->n_instances, sizeof *l->instances);
    l->disks = calloc(l->n_disks, sizeof *l->disks);
    l->keys = calloc(l->n_instances, sizeof *l->keys);
    l->chunks = calloc(l->n_instances, sizeof *l->chunks);
    l->leads = calloc(l->n_instances, sizeof(struct volume *));
    l->others = calloc(l->n_disks, sizeof(struct volume *));
    if (l->instances && l->disks && l->keys && l->chunks && l->leads && l->others)
        return 0;
    l->n_instances = l->n_disks = 0;
    return error_memory(e);
}

/* Names the instance after the domain that gets the disks, or gives it a new name. */
static void name_instance(struct launch_instance *i, size_t n)
{
    const struct domain *d = i->launch->domain;
    if (d) {
        snprintf(i->name, sizeof i->name, "%s", d->name[0] ? d->name : d->uuid);
        memcpy(i->uuid, d->uuid, sizeof i->uuid);
    } else {
        launch_name(i->launch, n, i->name);
        uuid_make(i->uuid);
    }
}

int launch_design(struct launch *l, struct error *e)
{
    const struct launch_request *q = l->request;
    int r = launch_allocate(l, q->count, q->count * launch_disks_each(q), e);
    if (r < 0)
        return r;
    if (q->shared_key)
        uuid_make(l->batch);
    for (size_t n = 0; n < l->n_instances; n++) {
        struct launch_instance *i = &l->instances[n];
        i->launch = l;
        i->disks = &l->disks[n * launch_disks_each(q)];
        name_instance(i, n);
        add_disks(i, key_of(l, i));
        l->leads[l->n_leads++] = &i->disks[0].v;
        for (size_t d = 1; d < i->n_disks; d++)
            l->others[l->n_others++] = &i->disks[d].v;
    }
    cut_chunks(l);
    return 0;
}

struct launch *launch_free(struct launch *l)
{
    if (l) {
        for (size_t i = 0; i < l->n_instances; i++)
            free(l->instances[i].xml);
        for (size_t i = 0; i < l->n_disks; i++)
            if (l->disks[i].launch)
                opened_close(&l->disks[i].disk);
        for (size_t i = 0; i < l->n_keys; i++)
            secret_free(l->keys[i].secret);
        free(l->instances);
        free(l->disks);
        free(l->keys);
        free(l->chunks);
        free(l->leads);
        free(l->others);
        image_close(l->image);
        secret_free(l->seed);
        model_free(l->model);
    }
    return NULL;
}
