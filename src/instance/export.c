/* SPDX-License-Identifier: Apache-2.0 */
/* mayfly export: writes the contents of a disk at one moment to an image file with a key of its own.
 *
 *     SNAPSHOT | open | UNLOCK | key | write the file, which has no name | close | doomed | NAME | remove
 *      a point in time                                           commit points: of the key, of the file
 *
 * The owner of the image's key is the uuid of the snapshot, by which recover finds the key. While the
 * snapshot is building there is no file, so the key is destroyed with the snapshot. Once the snapshot is
 * doomed, the key belongs to the file. So no file ever loses its key, wherever the export is cut off. At
 * worst a key stays whose file did not get its name, and recover reports it.
 */
#include "instance/export.h"

#include "base/audit.h"
#include "base/fd.h"
#include "instance/lock.h"
#include "instance/made-volume.h"
#include "keys/derive.h"

#include <stdio.h>

/* Locks the snapshot's own uuid, which keeps the snapshot, the key of the image and the file to this run. The
 * lock of the instance is held only until the snapshot exists: meanwhile its guest may end or start, and
 * verbs may work on the instance. */
static int lock(const struct context *c, void *object, struct error *e)
{
    return broker_lock(c->broker, ((struct export *)object)->v.disk, e);
}

static int let_go(const struct context *c, void *object, struct error *e)
{
    (void)c, (void)e;
    model_unlock(((struct export *)object)->model);
    return 0;
}

/* ---------------------------------------------------------------- the volume */

static int create(const struct context *c, void *object, struct error *e)
{
    struct export *s = object;
    _cleanup_secret_ struct secret *secret = NULL;
    int r = key_fetch(c, s->origin, &secret, e);
    if (r == 0)
        r = derive_volume_key(s->origin, secret, &s->volume_key, e);
    return r < 0 ? r : broker_snapshot(c->broker, s->origin, s->volume_key, s->v.disk, s->v.size_bytes, e);
}

static int create_undo(const struct context *c, void *object, struct error *e)
{
    struct export *s = object;
    s->volume_key = secret_free(s->volume_key);
    return made_volume_remove(c, &s->v, false, e);
}

static int open_map(const struct context *c, void *object, struct error *e)
{
    struct export *s = object;
    int r = broker_open(c->broker, &s->v, s->volume_key, MAP_FOR_DOMAIN, SETTLE_NOW, &s->disk, e);
    s->volume_key = secret_free(s->volume_key);
    return r;
}

static int open_map_undo(const struct context *c, void *object, struct error *e)
{
    struct export *s = object;
    opened_close(&s->disk);
    return disk_close(c, &s->v, SETTLE_NOW, e);
}

static int close_map(const struct context *c, void *object, struct error *e)
{
    return disk_close(c, &((struct export *)object)->v, SETTLE_NOW, e);
}

/* Marks the snapshot doomed: from here on the key belongs to the file. */
static int mark_doomed(const struct context *c, void *object, struct error *e)
{
    const struct volume *v = &((struct export *)object)->v;
    return broker_mark(c->broker, &v, 1, VOLUME_DOOMED, e);
}

static int remove_volume(const struct context *c, void *object, struct error *e)
{
    const struct volume *v = &((struct export *)object)->v;
    return broker_remove(c->broker, &v, 1, e);
}

/* ------------------------------------------------------------------- the file */

static int create_key(const struct context *c, void *object, struct error *e)
{
    struct export *s = object;
    (void)c;
    struct key_info want = {.scope = KEY_SCOPE_IMAGE, .bits = KEY_SECRET_BITS};
    memcpy(want.owner, s->v.disk, sizeof want.owner);
    memcpy(want.vg, s->v.vg, sizeof want.vg);
    return keymgr_create(s->km, &want, s->key_id, &s->key, e);
}

static int create_key_undo(const struct context *c, void *object, struct error *e)
{
    struct export *s = object;
    s->key = secret_free(s->key);
    return key_destroy_of_image(c, &s->v, e);
}

static void update(void *context, uint64_t done_bytes, uint64_t total_bytes)
{
    const struct reporter *reporter = ((const struct export *)context)->context->reporter;
    if (reporter && reporter->progress)
        reporter->progress(reporter->data, done_bytes, total_bytes);
}

static bool stopped(void *context)
{
    return context_stopped(((const struct export *)context)->context);
}

