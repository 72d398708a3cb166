/* SPDX-License-Identifier: Apache-2.0 */
/* mayfly delete: from the first mark on there is no way back. After an error the disks stay doomed, the
 * domain stopped, and the key may still exist: recover finishes the delete.
 *
 * Several instances are looked up, locked and removed together. An obstacle of one is found before the first
 * mark if possible, and never stops the others.
 */
#include "base/audit.h"
#include "instance/drift.h"
#include "instance/keys-going.h"
#include "instance/lock.h"
#include "instance/operations.h"
#include "instance/removal.h"

/* Explains that Mayfly has no instance of this name, which another domain may have. That is an error, or a
 * script would go on after a typo. */
static int not_there(const struct context *c, const char *name, struct error *e)
{
    struct domain d;
    int r = virt_find_name(c->virt, name, &d, NULL);
    if (r == 0)
        return error_set(e, -EUNSAFE,
                         "domain %s: has no Mayfly disks, so Mayfly does not delete it; see virsh undefine",
                         name);
    return r == -ENOENT
               ? error_set(e, r, "instance %s: there is no instance of this name or UUID; see mayfly list",
                           name)
               : error_set(e, r, "domain %s: libvirt does not tell whether it exists", name);
}

/* A running guest is ended, and lets go of its disks. Another holder, such as a mount, must not lose a disk
 * by a slip. Files that the guest has written elsewhere stay, and are named. */
static const struct drift_need needs = {
    .cannot = "cannot be deleted", .refused = DRIFT(HELD), .told = DRIFT_ELSEWHERE};

/* One of the names that are deleted together. */
struct deletion {
    const struct instance *instance; /* NULL: not found, or not locked */
    struct removal removal;
    bool goes; /* the removal is in the list */
};

/* All volumes to be removed. */
struct going {
    const struct volume **v;
    size_t n;
};

/* Adds the volumes of a removal to `going`, unless it is refused. */
static int check_removal(const struct context *c, const struct model *m, const struct removal *r,
                         struct going *going, struct error *e)
{
    int result = removal_check(r, e);
    if (result == 0)
        result = drift_check(c, m, r->instance, &needs, e);
    for (size_t i = 0; result == 0 && i < r->n_volumes; i++)
        going->v[going->n++] = r->volumes[i];
    return result;
}

/* Returns the index of the last removal that has the key. */
static size_t last_with_key(const struct deletion d[], size_t n, const char *key)
{
    size_t last = 0;
    for (size_t i = 0; i < n; i++)
        if (d[i].removal.instance && removal_has_key(&d[i].removal, key))
            last = i;
    return last;
}

/* Checks all keys at once. If several instances share a key that cannot be destroyed, the last of them stays,
 * and the key with it. */
static int check_keys(const struct context *c, const struct model *m, const struct going *going,
                      struct deletion d[], size_t n, struct outcome ret[], struct error *e)
{
    _cleanup_keys_going_ struct keys_going keys = {.n = 0};
    int r = keys_of_going(m->inventory, going->v, going->n, &keys, e);
    if (r < 0 || keys_may_destroy(c, &keys, false, NULL) == 0)
        return r;
    for (size_t i = 0; i < keys.n; i++) {
        const struct error *why = &keys.keys[i].error;
        size_t stays = last_with_key(d, n, keys.keys[i].v->key);
        bool left = d[stays].removal.demand == KEY_LEFT_IF_DENIED && key_is_denied(&keys.keys[i]);
        if (!why->errnum || left || !d[stays].goes)
            continue;
        d[stays].goes = false;
        error_set(&ret[stays].error, why->errnum, "instance %s: cannot be deleted: %s",
                  d[stays].instance->name, why->text);
    }
    return 0;
}

/* Returns the index of the first name that stands for the same instance. */
static size_t first_with_instance(const struct deletion d[], size_t i)
{
    size_t first = 0;
    while (d[first].instance != d[i].instance)
        first++;
    return first;
}

/* Makes a list of the removals that may begin; *ret is its first, or NULL. */
static int list_removals(const struct context *c, const struct model *m, enum key_demand demand,
                         struct deletion d[], size_t n, struct outcome ret[], struct removal **ret_first,
                         struct error *e)
{
    _cleanup_free_ const struct volume **v = calloc(m->inventory->n_volumes + 1, sizeof(struct volume *));
    struct going going = {.v = v};
    struct removal **end = ret_first;
    if (!v)
        return error_memory(e);
    for (size_t i = 0; i < n; i++) {
        struct removal removal;
        if (!d[i].instance || first_with_instance(d, i) < i)
            continue;
        removal = removal_of(m, d[i].instance);
        removal.demand = demand;
        d[i].goes = check_removal(c, m, &removal, &going, &ret[i].error) == 0;
        if (d[i].goes)
            d[i].removal = removal;
    }
    int r = demand == KEY_FORGOTTEN ? 0 : check_keys(c, m, &going, d, n, ret, e);
    for (size_t i = 0; r == 0 && i < n; i++)
        if (d[i].goes) {
            *end = &d[i].removal;
            end = &d[i].removal.next;
        }
    return r;
}

