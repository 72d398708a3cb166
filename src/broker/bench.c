/* SPDX-License-Identifier: Apache-2.0 */
/* BENCH: lends the scratch volume of mayfly bench, directly or through a map, to the connection that made it.
 *
 * The volume's extents may hold old data of anybody: in plaintext, of a plain disk or of another user of the
 * group. A user who reads the volume could read that, also through a map with his own key. So the whole
 * volume is overwritten before it is first lent: through a map, so that the device must really write.
 */
#include "broker/operations.h"

#include "base/fd.h"
#include "broker/device.h"

#include <fcntl.h>

static int check_scratch(const struct session_volume *k, struct error *e)
{
    const struct volume *v = &k->v;
    if (volume_is_bench(v) && volume_encrypted(v) && k->made_here && v->state == VOLUME_BUILDING)
        return 0;
    return error_set(e, -EUNSAFE,
                     "volume %s: only a scratch volume is lent, and only to the mayfly that made it", v->lv);
}

static int close_map(const struct volume *v, struct error *e)
{
    char name[MAP_NAME_MAX];
    volume_map_name(v, name);
    return dmcrypt_close(name, SETTLE_NOW, e);
}

static int overwrite(const struct volume *v, const struct secret *key, const struct map_options *o,
                     struct error *e)
{
    struct reply map = {.fd = -1};
    struct error why = ERROR_NONE;
    int r = open_map(v, key, o, &map, e);
    if (r < 0)
        return r;
    r = device_zero(map.fd, v, e);
    map.fd = fd_close(map.fd);
    int closed = close_map(v, &why);
    return r == 0 && closed < 0 ? error_pass(e, closed, &why) : r;
}

/* Opens the map that cryptsetup luksFormat would make here: LUKS2, and no performance flags. */
static int open_as_cryptsetup(const struct volume *v, int device, const struct secret *key,
                              const struct map_options *ours, struct reply *reply, struct error *e)
{
    struct volume other = *v;
    const struct map_options options = {.below = ours->below, .plain_iv = true};
    other.sector_bytes = device_luks_sector_bytes(device);
    return open_map(&other, key, &options, reply, e);
}

static int lend_scratch(struct session *s, const struct volume *v, int device, const struct secret *key,
                        enum bench_table table, const struct map_options *ours, struct reply *reply,
                        struct error *e)
{
    int r = 0;
    switch (table) {
    case BENCH_TABLE_OURS:
        return open_map(v, key, ours, reply, e);
    case BENCH_TABLE_CRYPTSETUP:
        return open_as_cryptsetup(v, device, key, ours, reply, e);
    default:
        r = session_open_volume(s, v, O_RDWR, &reply->fd, e);
        return r < 0 ? r : device_size(reply->fd, &reply->size_bytes, e);
    }
}

int do_BENCH(struct session *s, const struct op_bench *q, int fd, struct reply *reply, struct error *e)
{
    _cleanup_secret_ struct secret *key = NULL;
    _cleanup_close_ int device = -1;
    struct map_options ours;
    struct session_volume *k = NULL;

    int r = session_get_fresh(s, &q->volume, &k, e);
    if (r == 0)
        r = check_scratch(k, e);
    if (r == 0)
        r = receive_key(&k->v, fd, &key, e);
    if (r == 0) /* no map may be there, so that each one is new, with the requested table */
        r = check_idle(s, k, e);
    if (r == 0)
        r = prepare_map(s, &k->v, MAP_FOR_DOMAIN, &ours, &device, e);
    if (r == 0 && !k->overwritten)
        r = overwrite(&k->v, key, &ours, e);
    if (r < 0)
        return r;
    k->overwritten = true;
    return lend_scratch(s, &k->v, device, key, (enum bench_table)q->table, &ours, reply, e);
}
