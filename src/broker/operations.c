/* SPDX-License-Identifier: Apache-2.0 */
/* What the broker does as root. See ops.def for why each is safe, and mayfly-tags(7) for what the tags say.
 *
 *     request --> server.c: size --> authorise.c: names, group, lock --> here: the volume's own tags
 *             --> LVM, device-mapper
 *
 * A key is never kept beyond the request that brought it. The requests for sets of volumes are in sets.c,
 * those that change nothing in look.c.
 */
#include "broker/operations.h"

#include "base/fd.h"
#include "base/log.h"
#include "broker/device.h"
#include "broker/sandbox.h"
#include "storage/check.h"
#include "storage/dmcrypt.h"
#include "storage/facts.h"
#include "storage/mkfs.h"
#include "storage/rules.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

/* Reads the size that LVM gave the new volume. */
static int read_device_size(struct volume *v, struct error *e)
{
    _cleanup_close_ int fd = -1;
    int r = device_open_volume(v, O_RDONLY, &fd, e);
    return r < 0 ? r : device_size(fd, &v->size_bytes, e);
}

int do_CREATE(struct session *s, const struct op_create *q, int fd, struct reply *reply, struct error *e)
{
    struct session_volume k = {.v = q->volume, .made_here = true};
    struct lvm *lvm = NULL;

    UNUSED(fd);
    int r = rules_create(&k.v, e);
    if (r == 0)
        r = session_lvm(s, &lvm, e);
    if (r == 0)
        r = session_check_disk_new(s, k.v.disk, e);
    if (r == 0)
        r = lvm_create(lvm, &k.v, e);
    if (r < 0)
        return r;

    r = read_device_size(&k.v, e);
    if (r == 0)
        r = session_add(s, &k, e);
    if (r < 0) {
        const struct volume *made = &k.v; /* we made it a moment ago, so nothing is in it */
        int undone = lvm_remove(lvm, &made, 1, NULL);
        if (undone < 0)
            log_warning("volume %s/%s: cannot be removed again: %s", k.v.vg, k.v.lv, strerror(-undone));
        return r;
    }
    reply->size_bytes = k.v.size_bytes;
    return 0;
}

int do_SNAPSHOT(struct session *s, const struct op_snapshot *q, int fd, struct reply *reply, struct error *e)
{
    _cleanup_secret_ struct secret *key = NULL;
    _cleanup_close_ int active = -1;
    struct session_volume snapshot = {.made_here = true}, *origin = NULL;

    int r = session_get_fresh(s, &q->origin, &origin, e);
    if (r == 0)
        r = rules_origin(&origin->v, e);
    if (r == 0)
        r = receive_key(&origin->v, fd, &key, e);
    if (r == 0)
        r = rules_design_snapshot(&origin->v, q->disk, q->room_bytes, key, &snapshot.v, e);
    if (r == 0)
        r = session_check_disk_new(s, snapshot.v.disk, e);
    if (r == 0) /* LVM makes snapshots of active volumes only */
        r = session_open_volume(s, &origin->v, O_RDONLY, &active, e);
    if (r == 0)
        r = lvm_snapshot(s->lvm, &origin->v, &snapshot.v, e);
    if (r < 0)
        return r;
    reply->size_bytes = snapshot.v.size_bytes;
    return session_add(s, &snapshot, e);
}

/* Refuses a ready volume that others have open, apart from `ours`: they could write to its contents. */
static int check_alone(const struct volume *v, int fd, int ours, struct error *e)
{
    struct error why = ERROR_NONE;
    int r = v->state == VOLUME_READY ? device_check_unused(fd, ours, &why) : 0;
    return r < 0 ? error_set(e, r, "volume %s: cannot be opened: %s", v->lv, why.text) : 0;
}

static int check_not_shared(const struct volume *v, int fd, struct error *e)
{
    char name[MAP_NAME_MAX];
    struct map map;
    volume_map_name(v, name);
    return dmcrypt_find(name, &map, NULL) == -ENOENT ? check_alone(v, fd, 1, e) : 0;
}

static int check_not_suspended(const struct volume *v, int fd, struct error *e)
{
    if (!device_suspended(fd))
        return 0;
    return error_set(
        e, -ENEEDSRECOVER,
        "volume %s/%s: is suspended, as an lvm that was killed leaves it: nothing can be read or "
        "written; run mayfly recover",
        v->vg, v->lv);
}

