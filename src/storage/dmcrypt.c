/* SPDX-License-Identifier: Apache-2.0 */
/* dm-crypt maps by device-mapper's ioctls. See dmcrypt.h for the stack.
 *
 *     key -> thread key ring (logon: cannot be read back) -> dm-crypt's own copy; unlinked from the ring
 *
 * The key is in no table, no argument and no copy of libdevmapper's. Names are looked up in device-mapper
 * itself, never as paths, since these could lead elsewhere. Maps whose UUID lacks our prefix are never
 * touched.
 */
#include "storage/dmcrypt-table.h"

#include "base/fd.h"
#include "base/log.h"
#include "storage/dm.h"
#include "storage/facts.h"
#include "storage/holders.h"

#include <inttypes.h>
#include <keyutils.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

/* A disk's map and the volume below it, as device-mapper has them before the map is opened or changed. */
struct stack {
    char name[MAP_NAME_MAX]; /* of the map */
    uint64_t volume_sectors;
    bool open;            /* the map is there; else the rest is 0 */
    bool read_only;       /* the map is read-only */
    uint64_t map_sectors; /* of the table in use */
    uint32_t flags;       /* enum crypt_flag: of the table in use */
};

/* Reads the size of the volume's own device, which must be a logical volume. */
static int volume_sectors(const struct volume *v, dev_t below, uint64_t *ret_sectors, struct error *e)
{
    _cleanup_task_ struct dm_task *t = NULL;
    struct dm_info info = {.exists = 0};
    int r = dm_new_task(DM_DEVICE_TABLE, NULL, NULL, &t);
    if (r == 0 && (!dm_task_set_major(t, (int)major(below)) || !dm_task_set_minor(t, (int)minor(below))))
        r = -ENOMEM;
    if (r == 0)
        r = dm_run_task(t);
    if (r < 0 || !dm_task_get_info(t, &info) || !info.exists)
        return error_set(e, r == -ENODEV || r == -ENOMEM ? r : -ENOENT,
                         "volume %s/%s: cannot be opened: it has no device; activate it with lvchange -ay",
                         v->vg, v->lv);
    const char *uuid = dm_task_get_uuid(t);
    if (!uuid || !str_starts(uuid, "LVM-"))
        return error_set(e, -EUNSAFE, "volume %s/%s: refused: its device is not LVM's", v->vg, v->lv);
    *ret_sectors = dmcrypt_end_of_table(t);
    return 0;
}

/* Looks among the holders of the volume for a map of this disk: a uuid whose mark has a time in it cannot be
 * looked up. */
static bool find_above(const char *disk, dev_t below, char ret_name[MAP_NAME_MAX])
{
    char path[400], uuid[MAP_UUID_MAX];
    bool found = false;
    snprintf(path, sizeof path, "/sys/dev/block/%u:%u/holders", major(below), minor(below));
    _cleanup_closedir_ DIR *d = opendir(path);
    for (struct dirent *entry; !found && d && (entry = readdir(d));) {
        snprintf(path, sizeof path, "/sys/class/block/%s/dm/uuid", entry->d_name);
        file_line(path, uuid, sizeof uuid);
        found = entry->d_name[0] != '.' && map_uuid_is_of(uuid, disk);
        snprintf(path, sizeof path, "/sys/class/block/%s/dm/name", entry->d_name);
        file_line(path, ret_name, MAP_NAME_MAX);
    }
    return found;
}

/* Checks, where no map has the disk's name, that none of another name has its uuid. */
static int check_no_other(const struct volume *v, const char *name, dev_t below, struct error *e)
{
    static const enum map_use uses[] = {MAP_FOR_DOMAIN, MAP_TO_STAY};
    char uuid[MAP_UUID_MAX], above[MAP_NAME_MAX];
    struct dm_device f;
    const char *other = NULL;
    for (size_t i = 0; !other && i < ARRAY_SIZE(uses); i++) {
        map_uuid_make(v->disk, uses[i], uuid);
        int r = dm_look_up(NULL, uuid, &f, e);
        if (r < 0 && r != -ENOENT)
            return r;
        other = r == 0 ? f.name : NULL;
    }
    if (!other && find_above(v->disk, below, above))
        other = above;
    return other
               ? error_set(e, -EUNSAFE, "map %s: refused: map %s has the uuid of this disk; see dmsetup info",
                           name, other)
               : 0;
}

/* Fills in what `s` says of the map. -EUNSAFE: a map has the disk's name or uuid, and is not this disk's map
 * over this volume. */
