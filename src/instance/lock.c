/* SPDX-License-Identifier: Apache-2.0 */
/* Locks instances for a verb. unlock.c gives the locks back.
 *
 *     libvirt: all domains | LOCK | volumes, then these domains alone | the verb | UNLOCK | did a guest end?
 *
 * A lock needs a uuid, and people give names. So the uuid is guessed first, and checked under the lock: if
 * the name has moved to another instance meanwhile, all locks are given back, and the next attempt begins.
 *
 * libvirt is asked for all domains only before the lock: while a hook is at work libvirt does not answer
 * that, and a hook may be waiting for this very lock.
 */
#include "instance/lock.h"

#include "base/clock.h"

#define ATTEMPTS_MAX 4

/* An instance that the caller names. */
struct candidate {
    const char *name;     /* or uuid */
    char uuid[UUID_TEXT]; /* a guess until it is checked */
    bool locked;
    const struct instance *instance; /* found under the lock; NULL: not found */
    struct error *why;               /* the caller's; errnum 0: nothing is wrong */
};

struct candidates {
    struct candidate each[MODEL_LOCKS_MAX];
    size_t n;
};

/* -------------------------------------------------------------------- locks */

static int lock_until(const struct context *c, const char *uuid, uint64_t end_msec, struct error *e)
{
    for (;;) {
        struct error why = ERROR_NONE;
        int r = broker_lock(c->broker, uuid, &why);
        if (r == -EBUSY && context_stopped(c))
            return error_set(e, -ECANCELED, "%s; it is no longer waited for", why.text);
        if (r != -EBUSY || clock_msec() >= end_msec)
            return r < 0 ? error_pass(e, r, &why) : 0;
        nanosleep(&(struct timespec){.tv_nsec = LOCK_POLL_MSEC * 1000000L}, NULL);
    }
}

int model_lock_uuid(const struct context *c, const char *uuid, struct error *e)
{
    return lock_until(c, uuid, clock_msec() + c->lock_wait_msec, e);
}

int model_own_lock(struct model *m, const struct context *c, const char *uuid, struct error *e)
{
    char(*bigger)[UUID_TEXT] = reallocarray(m->locked, m->n_locked + 1, sizeof *bigger);
    if (!bigger)
        return error_memory(e);
    m->locked = bigger;
    m->locked_by = c;
    m->unlock = model_unlock;
    memcpy(bigger[m->n_locked++], uuid, UUID_TEXT);
    return 0;
}

/* ------------------------------------------------------------------ guesses */

/* Returns the uuid of the domain that has this uuid or name; NULL: no domain has. */
static const char *uuid_of_domain(const struct model *m, const char *name, const char *as_uuid)
{
    if (as_uuid && model_domain_of(m, as_uuid))
        return as_uuid;
    for (size_t d = 0; d < m->n_domains; d++)
        if (streq(m->domains[d].name, name))
            return m->domains[d].uuid;
    return NULL;
}

/* Guesses by the domains of `m`. Only an instance without a domain needs a look at all volumes, which is
 * slow: *volumes is loaded once for all of these. */
static int guess_uuid(const struct context *c, const struct model *m, struct model **volumes,
                      struct candidate *q, struct error *e)
{
    char read[UUID_TEXT];
    const struct instance *i = NULL;
    const char *as_uuid = uuid_read(q->name, read) ? read : NULL; /* a name may look like a uuid */
    const char *uuid = uuid_of_domain(m, q->name, as_uuid);
    if (!uuid)
        uuid = as_uuid;
    if (!uuid) {
        int r = *volumes ? 0 : model_load(c, volumes, e);
        if (r == 0)
            r = model_find(*volumes, q->name, &i, e);
        if (r < 0)
            return r;
        uuid = i->uuid;
    }
    return str_copy(q->uuid, UUID_TEXT, uuid);
}

static void guess_all(const struct context *c, const struct model *m, struct candidates *all)
{
    _cleanup_model_ struct model *volumes = NULL;
    for (size_t i = 0; i < all->n; i++) {
        struct candidate *q = &all->each[i];
        q->locked = false;
        q->instance = NULL;
        if (!q->why->errnum)
            (void)!guess_uuid(c, m, &volumes, q, q->why);
    }
}

/* ------------------------------------------------------------- one attempt */

