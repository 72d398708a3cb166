/* SPDX-License-Identifier: Apache-2.0 */
/* Lists and finds domains, and describes them. See virt.h. */
#include "virt/connection.h"
#include "virt/rescue-xml.h"

#include <assert.h>

/* Finds out whether the metadata has an element of this namespace. -ENOENT: the domain is gone. */
static int has_metadata(struct virt *v, virDomainPtr domain, const char *uuid, const char *namespace,
                        bool *ret, struct error *e)
{
    _cleanup_free_ char *element = vir.DomainGetMetadata(domain, VIR_DOMAIN_METADATA_ELEMENT, namespace, 0);
    if (!element && no_such_domain())
        return -ENOENT;
    if (!element && vir.GetLastErrorCode() != VIR_ERR_NO_DOMAIN_METADATA)
        return libvirt_failed(v, uuid, "get its metadata", e);
    *ret = element;
    return 0;
}

static_assert((int)DOMAIN_RUNNING == VIR_DOMAIN_RUNNING && (int)DOMAIN_IDLE == VIR_DOMAIN_BLOCKED &&
                  (int)DOMAIN_PAUSED == VIR_DOMAIN_PAUSED && (int)DOMAIN_IN_SHUTDOWN == VIR_DOMAIN_SHUTDOWN &&
                  (int)DOMAIN_SHUT_OFF == VIR_DOMAIN_SHUTOFF && (int)DOMAIN_CRASHED == VIR_DOMAIN_CRASHED &&
                  (int)DOMAIN_PMSUSPENDED == VIR_DOMAIN_PMSUSPENDED,
              "enum domain_state has libvirt's numbers");

/* Fills in what `domain` itself tells, without a question to libvirt: an active domain has an id. The other
 * fields get the values that most domains have. */
static int describe(struct virt *v, virDomainPtr domain, struct domain *ret, struct error *e)
{
    struct domain d = {.active = vir.DomainGetID(domain) != (unsigned)-1, .persistent = true};
    d.state = d.active ? DOMAIN_RUNNING : DOMAIN_SHUT_OFF;
    if (vir.DomainGetUUIDString(domain, d.uuid) < 0)
        return domain_failed(v, domain, "get its uuid", e);
    if (str_copy(d.name, sizeof d.name, vir.DomainGetName(domain)) < 0)
        d.name[0] = '\0'; /* the name is too long: see virt.h */
    *ret = d;
    return 0;
}

/* Returns the state. libvirt also calls a domain paused while it starts or ends; nobody has to resume that
 * one. */
static enum domain_state state_for(int state, int reason)
{
    if (state == VIR_DOMAIN_PAUSED && reason == VIR_DOMAIN_PAUSED_STARTING_UP)
        return DOMAIN_RUNNING;
    if (state == VIR_DOMAIN_PAUSED && reason == VIR_DOMAIN_PAUSED_SHUTTING_DOWN)
        return DOMAIN_IN_SHUTDOWN;
    return (enum domain_state)state;
}

/* Gets the state. -ENOENT: the domain is gone. */
static int get_state(struct virt *v, virDomainPtr domain, struct domain *d, struct error *e)
{
    int state = VIR_DOMAIN_NOSTATE, reason = 0;
    if (vir.DomainGetState(domain, &state, &reason, 0) < 0)
        return no_such_domain() ? -ENOENT : domain_failed(v, domain, "get its state", e);
    d->state = state_for(state, reason);
    if (d->state != DOMAIN_NO_STATE)
        d->active = d->state != DOMAIN_SHUT_OFF;
    return 0;
}

/* Gets what libvirt keeps of the domain. A driver may know no managed saves. -ENOENT: the domain is gone. */
static int get_keeping(struct virt *v, virDomainPtr domain, struct domain *d, struct error *e)
{
    int persistent = vir.DomainIsPersistent(domain);
    int saved = persistent < 0 ? -1 : vir.DomainHasManagedSaveImage(domain, 0);
    if (persistent < 0 || (saved < 0 && vir.GetLastErrorCode() != VIR_ERR_NO_SUPPORT))
        return no_such_domain() ? -ENOENT : domain_failed(v, domain, "tell how libvirt keeps it", e);
    d->persistent = persistent;
    d->saved = saved > 0;
    return 0;
}

