/* SPDX-License-Identifier: Apache-2.0 */
/* Finds things in an inventory. See inventory.h. */
#include "broker/inventory.h"

#include <stdlib.h>
#include <string.h>

static int map_order(const void *a, const void *b)
{
    const struct map *x = a, *y = b;
    return strcmp(x->uuid, y->uuid);
}

void inventory_sort(struct inventory *i)
{
    if (i->n_volumes)
        qsort(i->volumes, i->n_volumes, sizeof *i->volumes, volume_order);
    if (i->n_maps)
        qsort(i->maps, i->n_maps, sizeof *i->maps, map_order);
}

struct inventory *inventory_free(struct inventory *i)
{
    if (i) {
        free(i->groups);
        free(i->volumes);
        free(i->damaged);
        free(i->untagged);
        free(i->dependents);
        free(i->maps);
        free(i);
    }
    return NULL;
}

const struct group *inventory_group(const struct inventory *i, const char *vg)
{
    for (size_t n = 0; n < i->n_groups; n++)
        if (streq(i->groups[n].name, vg))
            return &i->groups[n];
    return NULL;
}

const struct volume *inventory_volumes_of(const struct inventory *i, const char *instance, size_t *ret_n)
{
    size_t low = 0, high = i->n_volumes, n = 0;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(i->volumes[middle].instance, instance) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    while (low + n < i->n_volumes && streq(i->volumes[low + n].instance, instance))
        n++;
    *ret_n = n;
    return n ? &i->volumes[low] : NULL;
}

const struct dependent *inventory_dependent_of(const struct inventory *i, const struct volume *v)
{
    for (size_t n = 0; n < i->n_dependents; n++)
        if (streq(i->dependents[n].lv, v->lv) && streq(i->dependents[n].vg, v->vg))
            return &i->dependents[n];
    return NULL;
}

/* Looks for the disk's uuid with any mark. A mark comes last in a uuid, so all uuids of one disk stand side
 * by side. */
const struct map *inventory_map_of(const struct inventory *i, const struct volume *v)
{
    char bare[MAP_UUID_MAX];
    size_t low = 0, high = i->n_maps;
    map_uuid_make(v->disk, MAP_FOR_DOMAIN, bare);
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(i->maps[middle].uuid, bare) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    while (low < i->n_maps && str_starts(i->maps[low].uuid, bare) &&
           !map_uuid_is_of(i->maps[low].uuid, v->disk))
        low++;
    return low < i->n_maps && map_uuid_is_of(i->maps[low].uuid, v->disk) ? &i->maps[low] : NULL;
}
