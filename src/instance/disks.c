/* SPDX-License-Identifier: Apache-2.0 */
/* See disks.h. Secrets live here only between the key manager's answer and the broker's.
 *
 *     key manager --secret--> derive --volume key--> broker --> map
 */
#include "instance/disks.h"

#include "base/audit.h"
#include "base/clock.h"
#include "instance/keys.h"
#include "instance/steps.h"
#include "keys/derive.h"

#define POLL_MSEC 200
#define LEAVE_SEC 30 /* enough for a guest that is up, on a busy host */

int disk_open(const struct context *c, const struct volume *v, const struct secret *secret, enum map_use use,
              enum settle settle, struct opened *ret, struct error *e)
{
    _cleanup_secret_ struct secret *volume_key = NULL;
    _cleanup_opened_ struct opened disk = OPENED_NONE;
    int r = volume_encrypted(v) ? derive_volume_key(v, secret, &volume_key, e) : 0;
    if (r == 0)
        r = broker_open(c->broker, v, volume_key, use, settle, &disk, e);
    if (r == 0 && ret)
        *ret = TAKE(disk, OPENED_NONE);
    return r;
}

int disk_tune(const struct context *c, const struct volume *v, const struct secret *secret, bool *ret_changed,
              struct error *e)
{
    _cleanup_secret_ struct secret *volume_key = NULL;
    int r = derive_volume_key(v, secret, &volume_key, e);
    return r < 0 ? r : broker_tune(c->broker, v, volume_key, ret_changed, e);
}

int disk_close(const struct context *c, const struct volume *v, enum settle settle, struct error *e)
{
    return volume_encrypted(v) ? broker_close(c->broker, v, settle, e) : 0;
}

struct domain_disk disk_of_domain(const struct context *c, const struct volume *v, char path[DEVICE_PATH_MAX])
{
    volume_device_path(v, path);
    return (struct domain_disk){.device_path = path,
                                .vhost_user = volume_served(v),
                                .serial = v->disk,
                                .sector_bytes = v->sector_bytes,
                                .read_only = volume_is_seed(v),
                                .discard = c->config->discard,
                                .io_uring = streq(c->config->disk_io, "io_uring")};
}

int disk_detach_from_guest(const struct context *c, const struct volume *v, unsigned timeout_sec,
                           struct error *e)
{
    uint64_t end = clock_msec() + (uint64_t)timeout_sec * 1000;
    char path[DEVICE_PATH_MAX], name[DOMAIN_NAME_MAX];
    volume_device_path(v, path);
    int r = virt_detach_disk(c->virt, v->instance, path, DOMAIN_GUEST, e);
    while (r == 0) {
        bool there = false;
        r = virt_has_disk(c->virt, v->instance, path, DOMAIN_GUEST, &there, e);
        if (r < 0 || !there)
            return r;
        if (context_stopped(c))
            return error_set(e, -ECANCELED,
                             "instance %s: its guest still has disk %s, and is no longer waited for",
                             context_name(c, v, name), v->role);
        if (clock_msec() >= end)
            return error_set(e, -EBUSY,
                             "instance %s: its guest has not let go of disk %s in %u seconds; wait longer "
                             "(--timeout), or shut it down first; the guest may still let go of it later, "
                             "and gets it back at its next start",
                             context_name(c, v, name), v->role, timeout_sec);
        nanosleep(&(struct timespec){.tv_nsec = POLL_MSEC * 1000000L}, NULL);
    }
    return r;
}

int disk_detach_from_domain(const struct context *c, const struct volume *v, struct error *e)
{
    char path[DEVICE_PATH_MAX];
    volume_device_path(v, path);
    int r = disk_detach_from_guest(c, v, LEAVE_SEC, e);
    return r < 0 ? r : virt_detach_disk(c->virt, v->instance, path, DOMAIN_DEFINITION, e);
}

/* True if the map is suitable for this use. A domain may use a writable map that was opened for more, by its
 * own engine. A map that was opened for a start is opened anew for another start if little of its time is
 * left. */
static bool map_will_do(const struct map *map, const struct volume *v, enum map_use use)
{
    enum map_use is = map_use(map);
    if ((map->served != 0) != map_use_serves(use, v))
        return false;
    if (use == MAP_READ_ONLY || is == MAP_READ_ONLY)
        return use == is;
    if (use == MAP_FOR_START && is == use)
        return map_awaits_start(map, START_WITHIN_SEC / 2);
    return is >= use;
}

int disks_look(const struct context *c, const struct model *m, const struct instance *i, enum map_use use,
               struct disks *ret, struct error *e)
{
    if (i->n_volumes > DISKS_MAX)
        return error_set(e, -EINVAL, "instance %s: it has %zu disks, more than any that Mayfly makes",
                         i->name, i->n_volumes);
    *ret = (struct disks){.instance = i, .use = use};
    for (size_t n = 0; n < i->n_volumes; n++) {
        const struct map *map = model_map_of(m, i->volumes[n]);
        ret->durable[n] = true;
        if (!volume_encrypted(i->volumes[n]))
            continue;
        int r = key_durable(c, i->volumes[n], &ret->durable[n], e);
        if (r < 0)
            return r;
        ret->open[n] = map != NULL;
        ret->missing[n] = !map || (ret->durable[n] && !map_will_do(map, i->volumes[n], use));
        ret->n_missing += ret->missing[n];
        ret->n_open += ret->open[n];
    }
    return 0;
}

