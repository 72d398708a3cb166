/* SPDX-License-Identifier: Apache-2.0 */
/* Disks of domains as libvirt describes them: of one, or of all at once. See virt.h. */
#include "virt/connection.h"

static void pool_freep(virStoragePoolPtr *pool)
{
    if (*pool)
        vir.StoragePoolFree(*pool);
}

static void volume_freep(virStorageVolPtr *volume)
{
    if (*volume)
        vir.StorageVolFree(*volume);
}

/* Returns the path of a volume that is given as POOL/VOLUME; the caller frees it. NULL: libvirt does not
 * know, for example of an inactive pool. */
static char *path_in_pool(struct virt *v, const char *pool_and_volume)
{
    const char *slash = strchr(pool_and_volume, '/'); /* pool names have no slash */
    _cleanup_free_ char *name = slash ? strndup(pool_and_volume, (size_t)(slash - pool_and_volume)) : NULL;
    _cleanup_(pool_freep) virStoragePoolPtr pool =
        name ? vir.StoragePoolLookupByName(libvirt_of(v), name) : NULL;
    _cleanup_(volume_freep) virStorageVolPtr volume =
        pool ? vir.StorageVolLookupByName(pool, slash + 1) : NULL;
    return volume ? vir.StorageVolGetPath(volume) : NULL;
}

static void resolve_pools(struct virt *v, struct disk_view *disk)
{
    for (size_t i = 0; i < disk->n_sources; i++) {
        struct domain_source *source = &disk->sources[i];
        char *path = source->volume ? path_in_pool(v, source->path) : NULL;
        if (!path)
            continue;
        free(source->path);
        source->path = path;
        source->volume = false;
    }
}

int connection_view_of(struct virt *v, virDomainPtr domain, enum domain_side side, struct domain_view *ret,
                       struct error *e)
{
    _cleanup_domain_view_ struct domain_view view = {.found = false};
    _cleanup_free_ char *xml =
        vir.DomainGetXMLDesc(domain, side == DOMAIN_DEFINITION ? VIR_DOMAIN_XML_INACTIVE : 0);
    *ret = (struct domain_view){.found = false};
    if (!xml)
        return no_such_domain() ? -ENOENT : domain_failed(v, domain, "read its definition", e);
    int r = domain_view_read(xml, ((struct connection *)v)->nvram_folder, &view, e);
    if (r < 0 || (side == DOMAIN_GUEST && !view.running)) /* no guest runs, and `xml` is the definition */
        return r;
    for (size_t i = 0; i < view.n_disks; i++)
        resolve_pools(v, &view.disks[i]);
    *ret = view;
    view = (struct domain_view){.found = false};
    return 0;
}

int connection_view(struct virt *v, const char *uuid, enum domain_side side, struct domain_view *ret,
                    struct error *e)
{
    _cleanup_domain_ virDomainPtr domain = NULL;
    *ret = (struct domain_view){.found = false};
    int r = domain_lookup(v, uuid, &domain, e);
    if (r == 0)
        r = connection_view_of(v, domain, side, ret, e);
    return r == -ENOENT ? no_domain(uuid, e) : r;
}

/* Reads both sides. An active domain has an id, which is known without a question. -ENOENT as
 * connection_view_of(). */
static int read_sides(struct virt *v, virDomainPtr domain, struct domain_sides *ret, struct error *e)
{
    if (str_copy(ret->name, sizeof ret->name, vir.DomainGetName(domain)) < 0)
        ret->name[0] = '\0'; /* the name is too long: see struct domain */
    int r = connection_view_of(v, domain, DOMAIN_DEFINITION, &ret->definition, e);
    if (r == 0 && vir.DomainGetID(domain) != (unsigned)-1)
        r = connection_view_of(v, domain, DOMAIN_GUEST, &ret->guest, e);
    return r;
}

static int by_uuid(const void *a, const void *b)
{
    const struct domain_sides *x = a, *y = b;
    return strcmp(x->uuid, y->uuid);
}

/* Adds the views of a domain. One that cannot be read does not hide the others. */
static void add(struct virt *v, virDomainPtr domain, struct virt_views *views)
{
    struct domain_sides *next = &views->domain[views->n];
    if (vir.DomainGetUUIDString(domain, next->uuid) < 0)
        return;
    views->n++;
    int r = read_sides(v, domain, next, &views->why);
    if (r < 0) {
        domain_view_end(&next->definition);
        domain_view_end(&next->guest);
    }
    if (r == -ENOENT) {
        views->n--;
        memset(next, 0, sizeof *next);
    }
}

int connection_view_all(struct virt *v, struct virt_views *ret, struct error *e)
{
    virDomainPtr *all = NULL;
    int n = vir.ConnectListAllDomains(libvirt_of(v), &all, 0);
    if (n < 0)
        return libvirt_failed(v, "*", "list", e);
    struct virt_views views = {.domain = calloc((size_t)n + 1, sizeof *views.domain)};
    for (int i = 0; i < n; i++) {
        if (views.domain)
            add(v, all[i], &views);
        vir.DomainFree(all[i]);
    }
    free(all);
    if (!views.domain)
        return error_memory(e);
    if (views.why.errnum == -ECONNREFUSED) { /* the caller connects anew */
        struct error why = views.why;
        virt_views_end(&views);
        return error_pass(e, why.errnum, &why);
    }
    qsort(views.domain, views.n, sizeof *views.domain, by_uuid);
    *ret = views;
    return 0;
}
