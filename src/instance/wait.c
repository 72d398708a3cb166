/* SPDX-License-Identifier: Apache-2.0 */
/* mayfly wait: waits until an instance runs, or is shut off. It takes no lock: others may work on the
 * instance meanwhile. */
#include "base/clock.h"
#include "instance/operations.h"

#include <time.h>

#define POLL_MSEC 250

static bool is_there(const struct domain *d, enum wait_state wanted)
{
    if (wanted == WAIT_STOPPED)
        return !d->active;
    return d->active && (d->state == DOMAIN_RUNNING || d->state == DOMAIN_IDLE);
}

static int find_uuid(const struct context *c, const char *name, char ret[UUID_TEXT], struct error *e)
{
    _cleanup_model_ struct model *m = NULL;
    const struct instance *i = NULL;
    int r = context_check_virt(c, e);
    if (r == 0)
        r = model_load(c, &m, e);
    if (r == 0)
        r = model_find(m, name, &i, e);
    return r < 0 ? r : str_copy(ret, UUID_TEXT, i->uuid);
}

int instance_wait(const struct context *c, const char *name, enum wait_state wanted, uint64_t end_msec,
                  struct error *e)
{
    char uuid[UUID_TEXT];
    int r = find_uuid(c, name, uuid, e);
    while (r == 0) {
        struct domain d;
        r = virt_find_uuid(c->virt, uuid, &d, e);
        if (r < 0 || is_there(&d, wanted))
            return r;
        if (context_stopped(c))
            return error_set(e, -ECANCELED, "instance %s: is %s, and is no longer waited for", name,
                             domain_state_name(d.state));
        if (end_msec && clock_msec() >= end_msec)
            return error_set(e, -EBUSY,
                             "instance %s: is %s, and the time to wait is over; see mayfly show %s", name,
                             domain_state_name(d.state), name);
        nanosleep(&(struct timespec){.tv_nsec = POLL_MSEC * 1000000L}, NULL);
    }
    return r;
}
