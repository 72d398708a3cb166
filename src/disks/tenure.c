/* SPDX-License-Identifier: Apache-2.0 */
/* See tenure.h. */
#include "disks/tenure.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "disks/state.h"

#include <limits.h>
#include <string.h>

int tenure_begin(struct tenure *t, struct error *e)
{
    int r = t->state_fd < 0 ? 0 : state_take(t->state_fd);
    if (r == -EAGAIN || r == -EACCES)
        return error_set(e, -EBUSY, "mayfly-disks: another process serves the same disk");
    if (r < 0)
        return error_set(e, r, "mayfly-disks: its state cannot be locked: %s", strerror(-r));
    t->since_msec = clock_msec();
    return 0;
}

static void set_connections(struct tenure *t, uint32_t n)
{
    t->connections = n;
    t->had_any = t->had_any || n > 0;
    t->since_msec = clock_msec();
    int r = t->state_fd < 0 ? 0 : state_set_connections(t->state_fd, n);
    if (r < 0)
        log_warning("mayfly-disks: its state cannot be written: %s", strerror(-r));
}

void tenure_come(struct tenure *t)
{
    set_connections(t, t->connections + 1);
}

void tenure_gone(struct tenure *t)
{
    if (t->connections)
        set_connections(t, t->connections - 1);
}

void tenure_opener_ended(struct tenure *t)
{
    t->opener_fd = fd_close(t->opener_fd);
    if (!t->had_any)
        t->since_msec = clock_msec();
}

/* Reads the state file each time, since it can be written again. If it cannot be read the keeper ends: the
 * key must not stay in memory for lack of a file. */
int tenure_left_msec(const struct tenure *t)
{
    struct state s = {.gone_msec = 0};
    if (t->state_fd < 0 || t->connections || (!t->had_any && t->opener_fd >= 0))
        return -1;
    int r = state_read(t->state_fd, &s);
    if (r == 0 && s.until_msec == STATE_FOREVER)
        return -1;
    uint64_t end = t->since_msec + s.gone_msec, now = clock_msec();
    if (!t->had_any && s.until_msec > end)
        end = s.until_msec;
    if (end <= now)
        return 0;
    return end - now > INT_MAX ? INT_MAX : (int)(end - now);
}