static int look_at_map(const struct volume *v, dev_t below, struct stack *s, struct error *e)
{
    struct dm_device f;
    int r = dm_look_up(s->name, NULL, &f, e);
    if (r == -ENOENT)
        return check_no_other(v, s->name, below, e);
    if (r < 0)
        return r;
    if (!map_uuid_is_of(f.uuid, v->disk))
        return error_set(e, -EUNSAFE,
                         "map %s: refused: a map of this name is there with uuid '%s', which is not this "
                         "disk's; see dmsetup info",
                         s->name, f.uuid);
    if (!f.info.live_table && f.info.open_count == 0) /* its maker was interrupted before it led anywhere */
        return dm_remove_map(s->name) < 0
                   ? error_set(e, -EBUSY, "map %s: half made, and cannot be removed", s->name)
                   : 0;
    if (!dmcrypt_above(s->name, below))
        return error_set(e, -EUNSAFE,
                         "map %s: refused: it is open and leads to another device than %s/%s; see dmsetup "
                         "deps",
                         s->name, v->vg, v->lv);
    s->open = true;
    s->read_only = f.info.read_only != 0;
    return dmcrypt_read_table(s->name, &s->map_sectors, &s->flags, e);
}

static int look_at_stack(const struct volume *v, dev_t below, struct stack *ret, struct error *e)
{
    *ret = (struct stack){.open = false};
    volume_map_name(v, ret->name);
    int r = volume_sectors(v, below, &ret->volume_sectors, e);
    return r < 0 ? r : look_at_map(v, below, ret, e);
}

uint32_t dmcrypt_version(void)
{
    uint32_t version[3] = {0};
    return dm_load_target("crypt", version) < 0 ? 0 : CRYPT_VERSION(version[0], version[1]);
}

/* Explains why a map was not made. libdevmapper passes the kernel's errno on in its message alone (-EIO
 * here); the rest is in dmesg. */
static int explain_create(const struct volume *v, const char *name, int r, struct error *e)
{
    char message[sizeof dm_last_message];
    memcpy(message, dm_last_message, sizeof message);
    if (r == -ENOMEM)
        return error_memory(e);
    if (r == -ENODEV || dmcrypt_version() == 0)
        return error_set(e, -ENODEV,
                         "map %s: cannot be made: the kernel has no dm-crypt; try modprobe dm_crypt", name);
    return error_set(e, r == -EBUSY ? r : -EOPNOTSUPP,
                     "map %s: cannot be made of %s, %" PRIu32 " bits, %" PRIu32
                     "-byte sectors: %s; does this kernel "
                     "have that? see dmesg",
                     name, v->cipher, v->key_bits, v->sector_bytes, message);
}

/* Adds the one target that a map's table has. */
static int add_target(struct dm_task *t, const struct volume *v, uint64_t sectors,
                      const struct map_options *o)
{
    char params[256 + CRYPT_OPTIONS_TEXT_MAX], options[CRYPT_OPTIONS_TEXT_MAX];
    crypt_options_text(v->sector_bytes, !o->plain_iv, o->flags, options);
    snprintf(params, sizeof params, "%s :%" PRIu32 ":logon:mayfly:%s 0 %u:%u 0%s", v->cipher, v->key_bits / 8,
             v->disk, major(o->below), minor(o->below), options);
    return dm_task_add_target(t, 0, sectors, "crypt", params) ? 0 : -ENOMEM;
}

static int create_map(const struct volume *v, const struct stack *s, const struct map_options *o,
                      struct dm_info *ret, struct error *e)
{
    _cleanup_task_ struct dm_task *t = NULL;
    char uuid[MAP_UUID_MAX];
    map_uuid_make(v->disk, o->use, uuid);

    int r = dm_new_task(DM_DEVICE_CREATE, s->name, uuid, &t);
    if (r == 0)
        r = add_target(t, v, s->volume_sectors, o);
    if (r == 0 && o->read_only && !dm_task_set_ro(t))
        r = -ENOMEM;
    if (r == 0)
        r = dm_change_nodes(t);
    if (r == 0 && !dm_task_get_info(t, ret)) {
        error_set(e, -EIO, "map %s: was made, and device-mapper tells nothing of it: closed again", s->name);
        dm_remove_map(s->name);
        return -EIO;
    }
    return r < 0 ? explain_create(v, s->name, r, e) : 0;
}

/* Checks that the node leads to the map: another device would be written to instead. */
static int check_node(const char *name, const struct dm_info *info, struct error *e)
{
    char path[DEVICE_PATH_MAX];
    snprintf(path, sizeof path, "/dev/mapper/%s", name);
    if (device_is_at(path, makedev(info->major, info->minor)))
        return 0;
    dm_remove_map(name);
    return error_set(e, -ENXIO, "map %s: closed again: %s does not lead to it; is udevd in trouble?", name,
                     path);
}

static int open_new_map(const struct volume *v, const struct stack *s, const struct map_options *o,
                        struct error *e)
{
    struct dm_info info;
    int r = create_map(v, s, o, &info, e);
    if (r < 0 || o->settle == SETTLE_LATER)
        return r;
    dm_settle();
    return check_node(s->name, &info, e);
}

void dmcrypt_settle(void)
{
    dm_settle();
}