/* Returns the unlocked candidate with the lowest uuid: all verbs lock in this order. NULL: none is left. */
static struct candidate *next_to_lock(struct candidates *all)
{
    struct candidate *next = NULL;
    for (size_t i = 0; i < all->n; i++) {
        struct candidate *q = &all->each[i];
        if (!q->locked && !q->why->errnum && (!next || strcmp(q->uuid, next->uuid) < 0))
            next = q;
    }
    return next;
}

/* Waits for all locks together as long as for one. A lock that is not had is the candidate's error, whatever
 * the reason. Fails only if memory for the model ran out. */
static int lock_all(const struct context *c, struct model *m, struct candidates *all, struct error *e)
{
    uint64_t end_msec = clock_msec() + c->lock_wait_msec;
    for (struct candidate *q; (q = next_to_lock(all));) {
        if (lock_until(c, q->uuid, end_msec, q->why) < 0) {
            error_prefix(q->why, "instance %s: ", q->name);
            continue;
        }
        int r = model_own_lock(m, c, q->uuid, e);
        if (r < 0)
            return r;
        q->locked = true;
    }
    return 0;
}

static void ask_all(const struct context *c, struct model *m, struct candidates *all)
{
    for (size_t i = 0; i < all->n; i++)
        if (all->each[i].locked)
            (void)!model_ask_domain(c, m, all->each[i].uuid, all->each[i].why);
}

/* Needs the domains of all candidates as they are now: a name is compared with all of them. */
static void find_all(const struct model *m, struct candidates *all)
{
    for (size_t i = 0; i < all->n; i++) {
        struct candidate *q = &all->each[i];
        if (!q->why->errnum)
            (void)!model_find(m, q->name, &q->instance, q->why);
    }
}

/* Guesses, locks, and looks under the locks. *ret_model is NULL if nothing could be locked. */
static int attempt(const struct context *c, struct candidates *all, struct model **ret_model, struct error *e)
{
    _cleanup_model_ struct model *m = NULL;
    int r = model_load_domains(c, &m, e);
    if (r < 0)
        return r;
    guess_all(c, m, all);
    r = lock_all(c, m, all, e);
    if (r == 0 && m->n_locked)
        r = model_load_volumes(c, m, e);
    if (r < 0 || !m->n_locked)
        return r;
    ask_all(c, m, all);
    find_all(m, all);
    *ret_model = TAKE_PTR(m);
    return 0;
}

/* ------------------------------------------------------------ all attempts */

static bool guessed_wrong(const struct candidate *q)
{
    return q->instance && !streq(q->instance->uuid, q->uuid);
}

static bool any_guessed_wrong(const struct candidates *all)
{
    for (size_t i = 0; i < all->n; i++)
        if (guessed_wrong(&all->each[i]))
            return true;
    return false;
}

int model_lock_many(const struct context *c, const char *const names[], size_t n, struct model **ret_model,
                    const struct instance *ret[], struct error why[], struct error *e)
{
    _cleanup_model_ struct model *m = NULL;
    struct candidates all = {.n = n};
    for (size_t i = 0; i < n; i++) {
        why[i] = ERROR_NONE;
        all.each[i] = (struct candidate){.name = names[i], .why = &why[i]};
    }
    int attempts = 0;
    do {
        m = model_free(m); /* with its locks */
        int r = attempt(c, &all, &m, e);
        if (r < 0)
            return r;
    } while (++attempts < ATTEMPTS_MAX && any_guessed_wrong(&all));
    for (size_t i = 0; i < n; i++) {
        bool wrong = guessed_wrong(&all.each[i]);
        ret[i] = wrong ? NULL : all.each[i].instance;
        if (wrong)
            error_set(&why[i], -EBUSY, "instance %s: its name changes while it is looked for; give the uuid",
                      names[i]);
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
        r = error_pass(e, why.errnum, &why);
    if (r == 0)
        *ret_model = TAKE_PTR(m);
    return r;
}

int model_lock_ready(const struct context *c, const char *name_or_uuid, struct model **ret_model,
                     const struct instance **ret, struct error *e)
{
    int r = context_check_virt(c, e);
    if (r == 0)
        r = model_lock(c, name_or_uuid, ret_model, ret, e);
    return r < 0 ? r : model_check_ready(*ret_model, *ret, e);
}
