/* SPDX-License-Identifier: Apache-2.0 */
/* See rules.h, and broker/ops.def for why. */
#include "storage/rules.h"

#include "storage/check.h"

#include <string.h>

int rules_create(const struct volume *v, struct error *e)
{
    if (v->state != VOLUME_BUILDING)
        return error_set(e, -EINVAL, "volume %s: is made in state building only", v->lv);
    if (volume_is_snapshot(v))
        return error_set(e, -EINVAL, "volume %s: cannot be created: its role is that of a snapshot", v->lv);
    if (v->size_bytes == 0)
        return error_set(e, -EINVAL, "volume %s: cannot be empty; give its size", v->lv);
    return 0;
}

int rules_origin(const struct volume *v, struct error *e)
{
    if (!volume_encrypted(v))
        return error_set(e, -EINVAL, "volume %s: is not encrypted; snapshots are made of encrypted ones",
                         v->lv);
    if (v->state != VOLUME_READY)
        return error_set(e, -EUNSAFE, "volume %s: is %s, and no snapshot is made of it", v->lv,
                         volume_state_name(v->state));
    return 0;
}

int rules_design_snapshot(const struct volume *origin, const char *disk, uint64_t size_bytes,
                          const struct secret *volume_key, struct volume *ret, struct error *e)
{
    struct volume v = *origin;
    v.state = VOLUME_BUILDING;
    v.size_bytes = size_bytes;
    memcpy(v.disk, disk, sizeof v.disk);
    memcpy(v.role, ROLE_SNAPSHOT, sizeof ROLE_SNAPSHOT);
    volume_set_lv_name(&v);
    int r = volume_check_value(&v, volume_key, v.check, e);
    if (r == 0)
        r = volume_check(&v, e);
    if (r == 0)
        *ret = v;
    return r;
}

int rules_open(const struct volume *v, struct error *e)
{
    if (v->state == VOLUME_DOOMED)
        return error_set(e, -EUNSAFE, "volume %s: is being deleted, and is never opened again", v->lv);
    if (volume_is_bench(v))
        return error_set(e, -EUNSAFE, "volume %s: is a scratch volume, not a disk", v->lv);
    if (v->state == VOLUME_ADOPTING)
        return error_set(e, -EUNSAFE, "volume %s: is not opened before it is wholly adopted", v->lv);
    return 0;
}

int rules_open_volume(const struct volume *v, enum map_use use, struct error *e)
{
    int r = rules_open(v, e);
    if (r < 0 || map_use_serves(use, v))
        return r;
    return error_set(e, -EUNSAFE, "volume %s: is opened through a map: no process serves it", v->lv);
}

int rules_open_plain(const struct volume *v, bool made_here, struct error *e)
{
    if (volume_encrypted(v))
        return error_set(e, -EKEYREJECTED, "volume %s: is encrypted, and not opened without its key", v->lv);
    if (!made_here || !volume_unfinished(v) || volume_is_bench(v))
        return error_set(e, -EUNSAFE, "volume %s: is opened only by the mayfly that is making it", v->lv);
    return 0;
}

int rules_format(const struct volume *v, bool made_and_opened_here, struct error *e)
{
    if (made_and_opened_here && volume_unfinished(v) && !volume_is_snapshot(v))
        return 0;
    return error_set(
        e, -EUNSAFE,
        "volume %s: is formatted only by the mayfly that made and opened it, while it is building", v->lv);
}

int rules_tune(const struct volume *v, struct error *e)
{
    if (v->state == VOLUME_READY) /* so it is not a snapshot, whose map is read-only */
        return 0;
    return error_set(e, -EUNSAFE, "volume %s: is %s, and only the map of a ready volume is tuned", v->lv,
                     volume_state_name(v->state));
}

int rules_mark(const struct volume *v, enum volume_state to, struct error *e)
{
    if (to == VOLUME_READY && v->state == VOLUME_DOOMED)
        return error_set(e, -EUNSAFE, "volume %s: is being deleted, and does not become ready again", v->lv);
    if (to == VOLUME_READY && volume_is_snapshot(v))
        return error_set(e, -EUNSAFE, "volume %s: is a snapshot, which never is a disk of its own", v->lv);
    if (to == VOLUME_READY && volume_is_bench(v))
        return error_set(e, -EUNSAFE, "volume %s: is a scratch volume, which never is a disk", v->lv);
    if (to == VOLUME_DOOMED && v->state == VOLUME_ADOPTING)
        return error_set(e, -EUNSAFE, "volume %s: is being adopted, and nothing of it is destroyed", v->lv);
    return 0;
}

int rules_remove(const struct volume *v, struct error *e)
{
    if (v->state == VOLUME_BUILDING || v->state == VOLUME_DOOMED)
        return 0;
    return error_set(e, -EUNSAFE, "volume %s: cannot be removed: its tags say that it is in use (%s)", v->lv,
                     volume_state_name(v->state));
}

/* Takes instance and role for the same, since the names of both follow from them. */
int rules_remake(const struct volume *old, const struct volume *new, struct error *e)
{
    if (old->state != VOLUME_READY && old->state != VOLUME_REBUILDING)
        return error_set(e, -EUNSAFE, "volume %s: is %s, and only a ready volume is made anew", old->lv,
                         volume_state_name(old->state));
    if (new->state != VOLUME_REBUILDING || streq(new->disk, old->disk))
        return error_set(e, -EINVAL, "volume %s: is made anew as another disk, in state rebuilding only",
                         old->lv);
    if (volume_encrypted(new) != volume_encrypted(old))
        return error_set(e, -EUNSAFE, "volume %s: stays encrypted, or plain, when it is made anew", old->lv);
    return 0;
}

int rules_resize(const struct volume *v, uint64_t size_bytes, struct error *e)
{
    struct volume larger = *v;
    larger.size_bytes = size_bytes;
    if (v->state != VOLUME_READY)
        return error_set(e, -EUNSAFE, "volume %s: is %s, and only a ready volume is resized", v->lv,
                         volume_state_name(v->state));
    if (size_bytes < v->size_bytes)
        return error_set(e, -EUNSAFE, "volume %s: is never made smaller", v->lv);
    int r = volume_check(&larger, e);
    if (r < 0)
        return r;
    if (volume_encrypted(v) && size_bytes % v->sector_bytes)
        return error_set(
            e, -EINVAL,
            "volume %s: is encrypted in units of %u bytes, and its size must be a multiple of that", v->lv,
            v->sector_bytes);
    return 0;
}

int rules_engine(const struct volume *v, enum volume_engine engine, struct volume *ret, struct error *e)
{
    struct volume other = *v;
    other.engine = engine;
    if (v->state != VOLUME_READY)
        return error_set(e, -EUNSAFE, "volume %s: is %s, and only a ready volume gets another engine", v->lv,
                         volume_state_name(v->state));
    if (!volume_encrypted(v))
        return error_set(e, -EINVAL, "volume %s: is not encrypted, and has no engine", v->lv);
    int r = volume_check(&other, e);
    if (r == 0)
        *ret = other;
    return r;
}
