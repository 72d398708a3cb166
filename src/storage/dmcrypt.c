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

/* The size of the logical volume's own device. */
static int find_volume(const struct volume *v, dev_t below, uint64_t *ret_sectors, struct error *e)
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

/* The name of a map over the volume whose uuid is of this disk; false: there is none. It finds one whose mark
 * has a time in it, which cannot be looked up. */
static bool find_above(const char *disk, dev_t below, char name[MAP_NAME_MAX])
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
        file_line(path, name, MAP_NAME_MAX);
    }
    return found;
}

/* There is no map of that name. Is there one of this disk under another name? */
static int check_no_other(const struct volume *v, const char *name, dev_t below, struct error *e)
{
    char uuid[MAP_UUID_MAX], other[MAP_NAME_MAX];
    struct found f;
    map_uuid_make(v->disk, MAP_FOR_DOMAIN, uuid);
    int r = dm_look_up(NULL, uuid, &f, e);
    map_uuid_make(v->disk, MAP_TO_STAY, uuid);
    if (r == -ENOENT)
        r = dm_look_up(NULL, uuid, &f, e);
    if (r < 0 && r != -ENOENT)
        return r;
    if (r == -ENOENT && !find_above(v->disk, below, other))
        return 0;
    return error_set(e, -EUNSAFE, "map %s: refused: map %s has the uuid of this disk; see dmsetup info", name,
                     r == 0 ? f.name : other);
}

/* 0: there is no map. -EEXIST, without a sentence: this disk's map is there. -EUNSAFE: another map is. */
static int check_existing(const struct volume *v, const char *name, dev_t below, bool *ret_read_only,
                          struct error *e)
{
    struct found f;
    int r = dm_look_up(name, NULL, &f, e);
    if (r == -ENOENT)
        return check_no_other(v, name, below, e);
    if (r < 0)
        return r;
    if (!map_uuid_is_of(f.uuid, v->disk))
        return error_set(e, -EUNSAFE,
                         "map %s: refused: a map of this name is there with uuid '%s', which is not this "
                         "disk's; see dmsetup info",
                         name, f.uuid);
    if (!f.info.live_table && f.info.open_count == 0) /* its maker was interrupted before it led anywhere */
        return dm_remove_map(name) < 0
                   ? error_set(e, -EBUSY, "map %s: half made, and cannot be removed", name)
                   : 0;
    if (!dmcrypt_above(name, below))
        return error_set(e, -EUNSAFE,
                         "map %s: refused: it is open and leads to another device than %s/%s; see dmsetup "
                         "deps",
                         name, v->vg, v->lv);
    *ret_read_only = f.info.read_only != 0;
    return -EEXIST;
}

uint32_t dmcrypt_version(void)
{
    uint32_t version[3] = {0};
    return dm_load_target("crypt", version) < 0 ? 0 : CRYPT_VERSION(version[0], version[1]);
}

/* libdevmapper passes the kernel's errno on in its message alone (-EIO here); the rest is in dmesg. */
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

/* The one target of a map's table. */
static int add_crypt(struct dm_task *t, const struct volume *v, uint64_t sectors, const struct map_options *o)
{
    char params[256 + CRYPT_OPTIONS_TEXT_MAX], options[CRYPT_OPTIONS_TEXT_MAX];
    crypt_options_text(v->sector_bytes, !o->plain_iv, o->flags, options);
    snprintf(params, sizeof params, "%s :%" PRIu32 ":logon:mayfly:%s 0 %u:%u 0%s", v->cipher, v->key_bits / 8,
             v->disk, major(o->below), minor(o->below), options);
    return dm_task_add_target(t, 0, sectors, "crypt", params) ? 0 : -ENOMEM;
}

static int create(const struct volume *v, const char *name, uint64_t sectors, const struct map_options *o,
                  struct dm_info *ret, struct error *e)
{
    _cleanup_task_ struct dm_task *t = NULL;
    char uuid[MAP_UUID_MAX];
    map_uuid_make(v->disk, o->use, uuid);

    int r = dm_new_task(DM_DEVICE_CREATE, name, uuid, &t);
    if (r == 0)
        r = add_crypt(t, v, sectors, o);
    if (r == 0 && o->read_only && !dm_task_set_ro(t))
        r = -ENOMEM;
    if (r == 0)
        r = dm_change_nodes(t);
    if (r == 0 && !dm_task_get_info(t, ret)) {
        error_set(e, -EIO, "map %s: was made, and device-mapper tells nothing of it: closed again", name);
        dm_remove_map(name);
        return -EIO;
    }
    return r < 0 ? explain_create(v, name, r, e) : 0;
}

/* A node that leads elsewhere would be written to instead. */
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

static int open_new(const struct volume *v, const char *name, uint64_t sectors, const struct map_options *o,
                    struct error *e)
{
    struct dm_info info;
    int r = create(v, name, sectors, o, &info, e);
    if (r < 0 || o->settle == SETTLE_LATER)
        return r;
    dm_settle();
    return check_node(name, &info, e);
}

void dmcrypt_settle(void)
{
    dm_settle();
}

