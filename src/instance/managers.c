/* SPDX-License-Identifier: Apache-2.0 */
/* See managers.h. */
#include "instance/managers.h"

#include "instance/context.h"

int context_keymgr(const struct context *c, const char *name, struct keymgr **ret, struct error *e)
{
    struct key_managers *all = c->managers;
    for (size_t i = 0; i < all->n; i++)
        if (streq(all->opened[i]->ops->name, name)) {
            *ret = all->opened[i];
            return 0;
        }
    struct keymgr **bigger = reallocarray(all->opened, all->n + 1, sizeof(struct keymgr *));
    if (!bigger)
        return error_memory(e);
    all->opened = bigger;
    int r = c->open_keymgr(c->config, c->who, name, &all->opened[all->n], e);
    if (r < 0)
        return r;
    *ret = all->opened[all->n++];
    return 0;
}

void key_managers_end(struct key_managers *all)
{
    keys_ahead_end(all);
    while (all->n)
        keymgr_close(all->opened[--all->n]);
    free(all->opened);
    *all = (struct key_managers){0};
}

void keys_ahead_end(struct key_managers *all)
{
    for (size_t i = 0; i < all->n_ahead; i++)
        secret_free(all->ahead[i].secret);
    free(all->ahead);
    all->ahead = NULL;
    all->n_ahead = 0;
}

bool key_take_ahead(const struct context *c, const char *ref, struct secret **ret, struct error *e)
{
    struct key_managers *all = c->managers;
    for (size_t i = 0; i < all->n_ahead; i++) {
        if (!streq(all->ahead[i].ref, ref))
            continue;
        *ret = all->ahead[i].secret;
        if (all->ahead[i].error.errnum)
            error_pass(e, all->ahead[i].error.errnum, &all->ahead[i].error);
        all->ahead[i] = all->ahead[--all->n_ahead];
        return true;
    }
    return false;
}
