/* SPDX-License-Identifier: Apache-2.0 */
/* See map.h. */
#include "storage/map.h"

#include "base/clock.h"

#include <inttypes.h>
#include <stdio.h>

#define TIME_DIGITS 8

void map_uuid_make(const char *disk, enum map_use use, char ret[MAP_UUID_MAX])
{
    if (use == MAP_FOR_START)
        snprintf(ret, MAP_UUID_MAX, MAP_UUID_PREFIX "%.36s" MAP_UUID_START "%08" PRIx32, disk,
                 clock_boot_sec());
    else
        snprintf(ret, MAP_UUID_MAX, MAP_UUID_PREFIX "%.36s%s", disk,
                 use == MAP_FOR_DOMAIN ? "" : MAP_UUID_OPENED);
}

/* Finds the mark that follows the disk's uuid, or "". NULL if this is not one of our uuids. */
static const char *mark_of(const char *uuid)
{
    return str_starts(uuid, MAP_UUID_PREFIX) && strlen(uuid) >= strlen(MAP_UUID_PREFIX) + UUID_TEXT - 1
               ? uuid + strlen(MAP_UUID_PREFIX) + UUID_TEXT - 1
               : NULL;
}

static bool parse_start(const char *mark, uint32_t *ret_sec)
{
    const char *digits = mark + strlen(MAP_UUID_START);
    if (!str_starts(mark, MAP_UUID_START) || strlen(digits) != TIME_DIGITS ||
        strspn(digits, "0123456789abcdef") != TIME_DIGITS)
        return false;
    *ret_sec = (uint32_t)strtoul(digits, NULL, 16);
    return true;
}

bool map_uuid_is_of(const char *uuid, const char *disk)
{
    const char *mark = mark_of(uuid);
    uint32_t sec = 0;
    return mark && str_starts(uuid + strlen(MAP_UUID_PREFIX), disk) &&
           (mark[0] == '\0' || streq(mark, MAP_UUID_OPENED) || parse_start(mark, &sec));
}

enum map_use map_uuid_use(const char *uuid)
{
    const char *mark = mark_of(uuid);
    uint32_t sec = 0;
    if (mark && streq(mark, MAP_UUID_OPENED))
        return MAP_TO_STAY;
    return mark && parse_start(mark, &sec) ? MAP_FOR_START : MAP_FOR_DOMAIN;
}

enum map_use map_use(const struct map *map)
{
    return map->read_only ? MAP_READ_ONLY : map_uuid_use(map->uuid);
}

/* Takes a time in the future for one of an earlier boot: the unsigned difference wraps, so that it counts as
 * long past. */
bool map_awaits_start(const struct map *map, uint32_t within_sec)
{
    const char *mark = mark_of(map->uuid);
    uint32_t sec = 0;
    return mark && parse_start(mark, &sec) && clock_boot_sec() - sec <= within_sec;
}

bool map_stays(const struct map *map)
{
    return map_uuid_use(map->uuid) >= MAP_TO_STAY || map_awaits_start(map, START_WITHIN_SEC);
}
