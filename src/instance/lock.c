/* SPDX-License-Identifier: Apache-2.0 */
/* How a verb takes hold of one instance: what was seen before the lock may have changed until it is held, so
 * it is looked at again. */
#include "base/clock.h"
#include "instance/model.h"

#define LOOKS_MAX 4 /* until the name stands still */

/* Which uuid to lock first: what libvirt says is one question, a look at all volumes several. It may be
 * wrong. */
static int guess_uuid(const struct context *c, const char *name_or_uuid, char uuid[UUID_TEXT],
                      struct error *e)
{
    _cleanup_model_ struct model *m = NULL;
    const struct instance *i = NULL;
    struct domain d;

    if (uuid_valid(name_or_uuid))
        return str_copy(uuid, UUID_TEXT, name_or_uuid);
    if (c->virt && virt_find_name(c->virt, name_or_uuid, &d, NULL) == 0)
        return str_copy(uuid, UUID_TEXT, d.uuid);
    int r = model_load(c, &m, e);
    if (r == 0)
        r = model_find(m, name_or_uuid, &i, e);
    return r < 0 ? r : str_copy(uuid, UUID_TEXT, i->uuid);
}

int model_lock_uuid(const struct context *c, const char *uuid, struct error *e)
{
    uint64_t end = clock_msec() + c->lock_wait_msec;
    for (;;) {
        struct error why = ERROR_NONE;
        int r = broker_lock(c->broker, uuid, &why);
        if (r != -EBUSY || clock_msec() >= end || (c->stopped && c->stopped()))
            return r < 0 ? error_set(e, r, "%s", why.text) : 0;
        nanosleep(&(struct timespec){.tv_nsec = LOCK_POLL_MSEC * 1000000L}, NULL);
    }
}

int model_lock(const struct context *c, const char *name_or_uuid, struct model **ret_model,
               const struct instance **ret, struct error *e)
{
    char uuid[UUID_TEXT];
    int r = guess_uuid(c, name_or_uuid, uuid, e);
    for (int looks = 0; r == 0 && looks < LOOKS_MAX; looks++) {
        _cleanup_model_ struct model *m = NULL;
        const struct instance *i = NULL;

        r = model_lock_uuid(c, uuid, e);
        if (r < 0)
            error_prefix(e, "instance %s: ", name_or_uuid);
        if (r == 0)
            r = model_load(c, &m, e);
        if (r == 0)
            r = model_find(m, name_or_uuid, &i, e);
        if (r < 0)
            return r;
        if (streq(i->uuid, uuid)) {
            *ret_model = TAKE_PTR(m);
            *ret = i;
            return 0;
        }
        memcpy(uuid, i->uuid, sizeof uuid); /* the name was another's when we guessed */
    }
    return r < 0 ? r
                 : error_set(e, -EBUSY, "instance %s: its name changes while it is looked for; give the uuid",
                             name_or_uuid);
}

int model_check_not_saved(const struct context *c, const struct instance *i, struct error *e)
{
    struct domain_ram ram;
    if (i->state == INSTANCE_RUNNING || i->state == INSTANCE_NO_DOMAIN)
        return 0;
    int r = virt_ram(c->virt, i->uuid, &ram, e);
    if (r < 0 || !ram.saved)
        return r;
    return error_set(
        e, -EBUSY,
        "instance %s: its guest's RAM is saved, and would go on from there on other disks; start it "
        "and shut it down, or drop that by virsh managedsave-remove %s",
        i->name, i->uuid);
}

int model_check_ready(const struct model *m, const struct instance *i, struct error *e)
{
    if (model_damaged(m, i->uuid))
        return error_set(e, -EUNSAFE,
                         "instance %s: the tags of one of its volumes are damaged, so it is left alone; see "
                         "mayfly list",
                         i->name);
    if (i->state == INSTANCE_REBUILDING)
        return error_set(e, -ENEEDSRECOVER,
                         "instance %s: its rebuild was cut off, and what its disks held is gone; run mayfly "
                         "rebuild again, or mayfly delete",
                         i->name);
    for (size_t v = 0; v < i->n_volumes; v++)
        if (i->volumes[v]->state != VOLUME_READY)
            return error_set(
                e, -ENEEDSRECOVER,
                "instance %s: volume %s/%s is %s, since a launch, a delete or an adoption was cut off; run "
                "mayfly recover",
                i->name, i->volumes[v]->vg, i->volumes[v]->lv, volume_state_name(i->volumes[v]->state));
    return 0;
}

int model_check_domain(const struct instance *i, struct error *e)
{
    if (i->state != INSTANCE_NO_DOMAIN)
        return 0;
    return error_set(e, -ENOENT,
                     "instance %s: libvirt has no domain %s any more; define one with this uuid, "
                     "or run mayfly delete",
                     i->name, i->uuid);
}

int model_lock_ready(const struct context *c, const char *name_or_uuid, struct model **ret_model,
                     const struct instance **ret, struct error *e)
{
    int r = context_check_virt(c, e);
    if (r == 0)
        r = model_lock(c, name_or_uuid, ret_model, ret, e);
    return r < 0 ? r : model_check_ready(*ret_model, *ret, e);
}
