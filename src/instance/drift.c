/* SPDX-License-Identifier: Apache-2.0 */
/* See drift.h. A finding is a fact of this moment and is not kept. A look under the lock of the instance is
 * safe from other mayflies, but not from people. */
#include "instance/drift-internal.h"

#include "base/clock.h"
#include "storage/holders.h"

#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>

#define HOLDER_POLL_MSEC 200

/* ------------------------------------------------------------------- domain */

static void look_at_state(struct drift_search *s)
{
    const char *uuid = s->instance->uuid;
    switch (s->domain->state) {
    case DOMAIN_PAUSED:
        drift_add(
            s, DRIFT_HALTED, NULL, -EBUSY,
            "its domain is paused; resume it by virsh resume %s (virsh domstate --reason tells why it is "
            "paused), or end it by mayfly stop --force",
            uuid);
        break;
    case DOMAIN_CRASHED:
        drift_add(s, DRIFT_HALTED, NULL, -EBUSY,
                  "its domain is crashed: the guest has failed, and libvirt keeps it for inspection; end it "
                  "by mayfly stop --force, or mayfly reboot --hard");
        break;
    case DOMAIN_PMSUSPENDED:
        drift_add(
            s, DRIFT_HALTED, NULL, -EBUSY,
            "its domain is pmsuspended: the guest sleeps; wake it by virsh dompmwakeup %s, or end it by "
            "mayfly stop --force",
            uuid);
        break;
    case DOMAIN_IN_SHUTDOWN:
        drift_add(s, DRIFT_ENDING, NULL, -EBUSY,
                  "its domain is in shutdown; wait until it is shut off, or end it by mayfly stop --force");
        break;
    case DOMAIN_NO_STATE:
    case DOMAIN_RUNNING:
    case DOMAIN_IDLE:
    case DOMAIN_SHUT_OFF:
        break;
    }
}

static void look_at_domain(struct drift_search *s)
{
    const struct instance *i = s->instance;
    const struct domain *d = s->domain;
    if (!i->domain_known)
        drift_add(s, DRIFT_UNKNOWN, NULL, -ECONNREFUSED,
                  "the state of its domain is unknown, since libvirt cannot be reached; see systemctl status "
                  "libvirtd virtqemud");
    else if (!d)
        drift_add(s, DRIFT_UNDEFINED, NULL, -ENOENT,
                  "libvirt has no domain %s any more; define one with this uuid, or run mayfly delete",
                  i->uuid);
    if (!d)
        return;
    if (!d->persistent)
        drift_add(
            s, DRIFT_TRANSIENT, NULL, -EUNSAFE,
            "its domain is transient: it runs without a definition, and libvirt forgets it when it ends; "
            "define it first: virsh dumpxml %s >FILE, virsh define FILE",
            i->uuid);
    look_at_state(s);
    if (d->saved)
        drift_add(s, DRIFT_SAVED, NULL, -EBUSY,
                  "it has a managed save, and its next start would resume that memory; start it and shut it "
                  "down, or run virsh managedsave-remove %s",
                  i->uuid);
    if (d->name[0] && i->n_volumes && !streq(d->name, i->volumes[0]->name))
        drift_add(s, DRIFT_RENAMED, NULL, 0, "libvirt calls it %s, and the tags of its volumes call it %s",
                  d->name, i->volumes[0]->name);
}

/* ------------------------------------------------------------------ holders */

/* Names the holders of the device, but no processes: those may be the instance's own guest, or udev, which
 * looks at a new device for a moment. */
static void name_holders(const char *path, char text[200])
{
    struct stat st;
    text[0] = '\0';
    if (stat(path, &st) == 0 && S_ISBLK(st.st_mode))
        holders_name(st.st_rdev, text, 200);
}

static bool is_held(const struct drift_search *s, const struct inventory *inventory, const struct volume *v,
                    char by[200])
{
    char path[DEVICE_PATH_MAX];
    const struct map *map = volume_encrypted(v) ? inventory_map_of(inventory, v) : NULL;
    by[0] = '\0';
    if ((volume_encrypted(v) && !map) || v->state == VOLUME_DOOMED || v->state == VOLUME_BUILDING)
        return false;
    inventory_device_path(inventory, v, path);
    name_holders(path, by);
    return by[0] || (map && map->open_count > 0 && s->idle);
}