static int write_file(const struct context *c, void *object, struct error *e)
{
    struct export *s = object;
    struct image_progress progress = {update, stopped, s};
    char size[32];
    const struct export_request *q = s->request;
    int r = q->output_fd ? c->stream(&s->disk, q->output_fd, q->path, &progress, e)
                         : c->export(&s->disk, image_file_fd(s->file), q->path, s->key, &progress, e);
    if (r == -EIO)
        error_append(e, "; if its guest has written more than %s meanwhile, use a larger --room",
                     str_from_bytes(s->v.size_bytes, size, sizeof size));
    opened_close(&s->disk);
    s->key = secret_free(s->key);
    return r;
}

static int link_file(const struct context *c, void *object, struct error *e)
{
    (void)c;
    return image_file_link(((struct export *)object)->file, e);
}

static int link_file_undo(const struct context *c, void *object, struct error *e)
{
    (void)c;
    return image_file_unlink(((struct export *)object)->file, e);
}

/* --------------------------------------------------------------------- plan */

static int add_making(struct steps *p, struct export *s, struct error *e)
{
    char room[32];
    int r = steps_add(p, lock, NULL, s, e, "lock the snapshot %s", s->v.disk);
    if (r == 0)
        r = steps_add(p, create, create_undo, s, e, "make snapshot %s/%s of %s, with %s of room", s->v.vg,
                      s->v.lv, s->origin->lv, str_from_bytes(s->v.size_bytes, room, sizeof room));
    if (r == 0)
        r = steps_add(p, open_map, open_map_undo, s, e, "open %s/%s, read-only", s->v.vg, s->v.lv);
    if (r == 0)
        r = steps_add(p, let_go, NULL, s, e, "let go of instance %s", s->instance->name);
    if (r == 0 && s->km) /* if the key cannot be destroyed again, the snapshot must stay to lead to it */
        r = steps_add_anchor(p, create_key, create_key_undo, s, e,
                             "create a key of %u bits in %s for the image", KEY_SECRET_BITS,
                             s->km->ops->name);
    if (r == 0)
        r = steps_add(p, write_file, NULL, s, e, "write %s%s", s->request->path,
                      s->km ? ", encrypted" : " in plaintext");
    return r;
}

static int add_commits(struct steps *p, struct export *s, struct error *e)
{
    int r = steps_add(p, close_map, NULL, s, e, "close %s/%s", s->v.vg, s->v.lv);
    if (r == 0)
        r = steps_add(p, mark_doomed, NULL, s, e, "mark %s/%s doomed", s->v.vg, s->v.lv);
    if (r == 0 && s->file)
        r = steps_add_anchor(p, link_file, link_file_undo, s, e, "give %s its name", s->request->path);
    if (r == 0)
        r = steps_add(p, remove_volume, NULL, s, e, "remove %s/%s", s->v.vg, s->v.lv);
    return r;
}

static int make_plan(struct export *s, struct steps **ret, struct error *e)
{
    _cleanup_steps_ struct steps *p = NULL;
    int r = steps_new(&p, e);
    if (r == 0)
        r = add_making(p, s, e);
    if (r == 0)
        r = add_commits(p, s, e);
    if (r == 0)
        *ret = TAKE_PTR(p);
    return r;
}

static struct exported result_of(const struct export *s)
{
    struct exported done = {0};
    memcpy(done.instance, s->instance->name, sizeof done.instance);
    memcpy(done.uuid, s->instance->uuid, sizeof done.uuid);
    memcpy(done.role, s->origin->role, sizeof done.role);
    done.size_bytes = s->origin->size_bytes;
    if (s->km)
        snprintf(done.key, sizeof done.key, "%s:%.159s", s->km->ops->name, s->key_id);
    return done;
}

int instance_export(const struct context *c, const struct export_request *request, struct exported *ret,
                    struct steps **ret_plan, struct error *e)
{
    struct export export = {.context = c, .request = request, .disk = OPENED_NONE};
    _cleanup_(export_freep) struct export *s = &export;
    _cleanup_steps_ struct steps *plan = NULL;

    int r = export_check(s, e);
    if (r == 0)
        r = make_plan(s, &plan, e);
    if (r == 0 && !request->dry_run)
        r = audit_instance("export", s->instance->uuid, s->instance->name, steps_run(plan, c, e), e);
    if (r < 0)
        return r;
    *ret = result_of(s);
    steps_hand_over(&plan, ret_plan);
    return 0;
}