int dmcrypt_check_node(const struct volume *v, struct error *e)
{
    char name[MAP_NAME_MAX];
    struct found f;
    volume_map_name(v, name);
    int r = dm_look_up(name, NULL, &f, e);
    if (r == -ENOENT)
        return error_set(e, r, "map %s: is gone; somebody else has closed it", name);
    return r < 0 ? r : check_node(name, &f.info, e);
}

/* If the kernel refuses the other table, the map goes on with the one that it has. */
static void keep_table(const char *name)
{
    _cleanup_task_ struct dm_task *clear = NULL, *resume = NULL;
    if (dm_new_task(DM_DEVICE_CLEAR, name, NULL, &clear) < 0 || dm_run_task(clear) < 0)
        log_warning("map %s: keeps a table that it was not to have: %s", name, dm_last_message);
    if (dm_new_task(DM_DEVICE_RESUME, name, NULL, &resume) < 0 || dm_run_task_and_nodes(resume) < 0)
        log_warning("map %s: may be suspended; see dmsetup info, dmsetup resume: %s", name, dm_last_message);
}

/* Loads a second table beside the one in use, then changes from one to the other. The kernel does that at
 * once: requests under way are finished, new ones wait. If this is cut off in between, the map is as it was;
 * the loaded table goes with the map, or the next one replaces it. */
static int replace_table(const struct volume *v, const char *name, uint64_t sectors,
                         const struct map_options *o, struct error *e)
{
    _cleanup_task_ struct dm_task *load = NULL, *resume = NULL;
    int r = dm_new_task(DM_DEVICE_RELOAD, name, NULL, &load);
    if (r == 0)
        r = add_crypt(load, v, sectors, o);
    if (r == 0 && o->read_only && !dm_task_set_ro(load)) /* a map is as its last table */
        r = -ENOMEM;
    if (r == 0)
        r = dm_run_task(load);
    if (r == 0)
        r = dm_new_task(DM_DEVICE_RESUME, name, NULL, &resume);
    if (r == 0)
        r = dm_run_task_and_nodes(resume);
    if (r == 0)
        return 0;
    error_set(e, r, "map %s: cannot be given another table: %s; see dmesg", name, dm_last_message);
    keep_table(name);
    return r;
}

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

/* The state before a map is opened or changed. */
struct place {
    char name[MAP_NAME_MAX]; /* of the map */
    uint64_t sectors;        /* of the volume */
    bool there;              /* the map, with: */
    uint64_t has_sectors;
    uint32_t has_flags;
    bool read_only;
};

static int find_place(const struct volume *v, dev_t below, struct place *ret, struct error *e)
{
    *ret = (struct place){.there = false};
    volume_map_name(v, ret->name);
    int r = find_volume(v, below, &ret->sectors, e);
    if (r == 0)
        r = check_existing(v, ret->name, below, &ret->read_only, e);
    ret->there = r == -EEXIST;
    return ret->there ? dmcrypt_read_table(ret->name, &ret->has_sectors, &ret->has_flags, e) : r;
}

/* Makes the map, or gives the one that is there another table. */
static int make(const struct volume *v, const struct secret *volume_key, const struct place *p,
                const struct map_options *o, struct error *e)
{
    struct map_options options = *o;
    key_serial_t key = 0;
    options.read_only = p->there ? p->read_only : o->read_only;
    int r = give_key(v, volume_key, p->name, &key, e);
    if (r == 0)
        r = (p->there ? replace_table : open_new)(v, p->name, p->sectors, &options, e);
    if (key > 0) {
        keyctl_revoke(key); /* frees the payload now; what is unlinked waits for the garbage collector */
        keyctl_unlink(key, KEY_SPEC_THREAD_KEYRING);
    }
    return r;
}

int dmcrypt_open(const struct volume *v, const struct secret *volume_key, const struct map_options *o,
                 struct error *e)
{
    struct place p;
    int r = find_place(v, o->below, &p, e);
    if (r == 0 && p.there && p.read_only != o->read_only)
        r = error_set(e, -EBUSY, "map %s: is open %s; close it first", p.name,
                      p.read_only ? "read-only" : "for writing");
    if (r == 0 && p.has_sectors < p.sectors)
        r = make(v, volume_key, &p, o, e);
    if (r < 0)
        return r;
    return p.there ? error_set(e, -EEXIST, "map %s: is open already", p.name) : 0;
}

int dmcrypt_tune(const struct volume *v, const struct secret *volume_key, const struct map_options *o,
                 bool *ret_changed, struct error *e)
{
    struct place p;
    int r = find_place(v, o->below, &p, e);
    if (r == 0 && !p.there)
        r = error_set(e, -ENOENT, "map %s: is not open", p.name);
    if (r == 0 && p.sectors < p.has_sectors)
        r = error_set(e, -EUNSAFE, "map %s: left alone: it is longer than its volume", p.name);
    if (r < 0)
        return r;
    *ret_changed = p.has_flags != o->flags || p.has_sectors < p.sectors;
    return *ret_changed ? make(v, volume_key, &p, o, e) : 0;
}
