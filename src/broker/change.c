/* SPDX-License-Identifier: Apache-2.0 */
/* RESIZE, ENGINE, REMAKE and RESUME: changes of an existing volume. Its tags are read again first, since
 * people can change them. */
#include "broker/operations.h"

#include "base/fd.h"
#include "broker/device.h"
#include "storage/rules.h"
#include "storage/suspended.h"

#include <fcntl.h>

int do_RESIZE(struct session *s, const struct op_resize *q, int fd, struct reply *reply, struct error *e)
{
    struct session_volume *k = NULL;
    struct lvm *lvm = NULL;
    _cleanup_close_ int device = -1;

    UNUSED(fd);
    int r = session_get_fresh(s, &q->volume, &k, e);
    if (r == 0)
        r = rules_resize(&k->v, q->size_bytes, e);
    if (r == 0)
        r = session_lvm(s, &lvm, e);
    reply->untouched[0] = r == 0 && q->size_bytes == k->v.size_bytes;
    if (r == 0 && !reply->untouched[0])
        r = lvm_extend(lvm, &k->v, q->size_bytes, e);
    if (r == 0)
        r = session_open_volume(s, &k->v, O_RDONLY, &device, e);
    if (r == 0)
        r = device_size(device, &k->v.size_bytes, e);
    if (r == 0)
        reply->size_bytes = k->v.size_bytes;
    return r;
}

int do_ENGINE(struct session *s, const struct op_engine *q, int fd, struct reply *reply, struct error *e)
{
    struct session_volume *k = NULL;
    struct volume other;
    struct lvm *lvm = NULL;

    UNUSED(fd);
    int r = session_get_fresh(s, &q->volume, &k, e);
    if (r == 0)
        r = rules_engine(&k->v, q->engine, &other, e);
    if (r == 0)
        r = check_idle(s, k, e);
    if (r == 0)
        r = session_lvm(s, &lvm, e);
    reply->untouched[0] = r == 0 && k->v.engine == other.engine;
    if (r == 0 && !reply->untouched[0])
        r = lvm_retag(lvm, &k->v, &other, e);
    if (r == 0)
        k->v.engine = other.engine;
    return r;
}

int do_REMAKE(struct session *s, const struct op_create *q, int fd, struct reply *reply, struct error *e)
{
    struct volume_ref ref = volume_ref_of(&q->volume);
    struct session_volume *k = NULL;
    struct lvm *lvm = NULL;

    UNUSED(fd), UNUSED(reply);
    int r = session_get_fresh(s, &ref, &k, e);
    if (r == 0)
        r = rules_remake(&k->v, &q->volume, e);
    if (r == 0)
        r = check_idle(s, k, e);
    if (r == 0)
        r = session_check_disk_new(s, q->volume.disk, e);
    if (r == 0)
        r = session_lvm(s, &lvm, e);
    if (r == 0)
        r = lvm_retag(lvm, &k->v, &q->volume, e);
    if (r < 0)
        return r;
    uint64_t size_bytes = k->v.size_bytes;
    *k = (struct session_volume){.v = q->volume, .made_here = true};
    k->v.size_bytes = size_bytes;
    return clear_plain(s, &k->v, e);
}

/* Refreshes the volume. LVM reports a failure if it resumed more devices than it knew to be suspended. So a
 * failure counts only if the volume is still suspended. It is then left as it is, since its old table would
 * be wrong for a snapshot that others made. A volume that is building or doomed is resumed all the same: it
 * will be removed. */
static int refresh_volume(struct session *s, const struct volume *v, struct error *e)
{
    struct error why = ERROR_NONE;
    struct lvm *lvm = NULL;
    int r = session_lvm(s, &lvm, e);
    if (r < 0)
        return r;
    r = lvm_refresh(lvm, v, &why);
    if (r < 0 && v->state != VOLUME_BUILDING && v->state != VOLUME_DOOMED && suspended_is(v))
        return error_pass(e, r, &why);
    return suspended_resume(v, e);
}

/* Reads the group first: LVM waits for the group's lock, so no other command of LVM is still at work there.
 * Only a group that was read, and does not have the volume, proves that the volume's removal was
 * committed. */
int do_RESUME(struct session *s, const struct op_volume *q, int fd, struct reply *reply, struct error *e)
{
    struct volume named = {0}; /* by its name alone: LVM's metadata may not have it any more */
    struct error why = ERROR_NONE;

    UNUSED(fd), UNUSED(reply);
    memcpy(named.vg, q->volume.vg, sizeof named.vg);
    memcpy(named.lv, q->volume.lv, sizeof named.lv);
    int r = session_load(s, &q->volume, &why);
    if (r < 0)
        return error_set(e, -EIO, "volume %s/%s: has suspended devices, and LVM cannot report on it: %s",
                         named.vg, named.lv, why.text);
    const struct session_volume *k = session_find(s, &q->volume);
    if (!k)
        return suspended_remove(&named, e);
    r = suspended_clear(&named, e);
    return r < 0 ? r : refresh_volume(s, &k->v, e);
}
