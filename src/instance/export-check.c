/* SPDX-License-Identifier: Apache-2.0 */
/* Checks an export before anything is made, and decides how it is made. */
#include "base/fd.h"
#include "instance/drift.h"
#include "instance/export.h"
#include "instance/lock.h"

#include <inttypes.h>
#include <stdio.h>

#define ROOM_MIN_BYTES (UINT64_C(64) << 20)

/* Explains that another export exists: at work, or cut off. */
static int explain_export(const struct context *c, const struct instance *i, struct error *e)
{
    struct error why = ERROR_NONE;
    int r = broker_lock(c->broker, i->snapshot->disk, &why);
    if (r < 0)
        return error_set(e, r, "instance %s: it is being exported: %s", i->name, why.text);
    broker_unlock(c->broker, i->snapshot->disk);
    return error_set(e, -ENEEDSRECOVER, "instance %s: an export of it was cut off; run mayfly recover",
                     i->name);
}

static int find_disk(struct export *s, struct error *e)
{
    const char *role = s->request->role;
    const struct instance *i = s->instance;
    s->origin = role ? instance_disk(i, role) : i->volumes[0];
    if (!s->origin)
        return error_set(e, -ENOENT, "instance %s: has no disk %s; see mayfly show %s", i->name, role,
                         i->name);
    return 0;
}

/* Checks that the guest writes to the volume itself, or the file would have old contents. */
static int check_drift(const struct export *s, struct error *e)
{
    const struct drift_need needs = {
        .cannot = "cannot be exported",
        .refused = DRIFT_ELSEWHERE | DRIFT(BARE),
        .told = DRIFT(UNKNOWN) | DRIFT(MISSING) | DRIFT(NOT_IN_GUEST),
        .disk = s->origin,
    };
    return drift_check(s->context, s->model, s->instance, &needs, e);
}

/* Checks that the key can be fetched again, to open the snapshot. The image's key goes to the same
 * manager. */
static int check_key(struct export *s, struct error *e)
{
    const struct volume *v = s->origin;
    char manager[KEY_ID_MAX], id[KEY_ID_MAX];
    bool durable = false;
    if (!volume_encrypted(v))
        return error_set(e, -EINVAL,
                         "instance %s: its disk %s is not encrypted, so it is not exported; use lvcreate "
                         "--snapshot and qemu-img convert",
                         s->instance->name, v->role);
    int r = key_durable(s->context, v, &durable, e);
    if (r < 0)
        return r;
    if (!durable)
        return error_set(e, -EINVAL,
                         "instance %s: its disk %s cannot be exported: its key is ephemeral, and exists only "
                         "in the kernel",
                         s->instance->name, v->role);
    r = key_ref_parse(v->key, manager, id, e);
    return r < 0 || s->request->plaintext ? r : context_keymgr(s->context, manager, &s->km, e);
}

/* Sets the room for changes, by default a fifth of the disk. More than the disk and its description need is
 * of no use. */
static int check_room(struct export *s, struct error *e)
{
    const struct group *g = inventory_group(s->model->inventory, s->origin->vg);
    uint64_t disk = s->origin->size_bytes, extent = g && g->extent_bytes ? g->extent_bytes : 1;
    uint64_t most = disk + disk / 64 + extent, room = s->request->room_bytes;
    if (!room)
        room = disk / 5 > ROOM_MIN_BYTES ? disk / 5 : ROOM_MIN_BYTES;
    if (room > most)
        room = most;
    s->v.size_bytes = (room + extent - 1) / extent * extent;
    if (!g || s->v.size_bytes <= g->free_bytes)
        return 0;
    char wanted[32], free_text[32];
    return error_set(e, -ENOSPC,
                     "volume group %s: cannot make a snapshot: %s needed for changes meanwhile, %s free; use "
                     "a smaller --room, or extend the group by vgextend",
                     g->name, str_from_bytes(s->v.size_bytes, wanted, sizeof wanted),
                     str_from_room(g->free_bytes, free_text, sizeof free_text));
}

static void design_snapshot(struct export *s)
{
    s->v = *s->origin;
    s->v.state = VOLUME_BUILDING;
    broker_disk_uuid(s->context->broker, s->v.disk);
    snprintf(s->v.role, sizeof s->v.role, ROLE_SNAPSHOT);
    volume_set_lv_name(&s->v);
}

int export_check(struct export *s, struct error *e)
{
    const struct context *c = s->context;
    int r = model_lock(c, s->request->name, &s->model, &s->instance, e);
    if (r == 0)
        r = model_check_ready(s->model, s->instance, e);
    if (r == 0 && s->instance->snapshot)
        r = explain_export(c, s->instance, e);
    if (r == 0)
        r = find_disk(s, e);
    if (r == 0)
        r = check_drift(s, e);
    if (r == 0)
        r = check_key(s, e);
    if (r < 0)
        return r;
    design_snapshot(s);
    r = check_room(s, e);
    if (r < 0)
        return r;
    const struct export_request *q = s->request;
    if (q->output_fd)
        return 0;
    return q->keeper ? image_file_new_by(q->keeper, q->path, &s->file, e)
                     : image_file_new(q->path, &s->file, e);
}

struct export *export_free(struct export *s)
{
    if (s) {
        opened_close(&s->disk);
        secret_free(s->volume_key);
        secret_free(s->key);
        image_file_free(s->file);
        model_free(s->model);
    }
    return NULL;
}
