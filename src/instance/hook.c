/* SPDX-License-Identifier: Apache-2.0 */
/* libvirt's hook: opens the disks of a domain just before QEMU starts, and closes them when QEMU is gone.
 * libvirt holds the domain meanwhile and waits, so nothing here asks libvirt.
 *
 *     virsh start    libvirtd -- prepare --> lock, fetch the key, open -----> QEMU
 *     mayfly start   opens, holds the lock, asks libvirtd -- prepare --> all is open: QEMU
 *
 * The holder of an instance's lock is responsible for its disks. So before a start the hook waits for the
 * lock only if a disk is closed. After the end the hook leaves the disks to a holder, who looks when giving
 * the lock back (see unlock.c).
 */
#include "base/audit.h"
#include "base/clock.h"
#include "instance/disks.h"
#include "instance/drift.h"
#include "instance/guard.h"
#include "instance/lock.h"
#include "instance/operations.h"

/* libvirt locks the domain while its hook runs. Everyone who asks for the domain waits for us, also a verb
 * that has the lock. So we do not wait for long. */
#define HOOK_WAIT_MSEC    5000
#define RELEASE_WAIT_MSEC 1000

/* ------------------------------------------------------------------ prepare */

/* Checks invariant 5, and that no guest gets a disk of another instance. */
static int refuse_bare_volumes(const struct model *m, const struct hook_domain *d, struct error *e)
{
    return d->guard ? guard_check_volumes(d->guard, m->inventory, d->name, e) : 0;
}

/* True if the definition names this disk. For a disk that does not exist yet only the name can be
 * compared. */
static bool names_disk(const struct hook_domain *domain, const struct volume *v)
{
    char map[MAP_NAME_MAX];
    volume_map_name(v, map);
    for (size_t n = 0; n < domain->n_devices; n++) {
        const char *slash = strrchr(domain->devices[n], '/');
        const char *base = slash ? slash + 1 : domain->devices[n];
        if (streq(base, map) || streq(base, v->lv))
            return true;
    }
    return false;
}

/* Keeps disks closed that are not ready, and that the definition does not name. */
static void leave_unfinished(struct disks *d, const struct hook_domain *domain)
{
    for (size_t n = 0; n < d->instance->n_volumes; n++) {
        const struct volume *v = d->instance->volumes[n];
        if (d->missing[n] && v->state != VOLUME_READY && !names_disk(domain, v)) {
            d->missing[n] = false;
            d->n_missing--;
        }
    }
}

/* Looks without the lock. *ret_open: all disks are open. A disk that is still being added counts as closed if
 * the definition names it: QEMU would not find it. */
static int look_unlocked(const struct context *c, const struct hook_domain *domain, struct model **ret,
                         bool *ret_open, struct error *e)
{
    _cleanup_model_ struct model *m = NULL;
    const struct instance *i = NULL;
    struct disks d;
    int r = model_load(c, &m, e);
    if (r == 0)
        r = model_find(m, domain->uuid, &i, e);
    if (r == 0)
        r = disks_look(c, m, i, MAP_FOR_DOMAIN, &d, e);
    if (r < 0)
        return r;
    leave_unfinished(&d, domain);
    *ret_open = d.n_missing == 0;
    *ret = TAKE_PTR(m);
    return 0;
}

/* Locks the instance. *ret is NULL if another mayfly has the lock and all disks are open. */
static int lock_instance(const struct context *c, const struct hook_domain *domain, struct model **ret_model,
                         const struct instance **ret, struct error *e)
{
    uint64_t end = clock_msec() + HOOK_WAIT_MSEC;
    for (;;) {
        struct error why = ERROR_NONE;
        bool open = false;
        *ret_model = model_free(*ret_model); /* from the previous look */
        int r = model_lock(c, domain->uuid, ret_model, ret, &why);
        if (r != -EBUSY)
            return r < 0 ? error_pass(e, r, &why) : 0;
        r = look_unlocked(c, domain, ret_model, &open, e);
        if (r < 0 || open)
            return r;
        if (clock_msec() >= end)
            return error_set(e, -EBUSY, "domain %s: its disks are being worked on: %s", domain->name,
                             why.text);
        nanosleep(&(struct timespec){.tv_nsec = LOCK_POLL_MSEC * 1000000L}, NULL);
    }
}

/* Refuses to start what a launch or delete left when it was cut off. A disk whose adding or removal was cut
 * off does not stop the others, if the definition does not name it: recover takes care of it. */
static int check_startable(const struct model *m, const struct instance *i, const struct hook_domain *domain,
                           struct error *e)
{
    struct instance named = *i;
    const struct volume *volumes[DISKS_MAX];
    named.volumes = volumes;
    named.n_volumes = 0;
    for (size_t n = 0; n < i->n_volumes && n < DISKS_MAX; n++)
        if (n == 0 || names_disk(domain, i->volumes[n]))
            volumes[named.n_volumes++] = i->volumes[n];
    return model_check_ready(m, &named, e);
}

