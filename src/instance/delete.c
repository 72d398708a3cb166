/* SPDX-License-Identifier: Apache-2.0 */
/* mayfly delete: from its first mark on there is no way back, only forward. An error leaves the rest doomed,
 * the domain stopped and the key perhaps not yet destroyed: recover finishes that.
 */
#include "instance/keys.h"
#include "instance/operations.h"
#include "instance/removal.h"

/* Nothing of ours has this name: nothing to do, unless it is someone else's domain, which a person may well
 * have meant. */
static int not_there(const struct context *c, const char *name, struct error *e)
{
    struct domain d;
    int r = virt_find_name(c->virt, name, &d, NULL);
    if (r == 0)
        return error_set(e, -EUNSAFE,
                         "domain %s: has no disks of Mayfly's, and is not deleted by it; see virsh undefine",
                         name);
    return r == -ENOENT ? 0 : error_set(e, r, "domain %s: libvirt cannot be asked for it", name);
}

/* A guest that runs is stopped, and then has none of its disks. Who holds one of another's, a person who has
 * mounted it, say, shall not lose it by a slip. */
static int check_not_held(const struct model *m, const struct instance *i, struct error *e)
{
    const struct domain *domain = model_domain_of(m, i->uuid);
    for (size_t n = 0; n < i->n_volumes; n++) {
        const struct map *map = model_map_of(m, i->volumes[n]);
        if (i->volumes[n]->state == VOLUME_READY && map && map->open_count && !(domain && domain->active))
            return error_set(e, -EBUSY,
                             "instance %s: is not deleted: it does not run, but something on this host uses "
                             "/dev/mapper/%s; see lsblk and fuser -vm",
                             i->name, map->name);
    }
    return 0;
}

int instance_delete(const struct context *c, const char *name, bool *ret_changed, struct error *e)
{
    _cleanup_model_ struct model *m = NULL;
    _cleanup_steps_ struct steps *s = NULL;
    const struct instance *i = NULL;
    struct error why = ERROR_NONE;

    int r = context_check_virt(c, e);
    if (r == 0)
        r = model_lock(c, name, &m, &i, &why);
    if (r == -ENOENT) {
        *ret_changed = false;
        return not_there(c, name, e);
    }
    if (r < 0)
        return error_set(e, r, "%s", why.text);

    struct removal removal = removal_of(m, i);
    r = removal_check(&removal, e);
    if (r == 0)
        r = check_not_held(m, i, e);
    if (r == 0) {
        r = keys_may_destroy(c, m->inventory, removal.volumes, removal.n_volumes, e);
        if (r < 0)
            error_prefix(e, "instance %s: cannot be deleted: ", i->name);
    }
    if (r == 0)
        r = steps_new(&s, e);
    if (r == 0)
        r = removal_add_steps(s, &removal, e);
    if (r < 0)
        return r;
    r = steps_run(s, c, e);
    if (r < 0) {
        if (removal.begun)
            error_append(e, "; mayfly recover, or delete again, finishes what was begun of %s", i->name);
        return r;
    }
    *ret_changed = true;
    return 0;
}