int dmcrypt_check_node(const struct volume *v, struct error *e)
{
    char name[MAP_NAME_MAX];
    struct dm_device f;
    volume_map_name(v, name);
    int r = dm_look_up(name, NULL, &f, e);
    if (r == -ENOENT)
        return error_set(e, r, "map %s: is gone; somebody else has closed it", name);
    return r < 0 ? r : check_node(name, &f.info, e);
}

/* Drops a new table that the kernel has refused, and lets the map go on with the one that it has. */
static void keep_table(const char *name)
{
    _cleanup_task_ struct dm_task *clear = NULL, *resume = NULL;
    if (dm_new_task(DM_DEVICE_CLEAR, name, NULL, &clear) < 0 || dm_run_task(clear) < 0)
        log_warning("map %s: keeps a loaded table that should have been dropped: %s", name, dm_last_message);
    if (dm_new_task(DM_DEVICE_RESUME, name, NULL, &resume) < 0 || dm_run_task_and_nodes(resume) < 0)
        log_warning("map %s: may be suspended; see dmsetup info, dmsetup resume: %s", name, dm_last_message);
}

/* Loads a second table beside the one in use, then changes from one to the other. The kernel does that at
 * once: requests under way are finished, new ones wait. If this is cut off in between, the map is as it was;
 * the loaded table goes with the map, or the next one replaces it. */
static int replace_table(const struct volume *v, const struct stack *s, const struct map_options *o,
                         struct error *e)
{
    _cleanup_task_ struct dm_task *load = NULL, *resume = NULL;
    int r = dm_new_task(DM_DEVICE_RELOAD, s->name, NULL, &load);
    if (r == 0)
        r = add_target(load, v, s->volume_sectors, o);
    if (r == 0 && s->read_only && !dm_task_set_ro(load)) /* the map becomes what its last table is */
        r = -ENOMEM;
    if (r == 0)
        r = dm_run_task(load);
    if (r == 0)
        r = dm_new_task(DM_DEVICE_RESUME, s->name, NULL, &resume);
    if (r == 0)
        r = dm_run_task_and_nodes(resume);
    if (r == 0)
        return 0;
    error_set(e, r, "map %s: cannot be given another table: %s; see dmesg", s->name, dm_last_message);
    keep_table(s->name);
    return r;
}

/* Puts the key into the key ring, where a table finds it by its description. */
static int give_key(const struct volume *v, const struct secret *volume_key, const char *name,
                    key_serial_t *ret, struct error *e)
{
    char description[64];
    snprintf(description, sizeof description, "mayfly:%s", v->disk);
    *ret = add_key("logon", description, secret_peek(volume_key), secret_size(volume_key),
                   KEY_SPEC_THREAD_KEYRING);
    if (*ret >= 0)
        return 0;
    return error_set(e, errno, "map %s: cannot be made: the kernel's key ring does not take the key: %m%s",
                     name, errno == EDQUOT ? "; see /proc/sys/kernel/keys/root_maxkeys" : "");
}

/* Opens the map, or gives the open one another table, while the key is in the ring. */
static int load_table(const struct volume *v, const struct secret *volume_key, const struct stack *s,
                      const struct map_options *o, struct error *e)
{
    key_serial_t key = 0;
    int r = give_key(v, volume_key, s->name, &key, e);
    if (r == 0)
        r = s->open ? replace_table(v, s, o, e) : open_new_map(v, s, o, e);
    if (key > 0) {
        keyctl_revoke(key); /* frees the payload now; unlinking leaves that to the garbage collector */
        keyctl_unlink(key, KEY_SPEC_THREAD_KEYRING);
    }
    return r;
}

int dmcrypt_open(const struct volume *v, const struct secret *volume_key, const struct map_options *o,
                 bool *ret_was_open, struct error *e)
{
    struct stack s;
    int r = look_at_stack(v, o->below, &s, e);
    if (r == 0 && s.open && s.read_only != o->read_only)
        r = error_set(e, -EBUSY, "map %s: is open %s; close it first", s.name,
                      s.read_only ? "read-only" : "for writing");
    if (r == 0 && s.map_sectors < s.volume_sectors) /* not open, or shorter since a resize was cut off */
        r = load_table(v, volume_key, &s, o, e);
    if (r == 0)
        *ret_was_open = s.open;
    return r;
}

int dmcrypt_tune(const struct volume *v, const struct secret *volume_key, const struct map_options *o,
                 bool *ret_changed, struct error *e)
{
    struct stack s;
    int r = look_at_stack(v, o->below, &s, e);
    if (r == 0 && !s.open)
        r = error_set(e, -ENOENT, "map %s: is not open", s.name);
    if (r == 0 && s.volume_sectors < s.map_sectors)
        r = error_set(e, -EUNSAFE, "map %s: left alone: it is longer than its volume", s.name);
    if (r < 0)
        return r;
    *ret_changed = s.flags != o->flags || s.map_sectors < s.volume_sectors;
    return *ret_changed ? load_table(v, volume_key, &s, o, e) : 0;
}
