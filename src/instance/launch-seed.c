/* SPDX-License-Identifier: Apache-2.0 */
/* The seed disk of an instance: its contents at a launch or rebuild, and the contents that a rebuild keeps.
 */
#include "base/fd.h"
#include "instance/disks.h"
#include "instance/keys.h"
#include "instance/launch.h"

static const struct launch_instance *instance_of(const struct launch_disk *d)
{
    const struct launch_instance *i = d->launch->instances;
    while (!streq(i->uuid, d->v.instance))
        i++;
    return i;
}

static int make_seed(const struct launch_disk *d, struct secret **ret, struct error *e)
{
    const struct launch *l = d->launch;
    const struct launch_instance *i = instance_of(d);
    const struct wanted_seed *w = &l->request->seed;
    bool several = launch_is_numbered(l->request);
    char hostname[HOSTNAME_FIELD];
    int r = wanted_seed_hostname(w, i->name, several ? (unsigned)(l->first + (size_t)(i - l->instances)) : 0,
                                 hostname, e);
    if (r < 0)
        return r;
    const struct seed seed = {.instance = i->uuid,
                              .hostname = hostname,
                              .ssh_keys = w->ssh_keys ? w->ssh_keys : "",
                              .user_data = w->user_data};
    return seed_make(&seed, ret, e);
}

int launch_check_seed(const struct launch *l, const char *name, struct error *e)
{
    const struct wanted_seed *w = &l->request->seed;
    char hostname[HOSTNAME_FIELD];
    int r = wanted_seed_check(l->context, w, e);
    return r < 0 || !seed_wanted(w) ? r : wanted_seed_hostname(w, name, 0, hostname, e);
}

int launch_write_seed(const struct context *c, void *object, struct error *e)
{
    struct launch_disk *d = object;
    _cleanup_secret_ struct secret *made = NULL;
    const struct secret *given = d->launch->seed ? d->launch->seed : d->launch->request->seed_image;
    int r = given ? 0 : make_seed(d, &made, e);
    if (r == 0)
        r = c->write_seed(&d->disk, given ? given : made, e);
    opened_close(&d->disk);
    return r;
}

/* Reads the seed from an old disk, which may be open for a guest or a person; else it is closed again at
 * once. */
int launch_read_seed(const struct context *c, struct launch *l, const struct volume *old, struct error *e)
{
    _cleanup_secret_ struct secret *key = NULL;
    _cleanup_opened_ struct opened disk = OPENED_NONE;
    const struct map *map = model_map_of(l->model, old);
    struct error why = ERROR_NONE;
    int r = key_fetch(c, old, &key, &why);
    if (r == 0)
        r = disk_open(c, old, key, map ? map_use(map) : MAP_FOR_DOMAIN, SETTLE_NOW, &disk, &why);
    if (r == 0)
        r = c->read_seed(&disk, &l->seed, &why);
    if (disk.fd >= 0 && !map) {
        opened_close(&disk);
        int closed_r = disk_close(c, old, SETTLE_NOW, &why);
        r = r < 0 ? r : closed_r;
    }
    if (r < 0)
        error_append(&why, "; the contents of its seed disk cannot be kept: use --hostname, --ssh-key or "
                           "--user-data for a new one");
    return r < 0 ? error_pass(e, r, &why) : 0;
}