/* Notes the outcome of one removal; `r` and `e`: of all steps. */
static void note_outcome(const struct removal *removal, int r, const struct error *e, struct outcome *ret)
{
    ret->error = removal->error;
    if (r < 0 && !ret->error.errnum)
        ret->error = *e;
    ret->changed = ret->error.errnum == 0;
    ret->key = removal->key;
    if (!ret->changed && removal->begun)
        error_append(&ret->error, "; mayfly recover, or another delete, finishes the removal of %s",
                     removal->instance->name);
}

static int run_removals(const struct context *c, struct removal *first, struct error *e)
{
    _cleanup_steps_ struct steps *s = NULL;
    int r = steps_new(&s, e);
    if (r == 0)
        r = removal_add_steps(s, first, e);
    return r < 0 ? r : steps_run(s, c, e);
}

/* Deletes the instances that are locked. `stopped` is set if the user stops the verb. */
static void delete_locked(const struct context *c, const struct model *m, enum key_demand demand,
                          struct deletion d[], size_t n, struct outcome ret[], struct error *stopped)
{
    struct error of_all = ERROR_NONE;
    struct removal *first = NULL;
    int r = m ? list_removals(c, m, demand, d, n, ret, &first, &of_all) : 0;
    if (r == 0 && first)
        r = run_removals(c, first, &of_all);
    for (size_t i = 0; i < n; i++) {
        if (d[i].goes)
            note_outcome(&d[i].removal, r, &of_all, &ret[i]);
        else if (r < 0 && !ret[i].error.errnum) /* it was not checked */
            ret[i].error = of_all;
        if (d[i].goes)
            audit_instance("delete", d[i].instance->uuid, d[i].instance->name, ret[i].error.errnum,
                           &ret[i].error);
        if (ret[i].error.errnum == -ECANCELED && !stopped->errnum)
            *stopped = ret[i].error;
    }
    for (size_t i = 0; i < n; i++)
        if (d[i].instance && first_with_instance(d, i) < i)
            ret[i].error = ret[first_with_instance(d, i)].error;
}

static void delete_some(const struct context *c, const char *const names[], size_t n, enum key_demand demand,
                        struct outcome ret[], struct error *stopped)
{
    const struct instance *instances[MODEL_LOCKS_MAX];
    struct error why[MODEL_LOCKS_MAX], of_all = ERROR_NONE;
    struct deletion d[MODEL_LOCKS_MAX] = {0};
    _cleanup_model_ struct model *m = NULL;

    int r = model_lock_many(c, names, n, &m, instances, why, &of_all);
    for (size_t i = 0; i < n; i++) {
        if (r < 0)
            ret[i].error = of_all;
        else if (why[i].errnum == -ENOENT)
            (void)!not_there(c, names[i], &ret[i].error);
        else
            ret[i].error = why[i];
        d[i].instance = r < 0 ? NULL : instances[i];
    }
    if (r == 0)
        delete_locked(c, m, demand, d, n, ret, stopped);
}

static int delete_all(const struct context *c, const char *const names[], size_t n, enum key_demand demand,
                      struct outcome ret[], struct error *e)
{
    struct error stopped = ERROR_NONE;
    int r = context_check_virt(c, e);
    if (r < 0)
        return r;
    memset(ret, 0, n * sizeof *ret);
    for (size_t done = 0, some; done < n && !stopped.errnum; done += some) {
        some = n - done < MODEL_LOCKS_MAX ? n - done : MODEL_LOCKS_MAX;
        delete_some(c, names + done, some, demand, ret + done, &stopped);
    }
    if (stopped.errnum)
        return error_pass(e, stopped.errnum, &stopped);
    return error_first(e, ret, n);
}

int instances_delete(const struct context *c, const char *const names[], size_t n, struct outcome ret[],
                     struct error *e)
{
    return delete_all(c, names, n, KEY_MUST_GO, ret, e);
}

int instances_delete_forget_keys(const struct context *c, const char *const names[], size_t n,
                                 struct outcome ret[], struct error *e)
{
    return delete_all(c, names, n, KEY_FORGOTTEN, ret, e);
}

int instances_delete_leave_keys(const struct context *c, const char *const names[], size_t n,
                                struct outcome ret[], struct error *e)
{
    return delete_all(c, names, n, KEY_LEFT_IF_DENIED, ret, e);
}

int instance_delete(const struct context *c, const char *name, bool *ret_changed, struct error *e)
{
    const char *const names[] = {name};
    struct outcome d;
    int r = instances_delete(c, names, 1, &d, e);
    if (r == 0)
        *ret_changed = d.changed;
    return r;
}
