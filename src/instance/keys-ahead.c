/* SPDX-License-Identifier: Apache-2.0 */
/* Fetches the keys of several instances at once, before the first of them is opened. Other keys are fetched
 * when they are needed.
 */
#include "instance/disks.h"
#include "instance/keys.h"

static bool is_wanted(const struct key_managers *all, const char *ref)
{
    for (size_t i = 0; i < all->n_ahead; i++)
        if (streq(all->ahead[i].ref, ref))
            return true;
    return false;
}

/* Notes the keys of closed disks; ephemeral keys cannot be fetched. If a guest must be ended first, its key
 * is fetched later, so that it does not wait in memory. */
static void want_keys_of(struct key_managers *all, const struct disks *d)
{
    for (size_t n = 0; d->instance->state != INSTANCE_RUNNING && n < d->instance->n_volumes; n++) {
        const struct volume *v = d->instance->volumes[n];
        if (!d->missing[n] || !d->durable[n] || is_wanted(all, v->key))
            continue;
        struct key_ahead *bigger = reallocarray(all->ahead, all->n_ahead + 1, sizeof *bigger);
        if (!bigger)
            return;
        all->ahead = bigger;
        all->ahead[all->n_ahead] = (struct key_ahead){.secret = NULL};
        memcpy(all->ahead[all->n_ahead++].ref, v->key, sizeof v->key);
    }
}

static void fetch(const struct context *c)
{
    struct key_managers *all = c->managers;
    _cleanup_free_ struct key_asked *k = calloc(all->n_ahead + 1, sizeof *k);
    if (!k) {
        keys_ahead_end(all);
        return;
    }
    for (size_t i = 0; i < all->n_ahead; i++)
        k[i].id = all->ahead[i].ref;
    (void)!keys_ask(c, k, all->n_ahead, keymgr_fetch_many, NULL);
    for (size_t i = 0; i < all->n_ahead; i++) {
        all->ahead[i].secret = k[i].secret;
        all->ahead[i].error = k[i].error;
    }
}

void keys_fetch_ahead(const struct context *c, const struct disks *const disks[], size_t n)
{
    keys_ahead_end(c->managers);
    for (size_t i = 0; n > 1 && i < n; i++)
        want_keys_of(c->managers, disks[i]);
    if (c->managers->n_ahead)
        fetch(c);
}
