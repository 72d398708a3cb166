/* SPDX-License-Identifier: Apache-2.0 */
/* Recovers an adoption that was cut off: backward where the lead still is adopting, forward where
 * it is ready. Neither touches what is on a disk.
 */
#include "instance/disks.h"
#include "instance/recover.h"

#include <stdio.h>

static int release_one(struct recovery *r, const struct volume *v, struct error *e)
{
    struct error why = ERROR_NONE;
    char object[RECOVERED_OBJECT_MAX];
    snprintf(object, sizeof object, "volume %s/%s", v->vg, v->lv);
    int result = r->dry_run ? 0 : broker_release(r->context.broker, v, &why);
    return recovery_settle(r, RECOVER_RELEASED, object, "its adoption was cut off: it is as it was before",
                           result, &why, e);
}

int recovery_release(struct recovery *r, const struct instance *i, struct error *e)
{
    size_t remained = r->n_remains;
    int result = recovery_destroy_copy(r, i->volumes[0], e);
    if (r->n_remains > remained) /* by the tags it is found again */
        return result;
    for (size_t n = 0; result == 0 && n < i->n_volumes; n++)
        result = release_one(r, i->volumes[n], e);
    return result;
}

int recovery_adopt(struct recovery *r, const struct instance *i, struct error *e)
{
    const struct volume *adopting[DISKS_MAX];
    struct error why = ERROR_NONE;
    char object[RECOVERED_OBJECT_MAX];
    size_t n = 0;
    for (size_t v = 1; v < i->n_volumes && n < DISKS_MAX; v++)
        if (i->volumes[v]->state == VOLUME_ADOPTING)
            adopting[n++] = i->volumes[v];
    if (n == 0)
        return 0;
    snprintf(object, sizeof object, "instance %s (%s)", i->name, i->uuid);
    int result = r->dry_run ? 0 : broker_mark(r->context.broker, adopting, n, VOLUME_READY, &why);
    return recovery_settle(r, RECOVER_ADOPTED, object, "its adoption was cut off: finished", result, &why, e);
}
