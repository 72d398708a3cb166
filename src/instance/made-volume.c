/* SPDX-License-Identifier: Apache-2.0 */
/* See made-volume.h. */
#include "instance/made-volume.h"

int made_volume_remove(const struct context *c, const struct volume *v, bool made, struct error *e)
{
    if (made)
        return broker_remove(c->broker, &v, 1, e);

    _cleanup_inventory_ struct inventory *now = NULL;
    int r = broker_list(c->broker, &now, e);
    for (size_t i = 0; r == 0 && i < now->n_volumes; i++) {
        const struct volume *found = &now->volumes[i];
        if (streq(found->disk, v->disk))
            r = broker_remove(c->broker, &found, 1, e);
    }
    return r;
}