static int open_disks(const struct context *c, const struct model *m, const struct instance *i,
                      const struct hook_domain *domain, struct error *e)
{
    _cleanup_steps_ struct steps *s = NULL;
    struct disks d;
    int r = check_startable(m, i, domain, e);
    if (r == 0)
        r = disks_look(c, m, i, MAP_FOR_DOMAIN, &d, e);
    if (r < 0)
        return r;
    leave_unfinished(&d, domain);
    if (d.n_missing == 0)
        return 0;
    if (instance_is_served(i)) /* the process that serves must not go by us, who end before QEMU comes */
        d.use = MAP_FOR_START;
    r = steps_new(&s, e);
    if (r == 0)
        r = steps_add_at_once(s, disks_open, disks_open_undo, &d, e, "open the disks of %s", i->name);
    if (r == 0)
        r = steps_run(s, c, e);
    if (r == 0)
        audit_instance("open", i->uuid, i->name, 0, NULL);
    if (r == -EACCES)
        error_append(e, "; a user with access to the key can start it: mayfly start %s", i->name);
    return r;
}

/* True if the domain names volumes of its own uuid. A clone of an instance has the mark, and disks of its
 * own. */
static bool names_own_volumes(const struct hook_domain *d)
{
    for (size_t n = 0; n < d->n_devices; n++)
        if (strstr(d->devices[n], d->uuid))
            return true;
    return false;
}

static int refuse_mark(const struct hook_domain *d, struct error *e)
{
    if (names_own_volumes(d))
        return error_set(e, -ENOENT,
                         "instance %s: none of its disks can be found; is their volume group missing? See "
                         "vgs, or run virsh undefine if they were removed",
                         d->name);
    return error_set(e, -EUNSAFE,
                     "domain %s: it has Mayfly's mark, but no volume has its uuid: it looks like a clone of "
                     "an instance, whose disks Mayfly does not encrypt; if that is intended, remove the "
                     "mark: virsh metadata %s " DOMAIN_XML_NAMESPACE " --config --remove",
                     d->name, d->uuid);
}

/* Checks a domain whose uuid no volume has. It may still name volumes of an instance. */
static int prepare_other(const struct context *c, const struct hook_domain *d, struct error *e)
{
    _cleanup_model_ struct model *m = NULL;
    if (d->ours)
        return refuse_mark(d, e);
    int r = model_load(c, &m, e);
    return r < 0 ? r : refuse_bare_volumes(m, d, e);
}

/* Refuses a disk that is in use, also without the lock: the disks may have been open, and mounted, for
 * long. */
static int refuse_held(const struct context *c, const struct model *m, const char *uuid, struct error *e)
{
    static const struct drift_need needs = {
        .cannot = "cannot be started", .refused = DRIFT(HELD), .idle = true};
    const struct instance *i = NULL;
    int r = model_find(m, uuid, &i, e);
    return r < 0 ? r : drift_check(c, m, i, &needs, e);
}

static int prepare(const struct context *c, const struct hook_domain *d, struct error *e)
{
    _cleanup_model_ struct model *m = NULL;
    const struct instance *i = NULL;
    struct error why = ERROR_NONE;
    int r = lock_instance(c, d, &m, &i, &why);
    if (r == -ENOENT)
        return prepare_other(c, d, e);
    if (r < 0)
        return error_pass(e, r, &why);
    r = refuse_bare_volumes(m, d, e);
    if (r == 0)
        r = refuse_held(c, m, d->uuid, e);
    return r < 0 || !i ? r : open_disks(c, m, i, d, e);
}

/* Writes every refusal of a start into the audit trail. */
int instance_hook_prepare(const struct context *c, const struct hook_domain *d, struct error *e)
{
    int r = prepare(c, d, e);
    return r < 0 ? audit_instance("open", d->uuid, d->name, r, e) : 0;
}

/* ------------------------------------------------------------------ release */

int instance_hook_release(const struct context *c, const char *uuid, struct error *e)
{
    struct context patient = *c; /* declared before the model, which uses it until the end */
    _cleanup_model_ struct model *m = NULL;
    const struct instance *i = NULL;
    struct error why = ERROR_NONE;
    struct disks d;
    patient.lock_wait_msec = RELEASE_WAIT_MSEC;
    int r = model_lock(&patient, uuid, &m, &i, &why);
    if (r == -EBUSY || r == -ENOENT)
        return 0;
    if (r < 0)
        return error_pass(e, r, &why);
    r = disks_look(c, m, i, MAP_FOR_DOMAIN, &d, e);
    return r < 0 ? r : disks_close_idle(c, &d, MAP_FOR_START, e);
}
