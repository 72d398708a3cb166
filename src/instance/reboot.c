/* SPDX-License-Identifier: Apache-2.0 */
/* mayfly reboot. Soft: the guest is asked, and QEMU and the disks stay. Hard: the domain ends at once, and
 * starts again on disks that are opened anew:
 *
 *     look that the keys can be had -> end the domain -> close, open -> start
 *
 * So a key that cannot be had leaves the guest running. A later failure leaves the instance shut off; the
 * same command again starts it.
 */
#include "instance/drift.h"
#include "instance/keys.h"
#include "instance/start.h"
#include "instance/stop.h"
#include "instance/together.h"

static int ask_guest(const struct context *c, void *disks, struct error *e)
{
    return virt_reboot(c->virt, ((struct disks *)disks)->instance->uuid, e);
}

/* Fetches the keys and drops them: no key waits in memory until a guest has ended. */
static int try_keys(const struct context *c, void *disks, struct error *e)
{
    const struct disks *d = disks;
    const struct volume *const *volumes = d->instance->volumes;
    for (size_t n = 0; n < d->instance->n_volumes; n++) {
        _cleanup_secret_ struct secret *secret = NULL;
        int r = d->missing[n] && first_of_key(volumes, n) ? key_fetch(c, volumes[n], &secret, e) : 0;
        if (r < 0)
            return r;
    }
    return 0;
}

/* Counts all disks whose key can be fetched again as missing, so that they are closed and opened. */
static void forget_maps(struct disks *d)
{
    d->n_missing = 0;
    for (size_t n = 0; n < d->instance->n_volumes; n++) {
        if (volume_encrypted(d->instance->volumes[n]) && d->durable[n])
            d->missing[n] = true;
        d->n_missing += d->missing[n];
    }
}

static int add_hard(struct steps *s, struct disks *d, bool running, struct error *e)
{
    const char *name = d->instance->name;
    int r = 0;
    if (running)
        forget_maps(d);
    if (running && d->n_missing)
        r = steps_add(s, try_keys, NULL, d, e, "look that the key of %s can be fetched", name);
    if (r == 0 && running)
        r = steps_add_at_once(s, domains_end, NULL, d, e, "end domain %s", name);
    return r < 0 ? r : start_add_steps(s, d, e);
}

/* A guest that shall reboot itself must be able to. A hard reboot ends it, and starts it from its definition.
 */
static const struct drift_need needs_soft = {.cannot = "cannot be rebooted",
                                             .refused = DRIFT(UNDEFINED) | DRIFT(HALTED) | DRIFT(ENDING)};
static const struct drift_need needs_hard = {
    .cannot = "cannot be rebooted",
    .refused = DRIFT(UNDEFINED) | DRIFT(TRANSIENT) | DRIFT(HELD) | DRIFT(BLOCK_COPY) | DRIFT(BARE) |
               DRIFT(OTHER_ENGINE),
    .told = DRIFT(OVERLAY) | DRIFT(REPLACED) | DRIFT(MISSING),
};

static int plan_soft(const struct context *c, const struct model *m, const struct instance *i,
                     struct disks *d, struct steps *s, struct error *e)
{
    int r = drift_check(c, m, i, &needs_soft, e);
    if (r < 0)
        return r;
    if (i->state != INSTANCE_RUNNING)
        return error_set(
            e, -EINVAL,
            "instance %s: cannot be rebooted: it does not run; run mayfly start, or reboot --hard", i->name);
    *d = (struct disks){.instance = i};
    return steps_add(s, ask_guest, NULL, d, e, "tell the guest of %s to reboot", i->name);
}

static int plan_hard(const struct context *c, const struct model *m, const struct instance *i,
                     struct disks *d, struct steps *s, struct error *e)
{
    int r = drift_check(c, m, i, &needs_hard, e);
    if (r == 0)
        r = disks_look(c, m, i, MAP_FOR_DOMAIN, d, e);
    return r < 0 ? r : add_hard(s, d, i->state == INSTANCE_RUNNING, e);
}

static const struct together reboots = {.verb = "reboot", .plan = plan_soft},
                             restarts = {.verb = "reboot", .plan = plan_hard};

int instances_reboot(const struct context *c, const char *const names[], size_t n, bool hard,
                     struct outcome ret[], struct error *e)
{
    return instances_together(c, hard ? &restarts : &reboots, names, n, ret, e);
}

int instance_reboot(const struct context *c, const char *name, bool hard, bool *ret_changed, struct error *e)
{
    return instance_together(c, hard ? &restarts : &reboots, name, ret_changed, e);
}
