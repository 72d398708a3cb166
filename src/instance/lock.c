/* SPDX-License-Identifier: Apache-2.0 */
/* How a verb takes hold of one instance: what was seen before the lock may have changed until it is held, so
 * it is looked at again. */
#include "base/clock.h"
#include "instance/model.h"

#define LOOKS_MAX 4 /* until the name stands still */

/* One of those that are wanted. */
struct wanted {
    const char *name;     /* or uuid */
    char uuid[UUID_TEXT]; /* to lock: a guess, until the model says the same under the lock */
    bool locked;
};

/* What libvirt says is one question, a look at all volumes several, for which *m is loaded once. It may be
 * wrong. */
static int guess_uuid(const struct context *c, struct model **m, struct wanted *w, struct error *e)
{
    const struct instance *i = NULL;
    struct domain d;

    if (uuid_read(w->name, w->uuid))
        return 0;
    if (c->virt && virt_find_name(c->virt, w->name, &d, NULL) == 0)
        return str_copy(w->uuid, UUID_TEXT, d.uuid);
    int r = *m ? 0 : model_load(c, m, e);
    if (r == 0)
        r = model_find(*m, w->name, &i, e);
    return r < 0 ? r : str_copy(w->uuid, UUID_TEXT, i->uuid);
}

int model_lock_uuid(const struct context *c, const char *uuid, struct error *e)
{
    uint64_t end = clock_msec() + c->lock_wait_msec;
    for (;;) {
        struct error why = ERROR_NONE;
        int r = broker_lock(c->broker, uuid, &why);
        if (r == -EBUSY && c->stopped && c->stopped())
            return error_set(e, -ECANCELED, "%s; it is no longer waited for", why.text);
        if (r != -EBUSY || clock_msec() >= end)
            return r < 0 ? error_set(e, r, "%s", why.text) : 0;
        nanosleep(&(struct timespec){.tv_nsec = LOCK_POLL_MSEC * 1000000L}, NULL);
    }
}

static bool any_left(const struct error why[], size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!why[i].errnum)
            return true;
    return false;
}

/* The next to lock, in the order of uuids; NULL: all are locked that can be. */
static struct wanted *next_to_lock(struct wanted w[], size_t n, const struct error why[])
{
    struct wanted *next = NULL;
    for (size_t i = 0; i < n; i++)
        if (!w[i].locked && !why[i].errnum && (!next || strcmp(w[i].uuid, next->uuid) < 0))
            next = &w[i];
    return next;
}

static void lock_all(const struct context *c, struct wanted w[], size_t n, struct error why[])
{
    for (struct wanted *next; (next = next_to_lock(w, n, why)); next->locked = true) {
        struct error *e = &why[next - w];
        if (model_lock_uuid(c, next->uuid, e) < 0)
            error_prefix(e, "instance %s: ", next->name);
    }
}

/* Finds them under their locks. False: the name of one was another's when we guessed. */
static bool find_all(const struct model *m, struct wanted w[], size_t n, const struct instance *ret[],
                     struct error why[])
{
    bool same = true;
    for (size_t i = 0; i < n; i++) {
        ret[i] = NULL;
        if (why[i].errnum || model_find(m, w[i].name, &ret[i], &why[i]) < 0 || streq(ret[i]->uuid, w[i].uuid))
            continue;
        memcpy(w[i].uuid, ret[i]->uuid, UUID_TEXT);
        w[i].locked = same = false;
    }
    return same;
}

int model_lock_many(const struct context *c, const char *const names[], size_t n, struct model **ret_model,
                    const struct instance *ret[], struct error why[], struct error *e)
{
    struct wanted w[MODEL_LOCKS_MAX] = {0};
    _cleanup_model_ struct model *before = NULL, *m = NULL;
    bool same = false;
    for (size_t i = 0; i < n; i++) {
        w[i].name = names[i];
        ret[i] = NULL;
        why[i] = ERROR_NONE;
        (void)!guess_uuid(c, &before, &w[i], &why[i]);
    }
    for (int looks = 0; !same && looks < LOOKS_MAX; looks++) {
        lock_all(c, w, n, why);
        m = model_free(m);
        int r = any_left(why, n) ? model_load(c, &m, e) : 0;
        if (r < 0)
            return r;
        same = !m || find_all(m, w, n, ret, why);
    }
    for (size_t i = 0; i < n; i++) {
        if (ret[i] && !w[i].locked)
            error_set(&why[i], -EBUSY, "instance %s: its name changes while it is looked for; give the uuid",
                      names[i]);
        if (ret[i] && (!w[i].locked || model_ask_domain(c, m, ret[i]->uuid, &why[i]) < 0))
            ret[i] = NULL;
    }
    *ret_model = TAKE_PTR(m);
    return 0;
}

int model_lock(const struct context *c, const char *name_or_uuid, struct model **ret_model,
               const struct instance **ret, struct error *e)
{
    _cleanup_model_ struct model *m = NULL;
    const char *const names[] = {name_or_uuid};
    struct error why = ERROR_NONE;
    int r = model_lock_many(c, names, 1, &m, ret, &why, e);
    if (r == 0 && why.errnum)
        r = error_set(e, why.errnum, "%s", why.text);
    if (r == 0)
        *ret_model = TAKE_PTR(m);
    return r;
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

int model_lock_ready(const struct context *c, const char *name_or_uuid, struct model **ret_model,
                     const struct instance **ret, struct error *e)
{
    int r = context_check_virt(c, e);
    if (r == 0)
        r = model_lock(c, name_or_uuid, ret_model, ret, e);
    return r < 0 ? r : model_check_ready(*ret_model, *ret, e);
}