/* Describes all of the domain. -ENOENT: it is gone. */
static int describe_whole(struct virt *v, virDomainPtr domain, struct domain *ret, struct error *e)
{
    int r = describe(v, domain, ret, e);
    if (r == 0)
        r = get_state(v, domain, ret, e);
    if (r == 0)
        r = get_keeping(v, domain, ret, e);
    if (r == 0)
        r = has_metadata(v, domain, ret->uuid, DOMAIN_XML_NAMESPACE, &ret->ours, e);
    if (r == 0)
        r = has_metadata(v, domain, ret->uuid, RESCUE_XML_NAMESPACE, &ret->rescued, e);
    return r;
}

static int set_transient(struct virt *v, virDomainPtr domain, struct domain *d, struct error *e)
{
    (void)v, (void)domain, (void)e;
    d->persistent = false;
    return 0;
}

static int set_saved(struct virt *v, virDomainPtr domain, struct domain *d, struct error *e)
{
    (void)v, (void)domain, (void)e;
    d->saved = true;
    return 0;
}

/* Fields that differ for few domains: one question finds these domains. */
static const struct exception {
    unsigned filter;
    int (*note)(struct virt *v, virDomainPtr domain, struct domain *d, struct error *e);
} exceptions[] = {
    {VIR_CONNECT_LIST_DOMAINS_PAUSED | VIR_CONNECT_LIST_DOMAINS_OTHER, get_state},
    {VIR_CONNECT_LIST_DOMAINS_TRANSIENT, set_transient},
    {VIR_CONNECT_LIST_DOMAINS_MANAGEDSAVE, set_saved},
};

static int by_uuid(const void *a, const void *b)
{
    const struct domain *x = a, *y = b;
    return strcmp(x->uuid, y->uuid);
}

static int note_exception(struct virt *v, const struct exception *x, virDomainPtr domain,
                          struct domain *domains, size_t n, struct error *e)
{
    struct domain key = {.active = false};
    if (vir.DomainGetUUIDString(domain, key.uuid) < 0)
        return domain_failed(v, domain, "get its uuid", e);
    struct domain *d = bsearch(&key, domains, n, sizeof *domains, by_uuid);
    int r = d ? x->note(v, domain, d, e) : 0; /* NULL: newer than the list */
    return r == -ENOENT ? 0 : r;
}

static int note_exceptions(struct virt *v, struct domain *domains, size_t n, struct error *e)
{
    int r = 0;
    qsort(domains, n, sizeof *domains, by_uuid);
    for (size_t i = 0; r == 0 && i < ARRAY_SIZE(exceptions); i++) {
        virDomainPtr *some = NULL;
        int n_some = vir.ConnectListAllDomains(libvirt_of(v), &some, exceptions[i].filter);
        if (n_some < 0)
            return libvirt_failed(v, "*", "list", e);
        for (int one = 0; one < n_some; one++) {
            if (r == 0)
                r = note_exception(v, &exceptions[i], some[one], domains, n, e);
            vir.DomainFree(some[one]);
        }
        free(some);
    }
    return r;
}

int connection_list(struct virt *v, bool metadata, struct domain **ret, size_t *ret_n, struct error *e)
{
    virDomainPtr *all = NULL;
    int n = vir.ConnectListAllDomains(libvirt_of(v), &all, 0);
    if (n < 0)
        return libvirt_failed(v, "*", "list", e);

    _cleanup_free_ struct domain *domains = calloc((size_t)n + 1, sizeof *domains);
    size_t described = 0;
    int r = domains ? 0 : error_memory(e);
    for (int i = 0; i < n; i++) {
        if (r == 0)
            r = (metadata ? describe_whole : describe)(v, all[i], &domains[described], e);
        if (r == 0)
            described++;
        else if (r == -ENOENT)
            r = 0;
        vir.DomainFree(all[i]);
    }
    free(all);
    if (r == 0 && !metadata)
        r = note_exceptions(v, domains, described, e);
    if (r < 0)
        return r;
    *ret = TAKE_PTR(domains);
    *ret_n = described;
    return 0;
}

int connection_find_name(struct virt *v, const char *name, struct domain *ret, struct error *e)
{
    _cleanup_domain_ virDomainPtr domain = vir.DomainLookupByName(libvirt_of(v), name);
    if (!domain && !no_such_domain())
        return libvirt_failed(v, name, "find", e);
    int r = domain ? describe_whole(v, domain, ret, e) : -ENOENT;
    return r == -ENOENT ? no_domain(name, e) : r;
}

int connection_find_uuid(struct virt *v, const char *uuid, struct domain *ret, struct error *e)
{
    _cleanup_domain_ virDomainPtr domain = NULL;
    int r = domain_lookup(v, uuid, &domain, e);
    if (r == 0)
        r = describe_whole(v, domain, ret, e);
    return r == -ENOENT ? no_domain(uuid, e) : r;
}
