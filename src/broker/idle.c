/* SPDX-License-Identifier: Apache-2.0 */
/* Checks whether a volume is in use, so that it must not be removed or overwritten. Nothing in LVM may depend
 * on it, no map may be over it, and nobody may hold it. See operations.h. */
#include "broker/operations.h"

#include "base/fd.h"
#include "broker/device.h"
#include "storage/dmcrypt.h"

#include <fcntl.h>

/* Refuses a volume with a dependent: LVM would remove that along with the volume, or keep in it what is
 * overwritten. */
int check_no_dependents(const struct session_volume *k, struct error *e)
{
    if (!k->dependent[0])
        return 0;
    return error_set(e, -EUNSAFE, "volume %s/%s: is left as it is: %s", k->v.vg, k->v.lv, k->dependent);
}

/* Refuses a disk with a snapshot of our own: LVM would remove that along with the disk, without the steps
 * that must come first (see instance/export.h). */
static int check_no_snapshot(struct session *s, const struct volume *v, struct error *e)
{
    struct volume snapshot = *v;
    memcpy(snapshot.role, ROLE_SNAPSHOT, sizeof ROLE_SNAPSHOT);
    volume_set_lv_name(&snapshot);
    const struct volume_ref ref = volume_ref_of(&snapshot);
    if (volume_is_snapshot(v) || !session_find(s, &ref))
        return 0;
    return error_set(e, -EBUSY,
                     "volume %s: is left as it is, since %s may be a snapshot of it; remove that first",
                     v->lv, ref.lv);
}

/* Looks for the volume's map. A map of this name that is not ours is an error. */
static int look_for_map(const struct volume *v, bool *ret_open, struct error *e)
{
    char name[MAP_NAME_MAX];
    struct map map;
    struct error why = ERROR_NONE;
    volume_map_name(v, name);
    int r = dmcrypt_find(name, &map, &why);
    if (r < 0 && r != -ENOENT)
        return error_set(e, r, "volume %s: is left as it is, since a map of its name may lead to it: %s",
                         v->lv, why.text);
    *ret_open = r == 0;
    return 0;
}

/* Counts who may have the volume open besides us: its map, or the process that serves it. */
static int count_own(const struct volume *v, int fd)
{
    char name[MAP_NAME_MAX];
    volume_map_name(v, name);
    return dmcrypt_leads_to(name, fd) || (volume_served(v) && device_has_keeper(v, fd)) ? 1 : 0;
}

/* Checks that nobody holds the volume; `open`: but its own map, or the process that serves it. */
static int check_not_held(const struct volume *v, bool open, struct error *e)
{
    _cleanup_close_ int fd = -1;
    struct error why = ERROR_NONE;
    int r = device_open_volume(v, O_RDONLY, &fd, &why);
    if (r == 0)
        r = device_check_unused(fd, 1 + (open ? count_own(v, fd) : 0), &why);
    if (r == -ENOENT || r == -ENXIO) /* not active, so nobody holds it */
        return 0;
    return r < 0 ? error_set(e, r, "volume %s: is left as it is: %s", v->lv, why.text) : 0;
}

int check_closed(const struct volume *v, struct error *e)
{
    bool open = false;
    int r = look_for_map(v, &open, e);
    if (r == 0 && open)
        r = error_set(e, -EBUSY, "volume %s: is open, and is left as it is; close it first", v->lv);
    return r;
}

int check_released(const struct session_volume *k, struct error *e)
{
    bool open = false;
    int r = check_no_dependents(k, e);
    if (r == 0 && volume_encrypted(&k->v))
        r = look_for_map(&k->v, &open, e);
    return r < 0 ? r : check_not_held(&k->v, true, e);
}

int check_idle(struct session *s, const struct session_volume *k, struct error *e)
{
    const struct volume *v = &k->v;
    int r = check_no_dependents(k, e);
    if (r == 0)
        r = check_no_snapshot(s, v, e);
    if (r == 0)
        r = check_closed(v, e);
    return r < 0 ? r : check_not_held(v, false, e);
}
