/* SPDX-License-Identifier: Apache-2.0 */
/* Recovers an adoption that was cut off: backward if the first disk is still adopting, forward
 * if it is ready. Neither touches the contents of a disk.
 */
#include "instance/disks.h"
#include "instance/recover.h"

static int release_one(struct recovery *r, const struct volume *v, struct error *e)
{
    struct error why = ERROR_NONE;
    const struct subject about = subject_volume(v->instance, v->vg, v->lv);
    int result = r->dry_run ? 0 : broker_release(r->context.broker, v, &why);
    return recovery_settle(r, RECOVER_RELEASED, &about, "its adoption was cut off: it is as it was before",
                           result, &why, e);
}

int recovery_release(struct recovery *r, const struct instance *i, struct error *e)
{
    size_t remained = r->n_remains;
    int result = recovery_destroy_copy(r, i->volumes[0], e);
    if (r->n_remains > remained) /* the tags stay, so that the next recover finds the copy */
        return result;
    for (size_t n = 0; result == 0 && n < i->n_volumes; n++)
        result = release_one(r, i->volumes[n], e);
    return result;
}

int recovery_adopt(struct recovery *r, const struct instance *i, struct error *e)
{
    const struct volume *adopting[DISKS_MAX];
    struct error why = ERROR_NONE;
    const struct subject about = subject_instance(i);
    size_t n = 0;
    for (size_t v = 1; v < i->n_volumes && n < DISKS_MAX; v++)
        if (i->volumes[v]->state == VOLUME_ADOPTING)
            adopting[n++] = i->volumes[v];
    if (n == 0)
        return 0;
    int result = r->dry_run ? 0 : broker_mark(r->context.broker, adopting, n, VOLUME_READY, &why);
    return recovery_settle(r, RECOVER_ADOPTED, &about, "its adoption was cut off: finished", result, &why, e);
}
