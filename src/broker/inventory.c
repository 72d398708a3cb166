/* SPDX-License-Identifier: Apache-2.0 */
/* Finds things in an inventory. See inventory.h. */
#include "broker/inventory.h"

#include <stdio.h>
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

/* Finds the first of `n` sorted rows whose text, at this offset, is not before `text`. */
static size_t first_from(const void *rows, size_t n, size_t row_bytes, size_t offset, const char *text)
{
    size_t low = 0, high = n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp((const char *)rows + middle * row_bytes + offset, text) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

const struct volume *inventory_volumes_of(const struct inventory *i, const char *instance, size_t *ret_n)
{
    size_t n = 0, first = first_from(i->volumes, i->n_volumes, sizeof i->volumes[0],
                                     offsetof(struct volume, instance), instance);
    while (first + n < i->n_volumes && streq(i->volumes[first + n].instance, instance))
        n++;
    *ret_n = n;
    return n ? &i->volumes[first] : NULL;
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
    map_uuid_make(v->disk, MAP_FOR_DOMAIN, bare);
    size_t n = first_from(i->maps, i->n_maps, sizeof i->maps[0], offsetof(struct map, uuid), bare);
    while (n < i->n_maps && str_starts(i->maps[n].uuid, bare) && !map_uuid_is_of(i->maps[n].uuid, v->disk))
        n++;
    return n < i->n_maps && map_uuid_is_of(i->maps[n].uuid, v->disk) ? &i->maps[n] : NULL;
}

void inventory_device_path(const struct inventory *i, const struct volume *v, char field[DEVICE_PATH_MAX])
{
    const struct map *map = inventory_map_of(i, v);
    if (map && !map->served)
        snprintf(field, DEVICE_PATH_MAX, "/dev/mapper/%s", map->name);
    else
        volume_device_path(v, field);
}
