/* SPDX-License-Identifier: Apache-2.0 */
/* mayfly unrescue: starts the instance from its own first disk again, and removes the rescue disk.
 *
 *     stop | doomed -> definition -> closed -> removed | start, if it ran
 *
 * Nothing is undone: recover, or unrescue again, goes on from where it was cut off.
 */
#include "base/audit.h"
#include "instance/disks.h"
#include "instance/drift.h"
#include "instance/lock.h"
#include "instance/operations.h"
#include "instance/removal.h"
#include "instance/start.h"
#include "instance/stop.h"

struct unrescue {
    struct instance instance; /* without its rescue disk, which is the last */
    unsigned timeout_sec;
    bool disk_only;            /* domain and guest are left alone */
    const struct volume *disk; /* NULL: it does not exist any more, but the definition still names it */
    struct removal removal;    /* of the rescue disk */
    struct disks own;          /* the other disks */
};

static int stop(const struct context *c, void *unrescue, struct error *e)
{
    const struct unrescue *u = unrescue;
    return domain_stop(c, &u->instance, u->timeout_sec, true, e);
}

static int restore_definition(const struct context *c, void *unrescue, struct error *e)
{
    return domain_restore_definition(c, ((const struct unrescue *)unrescue)->instance.uuid, e);
}

static int start(const struct context *c, void *unrescue, struct error *e)
{
    return instance_start_again(c, &((const struct unrescue *)unrescue)->instance, e);
}

/* Ends the domain, and closes the instance, as every instance that does not run is closed. */
static int start_undo(const struct context *c, void *unrescue, struct error *e)
{
    struct unrescue *u = unrescue;
    int r = virt_destroy(c->virt, u->instance.uuid, e);
    return r < 0 ? r : disks_close_durable(c, &u->own, e);
}

static int look_for_changes(const struct context *c, void *unrescue, struct error *e)
{
    static const struct drift_need last = {.cannot = "cannot leave rescue", .refused = DRIFT(SAVED)};
    return drift_check_ended(c, ((const struct unrescue *)unrescue)->instance.uuid, &last, e);
}

static int run_plan(const struct context *c, struct unrescue *u, bool running, struct error *e)
{
    _cleanup_steps_ struct steps *s = NULL;
    const char *name = u->instance.name;
    int r = steps_new(&s, e);
    if (r == 0 && running)
        r = steps_add(s, stop, NULL, u, e, "stop domain %s", name);
    if (r == 0 && !u->disk_only)
        r = steps_add(s, look_for_changes, NULL, u, e, "see that domain %s is as it was left", name);
    if (r == 0 && u->disk)
        r = removal_add_steps(s, &u->removal, e);
    else if (r == 0)
        r = steps_add(s, restore_definition, NULL, u, e, "give domain %s its definition back", name);
    if (r == 0 && running)
        r = steps_add(s, start, start_undo, u, e, "start domain %s", name);
    return r < 0 ? r : audit_instance("unrescue", u->instance.uuid, name, steps_run(s, c, e), e);
}

/* The domain is ended, and started from the definition that it had before. */
static const struct drift_need needs = {
    .cannot = "cannot leave rescue",
    .refused = DRIFT(TRANSIENT) | DRIFT(SAVED) | DRIFT(HELD) | DRIFT(BLOCK_COPY),
};

static int check_guest_lacks(const struct context *c, const struct instance *i, const struct volume *disk,
                             struct error *e)
{
    char path[DEVICE_PATH_MAX];
    bool has = false;
    volume_device_path(disk, path);
    int r = virt_has_disk(c->virt, i->uuid, path, DOMAIN_GUEST, &has, e);
    return r == 0 && has
               ? error_set(e, -EBUSY,
                           "instance %s: cannot lose its rescue disk: its guest uses it; end the guest first",
                           i->name)
               : r;
}

/* Checks that nothing uses the disk. Another program changes the definition, and must have removed the disk
 * from it by now, and from the guest, if there is one. After that each holder of the disk is on the host. */
static int check_disk_unused(const struct context *c, const struct model *m, const struct instance *i,
                             const struct volume *disk, struct error *e)
{
    const struct drift_need unused = {.cannot = "cannot lose its rescue disk",
                                      .refused = DRIFT(SAVED) | DRIFT(HELD),
                                      .disk = disk,
                                      .idle = true};
    int r = i->state == INSTANCE_RUNNING ? check_guest_lacks(c, i, disk, e) : 0;
    return r < 0 ? r : drift_check(c, m, i, &unused, e);
}

/* True if anything of a rescue is left: the disk, or a definition that still names it. */
static bool has_rescue(const struct model *m, const struct instance *i, const struct unrescue *u)
{
    const struct domain *domain = model_domain_of(m, i->uuid);
    return u->disk || (!u->disk_only && domain && domain->rescued);
}

/* Checks the instance, and fills in the rest of `u`. */
static int check_instance(const struct context *c, const struct model *m, const struct instance *i,
                          struct unrescue *u, struct error *e)
{
    u->instance = *i;
    u->instance.n_volumes -= u->disk != NULL;
    u->removal = (struct removal){.model = m, .instance = i, .volumes = &u->disk, .n_volumes = 1};
    if (u->instance.n_volumes == 0)
        return error_set(e, -EUNSAFE,
                         "instance %s: none of its own disks can be found; the rescue disk was left "
                         "untouched; see vgs, and mayfly list",
                         i->name);
    int r = model_check_ready(m, &u->instance, e);
    if (r == 0)
        r = u->disk_only ? check_disk_unused(c, m, i, u->disk, e) : drift_check(c, m, i, &needs, e);
    return r < 0 ? r : disks_look(c, m, &u->instance, MAP_FOR_DOMAIN, &u->own, e);
}

int instance_unrescue(const struct context *c, const char *name, unsigned timeout_sec, bool disk_only,
                      bool *ret_changed, struct error *e)
{
    _cleanup_model_ struct model *m = NULL;
    const struct instance *i = NULL;
    struct unrescue u = {.timeout_sec = timeout_sec, .disk_only = disk_only};

    int r = context_check_virt(c, e);
    if (r == 0)
        r = model_lock(c, name, &m, &i, e);
    if (r < 0)
        return r;
    u.disk = instance_rescue_disk(i);
    r = u.disk ? model_check_no_dependents(m, &u.disk, 1, e) : 0;
    if (r < 0)
        return r;
    bool changes = has_rescue(m, i, &u);
    if (changes)
        r = check_instance(c, m, i, &u, e);
    if (changes && r == 0)
        r = run_plan(c, &u, i->state == INSTANCE_RUNNING && !disk_only, e);
    if (r == 0)
        *ret_changed = changes;
    return r;
}
