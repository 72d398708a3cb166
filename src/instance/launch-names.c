/* SPDX-License-Identifier: Apache-2.0 */
/* The names of a launch. They are locked until the launch ends. So of two launches at the same time the
 * second numbers its instances after those of the first, or is refused before it has made anything.
 *
 *     lock the name, or its numbering | look | choose numbers, lock each, unlock the numbering | ... | unlock
 */
#include "instance/launch.h"
#include "instance/lock.h"

#include <inttypes.h>
#include <stdio.h>

#define NUMBER_MAX 999999 /* highest number in a name */

int launch_check_name(const struct launch_request *q, struct error *e)
{
    if (q->count < 1 || q->count > LAUNCH_COUNT_MAX)
        return error_set(e, -EINVAL, "launch: cannot make %u instances at once; 1 to %d can be", q->count,
                         LAUNCH_COUNT_MAX);
    if (!q->name[0] || q->name[0] == '-' || q->name[0] == '.' || !str_made_of(q->name, "_.-") ||
        uuid_valid(q->name))
        return error_set(e, -EINVAL,
                         "instance %s: invalid name; use letters, digits, '_', '.' and '-', "
                         "beginning with a letter, digit or '_'",
                         q->name);
    if (strlen(q->name) + (launch_is_numbered(q) ? strlen("-999999") : 0) >= INSTANCE_NAME_MAX)
        return error_set(e, -EINVAL, "instance %s: the name is too long; use at most %zu characters", q->name,
                         INSTANCE_NAME_MAX - 1 - strlen("-999999"));
    return 0;
}

void launch_name(const struct launch *l, size_t n, char field[INSTANCE_NAME_MAX])
{
    if (launch_is_numbered(l->request))
        snprintf(field, INSTANCE_NAME_MAX, "%.56s-%zu", l->request->name, l->first + n);
    else
        snprintf(field, INSTANCE_NAME_MAX, "%.63s", l->request->name);
}

/* Returns the number in "ci-3" if "ci" is launched; 0: another name. */
static size_t number_of(const struct launch_request *q, const char *name)
{
    char again[DOMAIN_NAME_MAX];
    const char *dash = strrchr(name, '-');
    uint64_t number = 0;
    if (!dash || str_to_u64(dash + 1, &number) < 0 || number > NUMBER_MAX)
        return 0;
    snprintf(again, sizeof again, "%s-%" PRIu64, q->name, number);
    return streq(name, again) ? (size_t)number : 0;
}

static int number_from(struct launch *l, size_t first, struct error *e)
{
    l->first = first;
    if (first - 1 + l->request->count <= NUMBER_MAX)
        return 0;
    return error_set(e, -EEXIST, "instance %s-%zu: cannot be followed by %u more; choose another name",
                     l->request->name, first - 1, l->request->count);
}

/* Numbers the instances after the highest number in use: a name is not used again while it may still stand in
 * somebody's list. */
static int number_them(struct launch *l, struct error *e)
{
    const struct model *m = l->model;
    size_t highest = 0;
    for (size_t i = 0; i < m->n_domains + m->n_instances; i++) {
        size_t number = number_of(l->request, i < m->n_domains ? m->domains[i].name
                                                               : m->instances[i - m->n_domains].name);
        highest = number > highest ? number : highest;
    }
    return number_from(l, highest + 1, e);
}

/* Checks current names: the old name of a renamed domain is free. */
static int check_taken(const struct launch *l, struct error *e)
{
    const struct model *m = l->model;
    const char *name = l->request->name;
    for (size_t d = 0; d < m->n_domains; d++)
        if (streq(name, m->domains[d].name))
            return error_set(e, -EEXIST,
                             "instance %s: cannot be launched: libvirt has a domain of this name; choose "
                             "another name",
                             name);
    for (size_t i = 0; i < m->n_instances; i++)
        if (streq(name, m->instances[i].name))
            return error_set(e, -EEXIST,
                             "instance %s: cannot be launched: volumes of this name exist; choose another "
                             "name, or run mayfly delete %s",
                             name, name);
    return 0;
}

/* -------------------------------------------------------------------- locks */

static void lock_of(const struct launch *l, size_t n, char name[INSTANCE_NAME_MAX], char uuid[UUID_TEXT])
{
    launch_name(l, n, name);
    uuid_of_text(name, uuid);
}

static int lock_name(const struct launch *l, size_t n, struct error *e)
{
    char name[INSTANCE_NAME_MAX], uuid[UUID_TEXT];
    lock_of(l, n, name, uuid);
    int r = broker_lock(l->new.context->broker, uuid, e);
    if (r < 0)
        error_prefix(e, "instance %s: its name is being taken: ", name);
    return r;
}

void launch_unlock_names(const struct launch *l, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        char name[INSTANCE_NAME_MAX], uuid[UUID_TEXT];
        lock_of(l, i, name, uuid);
        broker_unlock(l->new.context->broker, uuid);
    }
}

/* Makes the uuid of the lock for numbering instances of this name. No instance has such a name itself. */
static void lock_of_numbering(const struct launch *l, char uuid[UUID_TEXT])
{
    char name[INSTANCE_NAME_MAX + 1];
    snprintf(name, sizeof name, "%.63s-", l->request->name);
    uuid_of_text(name, uuid);
}

int launch_lock_name(const struct launch *l, struct error *e)
{
    char uuid[UUID_TEXT];
    if (l->request->dry_run)
        return 0;
    if (!launch_is_numbered(l->request))
        return lock_name(l, 0, e);
    lock_of_numbering(l, uuid);
    return model_lock_uuid(l->new.context, uuid, e);
}

/* Locks the numbers. Those that another launch has chosen may not be seen yet by LVM or libvirt, but they are
 * locked, and count as used. */
static int lock_numbers(struct launch *l, struct error *e)
{
    size_t n = 0;
    while (n < l->request->count) {
        struct error why = ERROR_NONE;
        int r = lock_name(l, n, &why);
        if (r == 0) {
            n++;
            continue;
        }
        launch_unlock_names(l, n);
        r = r == -EBUSY ? number_from(l, l->first + n + 1, e) : error_pass(e, r, &why);
        if (r < 0)
            return r;
        n = 0;
    }
    return 0;
}

int launch_choose_names(struct launch *l, struct error *e)
{
    return launch_is_numbered(l->request) ? number_them(l, e) : check_taken(l, e);
}

int launch_lock_names(struct launch *l, struct error *e)
{
    char uuid[UUID_TEXT];
    if (l->request->dry_run || !launch_is_numbered(l->request))
        return 0;
    int r = lock_numbers(l, e);
    lock_of_numbering(l, uuid);
    broker_unlock(l->new.context->broker, uuid);
    return r;
}
