/* SPDX-License-Identifier: Apache-2.0 */
/* See together.h.
 *
 *     LOCK all, in the order of uuids | look | check each | fetch keys | steps, side by side | UNLOCK all
 */
#include "instance/together.h"

#include "base/audit.h"
#include "instance/keys.h"
#include "instance/lock.h"

/* One of the named instances. */
struct member {
    const struct instance *instance; /* NULL: not found, or not locked */
    struct disks disks;
    struct steps *steps; /* NULL: none */
};

struct members {
    struct member all[TOGETHER_MAX];
};

static void members_end(struct members *m)
{
    for (size_t i = 0; i < TOGETHER_MAX; i++)
        steps_free(m->all[i].steps);
}

static int plan(const struct context *c, const struct together *t, const struct model *model,
                struct member *m, struct error *e)
{
    _cleanup_steps_ struct steps *s = NULL;
    m->disks.use = t->use;
    int r = model_check_ready(model, m->instance, e);
    if (r == 0)
        r = steps_new(&s, e);
    if (r == 0)
        r = t->plan(c, model, m->instance, &m->disks, s, e);
    if (r == 0 && steps_count(s))
        m->steps = TAKE_PTR(s);
    return r;
}

/* Returns the index of the first name that stands for the same instance. */
static size_t first_with_instance(const struct member m[], size_t i)
{
    size_t first = 0;
    while (m[first].instance != m[i].instance)
        first++;
    return first;
}

static void run_members(const struct context *c, const struct together *t, const struct member m[], size_t n,
                        struct outcome ret[])
{
    struct steps *lists[TOGETHER_MAX];
    struct error why[TOGETHER_MAX];
    size_t of[TOGETHER_MAX], n_lists = 0;
    for (size_t i = 0; i < n; i++)
        if (m[i].steps) {
            of[n_lists] = i;
            lists[n_lists++] = m[i].steps;
        }
    steps_run_many(lists, n_lists, c, why);
    for (size_t i = 0; i < n_lists; i++) {
        const struct instance *one = m[of[i]].instance;
        ret[of[i]].changed = audit_instance(t->verb, one->uuid, one->name, why[i].errnum, &why[i]) == 0;
        ret[of[i]].error = why[i];
    }
}

static void do_locked(const struct context *c, const struct together *t, const struct model *model,
                      struct member m[], size_t n, struct outcome ret[])
{
    const struct disks *disks[TOGETHER_MAX];
    size_t n_disks = 0;
    for (size_t i = 0; i < n; i++)
        if (m[i].instance && first_with_instance(m, i) == i && plan(c, t, model, &m[i], &ret[i].error) == 0 &&
            m[i].steps)
            disks[n_disks++] = &m[i].disks;
    keys_fetch_ahead(c, disks, n_disks);
    run_members(c, t, m, n, ret);
    keys_ahead_end(c->managers);
    for (size_t i = 0; i < n; i++)
        if (m[i].instance && first_with_instance(m, i) < i)
            ret[i].error = ret[first_with_instance(m, i)].error;
}

/* Returns the first error; if the user has stopped the verb, that one, whatever else went wrong. */
static int first_error(const struct outcome ret[], size_t n, struct error *e)
{
    for (size_t i = 0; i < n; i++)
        if (ret[i].error.errnum == -ECANCELED)
            return error_pass(e, -ECANCELED, &ret[i].error);
    return error_first(e, ret, n);
}

int instances_together(const struct context *c, const struct together *t, const char *const names[], size_t n,
                       struct outcome ret[], struct error *e)
{
    _cleanup_(members_end) struct members members = {0};
    _cleanup_model_ struct model *model = NULL;
    const struct instance *instances[TOGETHER_MAX];
    struct error why[TOGETHER_MAX], of_all = ERROR_NONE;

    int r = context_check_virt(c, &of_all);
    if (r == 0)
        r = model_lock_many(c, names, n, &model, instances, why, &of_all);
    for (size_t i = 0; i < n; i++) {
        ret[i] = (struct outcome){.error = r < 0 ? of_all : why[i]};
        members.all[i].instance = r < 0 ? NULL : instances[i];
    }
    if (r == 0 && model)
        do_locked(c, t, model, members.all, n, ret);
    return first_error(ret, n, e);
}

int instance_together(const struct context *c, const struct together *t, const char *name, bool *ret_changed,
                      struct error *e)
{
    struct outcome one;
    int r = instances_together(c, t, &name, 1, &one, e);
    if (r == 0)
        *ret_changed = one.changed;
    return r;
}
