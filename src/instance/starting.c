/* SPDX-License-Identifier: Apache-2.0 */
/* See starting.h.
 *
 *     a thread for each domain    virDomainCreate() ---------------------------------> started
 *     this thread                 each second: are all disks served? if not, serve them
 */
#include "instance/starting.h"

#include "instance/disks.h"
#include "instance/steps.h"

struct starting {
    const struct context *context;
    const struct instance *const *instances;
    struct error lost[STEPS_AT_ONCE]; /* why a domain was ended */
};

static bool is_unserved(const struct context *c, const struct volume *v)
{
    struct map map;
    return volume_served(v) && served_find(c->broker->engine, v, &map, NULL) == -ENOENT;
}

static bool any_unserved(const struct context *c, const struct instance *i)
{
    for (size_t n = 0; n < i->n_volumes; n++)
        if (is_unserved(c, i->volumes[n]))
            return true;
    return false;
}

/* Finds the volume as it is now. -ENOENT: it is gone. */
static int find_again(const struct inventory *inventory, const struct volume *was, const struct volume **ret,
                      struct error *e)
{
    for (size_t n = 0; n < inventory->n_volumes; n++)
        if (streq(inventory->volumes[n].disk, was->disk)) {
            *ret = &inventory->volumes[n];
            return 0;
        }
    return error_set(e, -ENOENT, "disk %s: is not there any more", was->lv);
}

/* Serves the disks again that are ready by their tags. libvirt is not asked, not even for a name in a
 * sentence: the threads use its connection. */
static int serve_again(const struct context *c, const struct instance *i, struct error *e)
{
    const struct volume *volumes[DISKS_MAX];
    struct instance now = {.volumes = volumes};
    struct disks unserved = {.instance = &now, .use = MAP_FOR_DOMAIN};
    struct context without_libvirt = *c;
    void *const all[] = {&unserved};
    struct error why = ERROR_NONE;
    _cleanup_inventory_ struct inventory *inventory = NULL;
    int r = broker_list(c->broker, &inventory, e);
    memcpy(now.uuid, i->uuid, sizeof now.uuid);
    for (size_t n = 0; r == 0 && n < i->n_volumes && now.n_volumes < DISKS_MAX; n++) {
        const struct volume *v = NULL;
        if (!is_unserved(c, i->volumes[n]))
            continue;
        r = find_again(inventory, i->volumes[n], &v, e);
        if (r == 0 && v->state == VOLUME_READY) {
            unserved.missing[now.n_volumes] = true;
            volumes[now.n_volumes++] = v;
        }
    }
    without_libvirt.virt = NULL;
    if (r == 0)
        disks_open(&without_libvirt, all, 1, &why);
    return why.errnum ? error_pass(e, why.errnum, &why) : r;
}

static bool is_hopeless(void *context, size_t n)
{
    struct starting *s = context;
    const struct instance *i = s->instances[n];
    struct error *e = &s->lost[n];
    if (context_stopped(s->context)) {
        error_set(e, -ECANCELED, "domain %s: stopped while it was being started", i->name);
        return true;
    }
    if (!any_unserved(s->context, i) || serve_again(s->context, i, e) == 0)
        return false;
    error_prefix(e,
                 "domain %s: cannot start: the process that served its disks has ended, and another could "
                 "not be started: ",
                 i->name);
    return true;
}

/* True if this process serves the disks of one of them. */
static bool serves_any(const struct context *c, const struct instance *const instances[], size_t n)
{
    const struct engine *g = c->broker->engine;
    for (size_t i = 0; g && served_by_us(g) && i < n; i++)
        if (instance_is_served(instances[i]))
            return true;
    return false;
}

void domains_start(const struct context *c, const struct instance *const instances[], size_t n,
                   struct error why[])
{
    const char *uuids[STEPS_AT_ONCE];
    struct starting s = {.context = c, .instances = instances};
    const struct virt_watch watch = {.is_hopeless = is_hopeless, .context = &s};
    for (size_t i = 0; i < n; i++)
        uuids[i] = instances[i]->uuid;
    virt_start_many(c->virt, uuids, n, serves_any(c, instances, n) ? &watch : NULL, why);
    for (size_t i = 0; i < n; i++)
        if (s.lost[i].errnum)
            why[i] = s.lost[i];
}
