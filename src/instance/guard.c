/* SPDX-License-Identifier: Apache-2.0 */
/* See guard.h. */
#include "instance/guard.h"

#include <sys/stat.h>

static int add(struct guard *g, const char *path, const struct reached *reached, struct error *e)
{
    struct found_device *bigger = reallocarray(g->found, g->n + 1, sizeof *bigger);
    if (!bigger)
        return error_memory(e);
    g->found = bigger;
    bigger[g->n] = (struct found_device){.path = strdup(path), .reached = *reached};
    return bigger[g->n++].path ? 0 : error_memory(e);
}

/* True if the path is a socket by which an instance's disk is served, or will be. */
static bool leads_to_socket(const char *path, const char *own, struct reached *ret)
{
    char name[PATH_MAX];
    if (!realpath(path, name))
        lineage_plain_path(path, name);
    return str_starts(name, SOCKETS_OF_HOST "/") && lineage_of_name(name, own, ret);
}

int guard_look(const char *xml, struct guard *ret, struct error *e)
{
    _cleanup_hook_paths_ struct hook_paths paths = {0};
    *ret = (struct guard){.n = 0};
    hook_paths_uuid(xml, ret->uuid);
    int r = hook_paths_find(xml, &paths, e);
    for (size_t i = 0; r == 0 && i < paths.n; i++) {
        struct reached reached;
        struct stat st;
        bool device = stat(paths.path[i], &st) == 0 && S_ISBLK(st.st_mode);
        if (device ? lineage_of("", st.st_rdev, ret->uuid, &reached)
                   : leads_to_socket(paths.path[i], ret->uuid, &reached))
            r = add(ret, paths.path[i], &reached, e);
    }
    return r;
}

void guard_end(struct guard *g)
{
    for (size_t i = 0; i < g->n; i++)
        free(g->found[i].path);
    free(g->found);
}

int guard_check_maps(const struct guard *g, const char *name, struct error *e)
{
    for (size_t i = 0; i < g->n; i++)
        if (g->found[i].reached.kind == LINEAGE_MAP)
            return error_set(e, -EUNSAFE,
                             "domain %.100s: its disk %.200s is a disk of instance %s; two guests would "
                             "destroy the data on it; remove it from the definition: virsh edit %.100s",
                             name, g->found[i].path, g->found[i].reached.instance, name);
    return 0;
}

static int check_volume(const struct guard *g, const struct found_device *d, const struct volume *v,
                        const char *name, struct error *e)
{
    char path[DEVICE_PATH_MAX];
    volume_device_path(v, path);
    if (volume_encrypted(v))
        return error_set(e, -EUNSAFE,
                         "domain %.100s: its disk %.200s leads to the volume below an encrypted disk, where "
                         "a guest would write in plaintext; use the %s (%s)",
                         name, d->path, volume_served(v) ? "socket" : "map", path);
    if (!streq(v->instance, g->uuid))
        return error_set(e, -EUNSAFE, "domain %.100s: its disk %.200s is a disk of instance %s", name,
                         d->path, v->instance);
    return 0;
}

static bool is(const struct reached *r, const char *vg, const char *lv)
{
    return streq(r->vg, vg) && streq(r->lv, lv);
}

int guard_check_volumes(const struct guard *g, const struct inventory *i, const char *name, struct error *e)
{
    int r = 0;
    for (size_t n = 0; r == 0 && n < g->n; n++) {
        const struct found_device *d = &g->found[n];
        for (size_t v = 0; r == 0 && v < i->n_volumes; v++)
            if (is(&d->reached, i->volumes[v].vg, i->volumes[v].lv))
                r = check_volume(g, d, &i->volumes[v], name, e);
        for (size_t v = 0; r == 0 && v < i->n_damaged; v++)
            if (is(&d->reached, i->damaged[v].vg, i->damaged[v].lv))
                r = error_set(e, -EUNSAFE,
                              "domain %.100s: its disk %.200s is a Mayfly volume with damaged tags; see "
                              "mayfly list",
                              name, d->path);
    }
    return r;
}