static int open_missing(const struct context *c, struct disks *d, struct error *e)
{
    _cleanup_secret_ struct secret *secret = NULL;
    const char *held = ""; /* the key whose secret this is */

    for (size_t n = 0; n < d->instance->n_volumes; n++) {
        const struct volume *v = d->instance->volumes[n];
        if (!d->missing[n])
            continue;
        int r = 0;
        if (!streq(held, v->key)) {
            secret = secret_free(secret);
            r = key_fetch(c, v, &secret, e);
            held = v->key;
        }
        d->touched[n] = r == 0;
        if (r == 0 && d->open[n]) /* an unsuitable map, such as a cut-off start leaves */
            r = disk_close(c, v, SETTLE_NOW, e);
        if (r == 0)
            r = disk_open(c, v, secret, d->use, SETTLE_LATER, NULL, e);
        if (r < 0)
            return r;
    }
    return 0;
}

/* Returns `first` if that is an error. */
static int settle_after(const struct context *c, const char *uuid, int first, struct error *e)
{
    struct error why = ERROR_NONE;
    int r = broker_settle(c->broker, uuid, &why);
    return first < 0 || r == 0 ? first : error_pass(e, r, &why);
}

/* Opens all before it waits for udevd, once for all; then each has its own result. */
void disks_open(const struct context *c, void *const disks[], size_t n, struct error why[])
{
    int r[STEPS_AT_ONCE];
    for (size_t i = 0; i < n; i++)
        r[i] = open_missing(c, disks[i], &why[i]);
    for (size_t i = 0; i < n; i++) {
        const struct disks *d = disks[i];
        r[i] = settle_after(c, d->instance->uuid, r[i], &why[i]);
        if (r[i] < 0)
            error_set(&why[i], r[i], "%s", strerror(-r[i]));
    }
}

/* Closes the disks in `wanted`, each whatever becomes of the others. Returns the first error. */
static int close_all(const struct context *c, const struct disks *d, const bool wanted[DISKS_MAX],
                     struct error *e)
{
    int first = 0;
    for (size_t n = 0; n < d->instance->n_volumes; n++) {
        int r = wanted[n] ? disk_close(c, d->instance->volumes[n], SETTLE_LATER, e) : 0;
        if (r < 0 && first == 0)
            first = r;
    }
    return settle_after(c, d->instance->uuid, first, e);
}

/* Closes the maps that this step opened. A map with our name that is not ours (-EUNSAFE) is none of them: it
 * made the step fail. */
int disks_open_undo(const struct context *c, void *disks, struct error *e)
{
    const struct disks *d = disks;
    int first = 0;
    for (size_t n = 0; n < d->instance->n_volumes; n++) {
        struct error why = ERROR_NONE;
        bool ours = d->missing[n] && (d->touched[n] || !d->open[n]);
        int r = ours ? disk_close(c, d->instance->volumes[n], SETTLE_LATER, &why) : 0;
        if (r < 0 && r != -EUNSAFE && first == 0)
            first = error_pass(e, r, &why);
    }
    return settle_after(c, d->instance->uuid, first, e);
}

int disks_close_durable(const struct context *c, void *disks, struct error *e)
{
    const struct disks *d = disks;
    return close_all(c, d, d->durable, e);
}

int disks_close_idle(const struct context *c, const struct disks *d, enum map_use up_to, struct error *e)
{
    const struct instance *instance = d->instance;
    int first = 0;
    bool any = false;
    for (size_t n = 0; n < instance->n_volumes; n++) {
        const struct volume *v = instance->volumes[n];
        bool closed = false;
        int r = volume_encrypted(v) && d->durable[n]
                    ? broker_close_up_to(c->broker, v, up_to, SETTLE_LATER, &closed, e)
                    : 0;
        if (r < 0 && first == 0)
            first = r;
        any = any || closed;
    }
    first = settle_after(c, d->instance->uuid, first, e);
    return any || first < 0 ? audit_instance("close", instance->uuid, instance->name, first, e) : 0;
}

int disks_close(const struct context *c, void *disks, struct error *e)
{
    bool all[DISKS_MAX];
    memset(all, true, sizeof all);
    return close_all(c, disks, all, e);
}

bool disks_can_close(const struct disks *d)
{
    for (size_t n = 0; n < d->instance->n_volumes; n++)
        if (volume_encrypted(d->instance->volumes[n]) && d->durable[n] && d->open[n])
            return true;
    return false;
}

bool disks_lose_data(const struct disks *d)
{
    for (size_t n = 0; n < d->instance->n_volumes; n++)
        if (!d->durable[n] && d->open[n])
            return true;
    return false;
}
