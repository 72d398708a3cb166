/* SPDX-License-Identifier: Apache-2.0 */
/* Existing maps: reads their tables, closes, finds and lists them. See dmcrypt.h. */
#include "storage/dmcrypt-table.h"

#include "base/str.h"
#include "storage/holders.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#define CLOSE_DEADLINE_MSEC 5000

uint64_t dmcrypt_end_of_table(struct dm_task *t)
{
    uint64_t start = 0, length = 0;
    char *type = NULL, *params = NULL;
    void *next = NULL;
    do {
        next = dm_get_next_target(t, next, &start, &length, &type, &params);
    } while (next);
    return start + length;
}

int dmcrypt_read_table(const char *name, uint64_t *ret_sectors, uint32_t *ret_flags, struct error *e)
{
    _cleanup_task_ struct dm_task *t = NULL;
    uint64_t start = 0, length = 0;
    char *type = NULL, *params = NULL;
    int r = dm_new_task(DM_DEVICE_TABLE, name, NULL, &t);
    if (r == 0)
        r = dm_run_task(t);
    if (r < 0)
        return error_set(e, r, "map %s: does not tell its size: %s", name, dm_last_message);
    dm_get_next_target(t, NULL, &start, &length, &type, &params);
    *ret_sectors = dmcrypt_end_of_table(t);
    *ret_flags = params ? crypt_flags_parse(params) : 0;
    return 0;
}

bool dmcrypt_above(const char *name, dev_t below)
{
    _cleanup_task_ struct dm_task *t = NULL;
    if (dm_new_task(DM_DEVICE_DEPS, name, NULL, &t) < 0 || dm_run_task(t) < 0)
        return false;
    const struct dm_deps *deps = dm_task_get_deps(t);
    return deps && deps->count == 1 && deps->device[0] == below;
}

static int refuse_foreign(const struct dm_device *f, struct error *e)
{
    if (str_starts(f->uuid, MAP_UUID_PREFIX))
        return 0;
    return error_set(e, -EUNSAFE, "map %s: left alone: its uuid '%s' is not one of Mayfly's", f->name,
                     f->uuid);
}

/* Waits a bounded time for a holder that is about to leave. */
static int remove_patiently(const char *map_name)
{
    int r = dm_remove_map_later(map_name);
    for (unsigned msec = 10, waited = 0; r == -EBUSY && waited < CLOSE_DEADLINE_MSEC;
         waited += msec, msec *= 2) {
        dm_pause_msec(msec);
        r = dm_remove_map_later(map_name);
    }
    return r;
}

int dmcrypt_close(const char *map_name, enum settle settle, struct error *e)
{
    struct dm_device f;
    char by[256];
    int r = dm_look_up(map_name, NULL, &f, e);
    if (r < 0)
        return r == -ENOENT ? 0 : r;
    r = refuse_foreign(&f, e);
    if (r < 0)
        return r;
    r = remove_patiently(map_name);
    if (settle == SETTLE_NOW)
        dm_settle();
    if (r == 0 || r == -ENXIO || dm_look_up(map_name, NULL, &f, NULL) == -ENOENT)
        return 0;
    holders_name(makedev(f.info.major, f.info.minor), by, sizeof by);
    return error_set(e, r,
                     "map %s: cannot be closed: it is held open %d times%s; see lsblk, and fuser -vm "
                     "/dev/mapper/%s",
                     map_name, f.info.open_count, by, map_name);
}

bool dmcrypt_leads_to(const char *map_name, int fd)
{
    struct stat st;
    return fstat(fd, &st) == 0 && S_ISBLK(st.st_mode) && dmcrypt_above(map_name, st.st_rdev);
}

static int to_map(const struct dm_device *f, struct map *ret, struct error *e)
{
    uint64_t sectors = 0;
    uint32_t flags = 0;
    int r = dmcrypt_read_table(f->name, &sectors, &flags, e);
    if (r < 0)
        return r;
    *ret = (struct map){.open_count = f->info.open_count,
                        .size_bytes = sectors * 512,
                        .flags = flags,
                        .read_only = f->info.read_only != 0};
    if (str_copy(ret->name, sizeof ret->name, f->name) < 0 ||
        str_copy(ret->uuid, sizeof ret->uuid, f->uuid) < 0)
        return error_set(e, -EUNSAFE, "map %s: has a uuid of Mayfly, but another name; see dmsetup info",
                         f->name);
    return 0;
}

int dmcrypt_find(const char *map_name, struct map *ret, struct error *e)
{
    struct dm_device f;
    int r = dm_look_up(map_name, NULL, &f, e);
    if (r == -ENOENT)
        return error_set(e, r, "map %s: is not open", map_name);
    if (r == 0)
        r = refuse_foreign(&f, e);
    return r < 0 ? r : to_map(&f, ret, e);
}

/* Lists maps by the prefix of their uuids: most devices are volumes of LVM. Since Linux 5.13 the kernel lists
 * only uuids with our prefix. Older ones ignore the prefix, and each device is asked for its uuid. */
int dmcrypt_list(struct map **ret, size_t *ret_n, struct error *e)
{
    _cleanup_task_ struct dm_task *t = NULL;
    _cleanup_free_ struct map *maps = NULL;
    struct dm_device f;
    size_t n = 0;
    int r = dm_new_task(DM_DEVICE_LIST, NULL, MAP_UUID_PREFIX, &t);
    if (r == 0)
        r = dm_run_task(t);
    if (r < 0)
        return error_set(e, r, "maps: cannot be listed: %s",
                         r == -ENODEV ? "no device-mapper" : dm_last_message);
    const struct dm_names *d = dm_task_get_names(t);
    for (bool more = d && d->dev; more; more = d->next, d = (const void *)((const char *)d + d->next)) {
        r = dm_look_up(d->name, NULL, &f, e);
        if (r == -ENOENT || (r == 0 && !str_starts(f.uuid, MAP_UUID_PREFIX)))
            continue;
        struct map *bigger = r < 0 ? NULL : reallocarray(maps, n + 1, sizeof *maps);
        if (bigger)
            maps = bigger;
        if (r == 0)
            r = bigger ? to_map(&f, &maps[n++], e) : error_memory(e);
        if (r < 0)
            return r;
    }
    *ret = TAKE_PTR(maps);
    *ret_n = n;
    return 0;
}