int prepare_map(struct session *s, const struct volume *v, enum map_use use, struct map_options *ret,
                int *ret_device, struct error *e)
{
    _cleanup_close_ int fd = -1;
    struct stat st = {.st_rdev = 0};
    struct facts facts;
    int r = session_open_volume(s, v, O_RDONLY, &fd, e);
    if (r == 0)
        r = check_not_suspended(v, fd, e);
    if (r == 0)
        r = check_not_shared(v, fd, e);
    if (r < 0)
        return r;
    if (fstat(fd, &st) < 0)
        return error_set(e, errno, "volume %s: its device does not tell what it is: %m", v->lv);
    facts_of_device(st.st_rdev, dmcrypt_version(), &facts);
    *ret = (struct map_options){.below = st.st_rdev,
                                .flags = choose_flags(s->config, &facts, NULL),
                                .use = use,
                                .read_only = map_use_reads_only(use, v)};
    *ret_device = TAKE_FD(fd);
    return 0;
}

int open_map(const struct volume *v, const struct secret *key, const struct map_options *o,
             struct reply *reply, struct error *e)
{
    int r = dmcrypt_open(v, key, o, &reply->was_open, e);
    if (r < 0)
        return r;
    r = device_open_map(v, o->read_only, &reply->fd, e);
    if (r == 0)
        r = device_size(reply->fd, &reply->size_bytes, e);
    if (r < 0 && !reply->was_open) {
        char name[MAP_NAME_MAX];
        volume_map_name(v, name);
        reply->fd = fd_close(reply->fd);
        if (dmcrypt_close(name, SETTLE_NOW, NULL) < 0)
            log_warning("map %s: cannot be closed again", name);
    }
    return r;
}

int receive_key(const struct volume *v, int fd, struct secret **ret, struct error *e)
{
    _cleanup_secret_ struct secret *key = NULL;
    if (!volume_encrypted(v))
        return error_set(e, -EINVAL, "volume %s: is not encrypted, so no key can open it", v->lv);
    int r = secret_receive(fd, v->key_bits / 8, &key, e);
    if (r == 0)
        r = volume_verify_key(v, key, e);
    if (r == 0)
        *ret = TAKE_PTR(key);
    return r;
}

int do_OPEN(struct session *s, const struct op_open *q, int fd, struct reply *reply, struct error *e)
{
    _cleanup_secret_ struct secret *key = NULL;
    _cleanup_close_ int device = -1; /* held open, so that the map leads to the volume that was checked */
    struct map_options options;
    struct session_volume *k = NULL;

    int r = session_get(s, &q->volume, &k, e);
    if (r == 0)
        r = rules_open(&k->v, e);
    if (r == 0)
        r = receive_key(&k->v, fd, &key, e);
    if (r == 0)
        r = prepare_map(s, &k->v, q->use, &options, &device, e);
    options.settle = q->settle;
    if (r == 0)
        r = open_map(&k->v, key, &options, reply, e);
    if (r < 0)
        return r;
    k->opened_here = true;
    k->unsettled = q->settle == SETTLE_LATER && !reply->was_open;
    return 0;
}

/* Waits for the nodes of all maps, and checks those of the instance. The others are checked when they are
 * settled. */
int do_SETTLE(struct session *s, const struct op_settle *q, int fd, struct reply *reply, struct error *e)
{
    int first = 0;

    UNUSED(fd), UNUSED(reply);
    dmcrypt_settle();
    for (size_t i = 0; i < s->n_known; i++) {
        struct session_volume *k = &s->known[i];
        if (!k->unsettled || (q->instance[0] && !streq(k->v.instance, q->instance)))
            continue;
        int r = dmcrypt_check_node(&k->v, first < 0 ? NULL : e);
        k->unsettled = false;
        first = first < 0 ? first : r;
    }
    return first;
}

int do_TUNE(struct session *s, const struct op_volume *q, int fd, struct reply *reply, struct error *e)
{
    _cleanup_secret_ struct secret *key = NULL;
    _cleanup_close_ int device = -1; /* held open, so that the map leads to the volume that was checked */
    struct map_options options;
    struct session_volume *k = NULL;

    int r = session_get(s, &q->volume, &k, e);
    if (r == 0)
        r = rules_tune(&k->v, e);
    if (r == 0)
        r = receive_key(&k->v, fd, &key, e);
    if (r == 0)
        r = prepare_map(s, &k->v, MAP_FOR_DOMAIN, &options, &device, e);
    if (r == 0)
        r = dmcrypt_tune(&k->v, key, &options, &reply->changed, e);
    reply->untouched[0] = !reply->changed;
    return r;
}

