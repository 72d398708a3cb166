/* SPDX-License-Identifier: Apache-2.0 */
/* See served.h. */
#include "storage/served.h"

#include <fcntl.h>
#include <unistd.h>

int served_find(const struct engine *g, const struct volume *v, struct map *ret, struct error *e)
{
    _cleanup_free_ struct map *all = NULL;
    char name[MAP_NAME_MAX];
    size_t n = 0;
    int r = g->ops->maps(g, &all, &n, e);
    if (r < 0)
        return r;
    volume_map_name(v, name);
    for (size_t i = 0; i < n; i++)
        if (streq(all[i].name, name)) {
            *ret = all[i];
            return 0;
        }
    return error_set(e, -ENOENT, "disk %s: is not open", v->lv);
}

bool served_by_us(const struct engine *g)
{
    return !g->sockets.of_host || faccessat(AT_FDCWD, g->sockets.path, W_OK, AT_EACCESS) == 0;
}

int served_go_on(const struct engine *g, const struct volume *v, enum map_use use, struct error *e)
{
    struct map map;
    int r = served_find(g, v, &map, e);
    if (r < 0)
        return r;
    if (!map_uuid_is_of(map.uuid, v->disk))
        return error_set(e, -EUNSAFE, "disk %s: cannot be opened: another disk is served under its name",
                         v->lv);
    if ((map.read_only != 0) != map_use_reads_only(use, v))
        return error_set(e, -EBUSY, "disk %s: is open %s; close it first", v->lv,
                         map.read_only ? "read-only" : "for writing");
    return map.size_bytes < v->size_bytes ? g->ops->grow(g, v, e) : 0;
}
