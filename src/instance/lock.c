/* SPDX-License-Identifier: Apache-2.0 */
/* How a verb takes hold of one instance: what was seen before the lock may have changed until it is held, so
 * it is looked at again. */
#include "instance/model.h"

int model_lock(const struct context *c, const char *name_or_uuid, struct model **ret_model,
               const struct instance **ret, struct error *e)
{
    _cleanup_model_ struct model *before = NULL, *m = NULL;
    const struct instance *i = NULL;

    int r = model_load(c, &before, e);
    if (r == 0)
        r = model_find(before, name_or_uuid, &i, e);
    if (r < 0)
        return r;
    r = broker_lock(c->broker, i->uuid, e);
    if (r < 0) {
        error_prefix(e, "instance %s: ", i->name);
        return r;
    }
    r = model_load(c, &m, e);
    if (r == 0)
        r = model_find(m, i->uuid, ret, e);
    if (r < 0)
        return r;
    *ret_model = TAKE_PTR(m);
    return 0;
}

int model_check_ready(const struct model *m, const struct instance *i, struct error *e)
{
    if (model_damaged(m, i->uuid))
        return error_set(e, -EUNSAFE,
                         "instance %s: the tags of one of its volumes are damaged, so it is left alone; see "
                         "mayfly list",
                         i->name);
    for (size_t v = 0; v < i->n_volumes; v++)
        if (i->volumes[v]->state != VOLUME_READY)
            return error_set(e, -ENEEDSRECOVER,
                             "instance %s: volume %s/%s is %s, since a launch or a delete was cut off; run "
                             "mayfly recover",
                             i->name, i->volumes[v]->vg, i->volumes[v]->lv,
                             volume_state_name(i->volumes[v]->state));
    return 0;
}
