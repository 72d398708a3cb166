/* SPDX-License-Identifier: Apache-2.0 */
/* Designs everything that a launch makes: the instances and their disks, the XML of the domains. Nothing is
 * changed yet. */
#include "base/fd.h"
#include "instance/disks.h"
#include "instance/launch.h"
#include "virt/domain-shared.h"

#include <stdio.h>

/* Writes the XML of a domain. `trial`: for libvirt's verdict, before any disk exists; `nvram`: from that
 * verdict. The caller frees *ret. */
static int write_xml(const struct launch *l, const struct recipient *i, bool kvm, bool trial,
                     const char *nvram, char **ret, struct error *e)
{
    const struct launch_request *q = l->request;
    struct domain_disk disks[NEW_DISKS_EACH_MAX];
    char paths[NEW_DISKS_EACH_MAX][DEVICE_PATH_MAX];
    struct domain_spec spec = {.name = i->name,
                               .uuid = i->uuid,
                               .nvram = nvram,
                               .trial = trial,
                               .memory_bytes = l->memory_bytes,
                               .vcpus = l->vcpus,
                               .kvm = kvm,
                               .firmware = l->firmware,
                               .network = l->network,
                               .disks = disks,
                               .n_disks = i->n_disks};
    for (size_t n = 0; n < i->n_disks; n++)
        disks[n] = disk_of_domain(l->new.context, &i->disks[n].v, paths[n]);
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
    report_warning(l->new.context, "domain XML: %s will have %s; no other domain may have the same", q->name,
                   shared);
    return 0;
}

int launch_write_definitions(struct launch *l, struct error *e)
{
    _cleanup_free_ char *trial = NULL, *nvram = NULL;
    bool kvm = virt_offers(l->new.context->virt, VIRT_KVM);
    int r = check_shared(l, e);
    if (r == 0)
        r = write_xml(l, &l->new.recipients[0], kvm, true, NULL, &trial, e);
    if (r == 0)
        r = virt_try(l->new.context->virt, trial, l->new.recipients[0].name, &nvram, e);
    for (size_t n = 0; r == 0 && n < l->new.n_recipients; n++)
        r = write_xml(l, &l->new.recipients[n], kvm, false, nvram, &l->domains[n].xml, e);
    return r;
}

static struct new_key *key_of(struct launch *l, const struct recipient *i)
{
    struct new_disks *n = &l->new;
    const char *vg = n->group->name;
    if (!n->km)
        return NULL;
    if (!l->request->shared_key)
        return new_disks_add_key(n, i->uuid, vg, KEY_SCOPE_INSTANCE);
    return n->n_keys ? &n->keys[0] : new_disks_add_key(n, l->batch, vg, KEY_SCOPE_BATCH);
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
    return fit ? at_most(fit, NEW_CHUNK_MAX) : 1;
}

/* Makes the chunks. Each instance has the key of its own number, or all have the first key. */
static void cut_chunks(struct new_disks *n)
{
    size_t size = chunk_size();
    for (size_t first = 0; first < n->n_recipients; first += size)
        n->chunks[n->n_chunks++] = (struct new_chunk){
            .all = n,
            .recipients = &n->recipients[first],
            .n_recipients = at_most(n->n_recipients - first, size),
            .keys = &n->keys[first],
            .n_keys = first < n->n_keys ? at_most(n->n_keys - first, size) : 0,
        };
}

static void design_instance(struct launch *l, size_t index)
{
    struct recipient *i = &l->new.recipients[index];
    *i = (struct recipient){.all = &l->new, .disks = &l->new.disks[index * new_disks_each(&l->new)]};
    launch_name(l, index, i->name);
    uuid_make(i->uuid);
    if (launch_is_numbered(l->request))
        i->number = (unsigned)(l->first + index);
    recipient_add_disks(i, key_of(l, i));
    recipient_note_commits(i);
    l->domains[index].recipient = i;
}

int launch_design(struct launch *l, struct error *e)
{
    const struct launch_request *q = l->request;
    int r = new_disks_allocate(&l->new, q->count, q->count * new_disks_each(&l->new), e);
    if (r < 0)
        return r;
    l->domains = calloc(q->count, sizeof *l->domains);
    if (!l->domains)
        return error_memory(e);
    if (q->shared_key)
        uuid_make(l->batch);
    for (size_t n = 0; n < l->new.n_recipients; n++)
        design_instance(l, n);
    cut_chunks(&l->new);
    return 0;
}

struct launch *launch_free(struct launch *l)
{
    if (l) {
        for (size_t i = 0; l->domains && i < l->new.n_recipients; i++)
            free(l->domains[i].xml);
        free(l->domains);
        new_disks_free(&l->new);
        model_free(l->model);
    }
    return NULL;
}