/* Waits a moment, in which udev and others let go; *ret: the device is still held. */
static int wait_for_holder(const struct drift_search *s, const struct volume *v, char by[200], bool *ret,
                           struct error *e)
{
    const struct context *c = s->context;
    uint64_t end = clock_msec() + c->holder_wait_msec;
    *ret = true;
    while (*ret && !by[0] && clock_msec() < end && !context_stopped(c)) {
        _cleanup_inventory_ struct inventory *now = NULL;
        nanosleep(&(struct timespec){.tv_nsec = HOLDER_POLL_MSEC * 1000000L}, NULL);
        int r = broker_list(c->broker, &now, e);
        if (r < 0)
            return r;
        *ret = is_held(s, now, v, by);
    }
    return 0;
}

static void tell_held(struct drift_search *s, const struct volume *v, const char *by)
{
    const struct inventory *inventory = s->model->inventory;
    const struct map *map = inventory_map_of(inventory, v);
    char path[DEVICE_PATH_MAX];
    inventory_device_path(inventory, v, path);
    if (map && map->served)
        drift_add(
            s, DRIFT_HELD, v, -EBUSY,
            "its disk %s (%s) is in use by a guest that is not this instance's; see virsh list and ss -xp",
            v->role, path);
    else
        drift_add(s, DRIFT_HELD, v, -EBUSY,
                  "its disk %s (%s) is in use on this host%s; see lsblk and fuser -vm, and umount it or end "
                  "what uses it",
                  v->role, path, by);
}

static int look_at_holders(struct drift_search *s, struct error *e)
{
    const struct instance *i = s->instance;
    for (size_t n = 0; n < i->n_volumes; n++) {
        const struct volume *v = i->volumes[n];
        char by[200];
        bool held = (!s->only || v == s->only) && is_held(s, s->model->inventory, v, by);
        int r = held ? wait_for_holder(s, v, by, &held, e) : 0;
        if (r < 0)
            return r;
        if (held)
            tell_held(s, v, by);
    }
    return 0;
}

/* ----------------------------------------------------------- the whole look */

static int by_kind(const void *a, const void *b)
{
    const struct drift_finding *x = a, *y = b;
    if (x->kind != y->kind)
        return x->kind < y->kind ? -1 : 1;
    return x->disk && y->disk ? volume_order(x->disk, y->disk) : 0;
}

static int look(const struct context *c, const struct model *m, const struct survey *survey,
                const struct instance *i, const struct drift_need *need, struct drift *ret, struct error *e)
{
    const struct domain *domain = model_domain_of(m, i->uuid);
    struct drift_search s = {.context = c,
                             .model = m,
                             .instance = i,
                             .domain = domain,
                             .survey = survey,
                             .kinds = need->refused | need->told,
                             .only = need->disk,
                             .idle = need->idle || (i->domain_known && !(domain && domain->active)),
                             .result = ret};
    *ret = (struct drift){.n = 0};
    look_at_domain(&s);
    int r = drift_wanted(&s, DRIFT_HELD) ? look_at_holders(&s, e) : 0;
    if (r == 0)
        r = drift_compare_disks(&s, e);
    if (r == 0 && survey)
        drift_find_shared(&s);
    if (r == 0 && s.out_of_memory)
        r = error_memory(e);
    if (r == 0 && ret->n)
        qsort(ret->found, ret->n, sizeof *ret->found, by_kind);
    return r;
}

int drift_look(const struct context *c, const struct model *m, const struct survey *survey,
               const struct instance *i, unsigned kinds, struct drift *ret, struct error *e)
{
    return look(c, m, survey, i, &(struct drift_need){.told = kinds}, ret, e);
}

int drift_check(const struct context *c, const struct model *m, const struct instance *i,
                const struct drift_need *need, struct error *e)
{
    _cleanup_drift_ struct drift d = {.n = 0};
    int r = look(c, m, NULL, i, need, &d, e);
    if (r < 0)
        return r;
    for (size_t n = 0; n < d.n; n++)
        if (need->refused & (1U << d.found[n].kind))
            return error_set(e, d.found[n].errnum, "%s %s: %s: %s", i->n_volumes ? "instance" : "domain",
                             i->name, need->cannot, d.found[n].text);
    for (size_t n = 0; n < d.n; n++)
        report_warning(c, "instance %s: %s", i->name, d.found[n].text);
    return 0;
}

int drift_check_ended(const struct context *c, const char *uuid, const struct drift_need *need,
                      struct error *e)
{
    _cleanup_model_ struct model *m = NULL;
    const struct instance *i = NULL;
    int r = model_load(c, &m, e);
    if (r == 0)
        r = model_find(m, uuid, &i, e);
    if (r < 0)
        return r;
    if (i->state == INSTANCE_RUNNING)
        return error_set(e, -EBUSY,
                         "instance %s: %s: somebody has started its domain meanwhile; stop it, and try again",
                         i->name, need->cannot);
    return drift_check(c, m, i, need, e);
}