/* Opens the volume itself, once for the process that will serve it, and once more for the caller. */
int do_OPEN_VOLUME(struct session *s, const struct op_open *q, int fd, struct reply *reply, struct error *e)
{
    _cleanup_secret_ struct secret *key = NULL;
    struct session_volume *k = NULL;

    int r = session_get(s, &q->volume, &k, e);
    if (r == 0)
        r = rules_open_volume(&k->v, q->use, e);
    if (r == 0)
        r = receive_key(&k->v, fd, &key, e);
    if (r == 0)
        r = check_closed(&k->v, e);
    if (r == 0)
        r = session_open_volume(s, &k->v, O_RDWR, &reply->fd, e);
    if (r == 0)
        r = check_not_suspended(&k->v, reply->fd, e);
    bool has_keeper = r == 0 && device_has_keeper(&k->v, reply->fd);
    if (r == 0)
        r = check_alone(&k->v, reply->fd, has_keeper ? 2 : 1, e);
    if (r == 0)
        r = device_size(reply->fd, &reply->size_bytes, e);
    if (r < 0)
        return r;
    reply->untouched[0] = has_keeper && k->opened_here; /* the caller's second descriptor of one opening */
    k->opened_here = true;
    return 0;
}

int do_OPEN_PLAIN(struct session *s, const struct op_volume *q, int fd, struct reply *reply, struct error *e)
{
    struct session_volume *k = NULL;

    UNUSED(fd);
    int r = session_get(s, &q->volume, &k, e);
    if (r == 0)
        r = rules_open_plain(&k->v, k->made_here, e);
    if (r == 0) /* for writing alone: the caller must not read what the blocks held before */
        r = session_open_volume(s, &k->v, O_WRONLY, &reply->fd, e);
    if (r == 0)
        r = device_size(reply->fd, &reply->size_bytes, e);
    if (r < 0)
        return r;
    k->opened_here = true;
    return 0;
}

int do_FORMAT(struct session *s, const struct op_format *q, int fd, struct reply *reply, struct error *e)
{
    char path[DEVICE_PATH_MAX];
    struct session_volume *k = NULL;

    UNUSED(fd), UNUSED(reply);
    int r = mkfs_check(q->fs, q->label, e);
    if (r == 0)
        r = session_get(s, &q->volume, &k, e);
    /* An encrypted volume is reached by the map that this connection opened, which has the disk's uuid. A
     * plain one is reached by its name, which a person may have given to another volume since. */
    if (r == 0 && !volume_encrypted(&k->v))
        r = session_get_fresh(s, &q->volume, &k, e);
    if (r == 0)
        r = rules_format(&k->v, k->made_here && k->opened_here, e);
    if (r < 0)
        return r;

    _cleanup_close_ int device = -1; /* held open, so that the path leads to the device that was checked */
    r = volume_encrypted(&k->v) ? device_open_map(&k->v, false, &device, e)
                                : device_open_volume(&k->v, O_RDONLY, &device, e);
    if (r == 0)
        r = device_path(device, &k->v, path, e);
    if (r < 0)
        return r;
    const struct mkfs m = {
        .fs = q->fs, .label = q->label, .noise = volume_encrypted(&k->v), .prepare = sandbox_mkfs};
    r = mkfs_make(&m, path, e);
    if (r < 0)
        error_prefix(e, "volume %s: cannot be formatted as %s: ", k->v.lv, q->fs);
    return r;
}

int do_CLOSE(struct session *s, const struct op_close *q, int fd, struct reply *reply, struct error *e)
{
    struct volume named = {0}; /* by its name alone: its volume may be gone */
    char map_name[MAP_NAME_MAX];
    struct map map;

    UNUSED(fd);
    memcpy(named.lv, q->volume.lv, sizeof named.lv);
    volume_map_name(&named, map_name);
    int found = dmcrypt_find(map_name, &map, NULL);
    bool stays = found == 0 && map_uuid_use(map.uuid) > q->up_to;
    reply->changed = found != -ENOENT && !stays;
    reply->untouched[0] = !reply->changed;
    if (stays)
        return 0;
    int r = dmcrypt_close(map_name, q->settle, e);
    if (r < 0)
        return r;
    struct session_volume *k = session_find(s, &q->volume);
    if (k)
        k->opened_here = k->unsettled = false;
    return 0;
}
