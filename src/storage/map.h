/* SPDX-License-Identifier: Apache-2.0 */
/* A map that Mayfly opens. Its uuid names its disk and says what it was opened for, so that recover knows
 * without any file whether it stays open.
 *
 *     MAYFLY-<disk>                    for a domain: closed when nobody runs on it
 *     MAYFLY-<disk>-start-<seconds>    by a program, for a start that follows: the same, but the start has
 *                                      START_WITHIN_SEC from that moment on, in seconds since the boot (hex)
 *     MAYFLY-<disk>-opened             by a person: stays
 */
#pragma once

#include "storage/volume.h"

#define MAP_UUID_PREFIX  "MAYFLY-"
#define MAP_UUID_OPENED  "-opened"
#define MAP_UUID_START   "-start-"
#define MAP_UUID_MAX     64
#define START_WITHIN_SEC 600

struct map {
    char name[MAP_NAME_MAX];
    char uuid[MAP_UUID_MAX];
    uint64_t size_bytes; /* smaller than its volume after a resize that was cut off */
    int32_t open_count;  /* how many hold it, dm-crypt itself not counted */
    uint32_t flags;      /* enum crypt_flag: of the table in use */
    uint64_t read_only;  /* 1: nobody can write through it */
    uint64_t served; /* 1: a process serves the disk to a guest (storage/served.h), and there is no device */
};

/* Who opens a map, and for what; each stays open for longer than those before it. */
enum map_use {
    MAP_FOR_DOMAIN,
    MAP_FOR_START, /* a program, before a start that others make: MAP_UUID_START */
    MAP_TO_STAY,   /* a person: MAP_UUID_OPENED */
    MAP_READ_ONLY  /* a person, only to look */
};

/* Whether the map is read-only if it is opened for this use. */
static inline bool map_use_reads_only(enum map_use use, const struct volume *v)
{
    return use == MAP_READ_ONLY || volume_is_snapshot(v);
}

/* Whether a process serves the disk if it is opened for this use. A person who opens a volume gets a map,
 * which is a device of the host. */
static inline bool map_use_serves(enum map_use use, const struct volume *v)
{
    return volume_in_folder(v) || (volume_served(v) && use <= MAP_FOR_START);
}

/* Makes the uuid of a map of that disk that is opened now. */
void map_uuid_make(const char *disk, enum map_use use, char ret[MAP_UUID_MAX]);

/* Whether that is the uuid of a map of the disk, whatever it was opened for. */
bool map_uuid_is_of(const char *uuid, const char *disk);

/* Returns what the mark says. A map that a person opened read-only has the mark of MAP_TO_STAY. */
enum map_use map_uuid_use(const char *uuid);

/* As map_uuid_use(), but MAP_READ_ONLY if the map is read-only. */
enum map_use map_use(const struct map *map);

/* Whether it was opened for a start, and within that time. */
bool map_awaits_start(const struct map *map, uint32_t within_sec);

/* Whether it stays open without a guest that runs on it: for a person, or for a start that may still
 * follow. */
bool map_stays(const struct map *map);
