/* SPDX-License-Identifier: Apache-2.0 */
/* One step, done for a list of removals; private to removal*.c. See removal-steps.h. */
#include "instance/removal-steps.h"

/* Returns the next one; `after` NULL: the first one. */
static const struct removal *next_of(const struct removals *which, const struct removal *after)
{
    const struct removal *r = after ? after->next : which->first;
    while (r && (r->error.errnum || (which->only && r != which->only)))
        r = r->next;
    return r;
}

/* True if every removal would fail in the same way, perhaps after a long wait each. */
static bool concerns_all(int result)
{
    return result == -EHOSTUNREACH || result == -ECONNREFUSED || result == -ECONNRESET ||
           result == -ETIMEDOUT || result == -ENOMEM;
}

void removal_fail(struct removal *r, int result, const struct error *why)
{
    if (result < 0)
        error_set(&r->error, result, "%s", why->errnum ? why->text : strerror(-result));
}

int removals_result(const struct removal *first, struct error *e)
{
    const struct removals all = {.first = first};
    return next_of(&all, NULL) ? 0 : error_pass(e, first->error.errnum, &first->error);
}

int removals_at_once(const struct context *c, struct removal *first, removals_fn *act, struct error *e)
{
    struct error why = ERROR_NONE;
    int result = act(c, &(const struct removals){.first = first}, &why);
    bool same_for_each = !first->next || concerns_all(result);
    for (struct removal *r = first; result < 0 && r; r = r->next) {
        if (r->error.errnum)
            continue;
        if (same_for_each)
            removal_fail(r, result, &why);
        else
            removal_fail(r, act(c, &(const struct removals){.first = first, .only = r}, &r->error),
                         &r->error);
    }
    return removals_result(first, e);
}

int removals_one_by_one(const struct context *c, struct removal *first, removal_fn *act, struct error *e)
{
    for (struct removal *r = first; r; r = r->next)
        if (!r->error.errnum)
            removal_fail(r, act(c, r, &r->error), &r->error);
    return removals_result(first, e);
}

static size_t count_volumes(const struct removal *first)
{
    size_t n = 0;
    for (const struct removal *r = first; r; r = r->next)
        n += r->n_volumes;
    return n;
}

int removals_volumes(const struct removals *which, bool (*wanted)(const struct removal *r, size_t index),
                     const struct volume ***ret, size_t *ret_n, struct error *e)
{
    size_t n = 0;
    const struct volume **found = calloc(count_volumes(which->first), sizeof(struct volume *));
    if (!found)
        return error_memory(e);
    for (const struct removal *r = next_of(which, NULL); r; r = next_of(which, r))
        for (size_t i = 0; i < r->n_volumes; i++)
            if (!wanted || wanted(r, i))
                found[n++] = r->volumes[i];
    *ret = found;
    *ret_n = n;
    return 0;
}
