/* SPDX-License-Identifier: Apache-2.0 */
/* Examines active volumes that the broker does not report: those of volume groups that are not configured,
 * and devices whose volume is gone. */
#include "instance/doctor.h"

#include <stdio.h>

#define GROUPS_MAX 16 /* limit of groups with a finding */

struct group_elsewhere {
    const struct reached *first; /* the first of its volumes; NULL: no group */
    size_t n;
};

static void count(struct group_elsewhere found[GROUPS_MAX], const struct reached *volume)
{
    size_t i = 0;
    while (i < GROUPS_MAX && found[i].first && !streq(found[i].first->vg, volume->vg))
        i++;
    if (i < GROUPS_MAX && found[i].n++ == 0)
        found[i].first = volume;
}

void examine_elsewhere(struct examination *x)
{
    struct group_elsewhere found[GROUPS_MAX] = {0};
    char what[sizeof x->findings->what];
    for (size_t i = 0; i < x->active.n; i++)
        if (active_elsewhere(&x->active.all[i], &x->context->config->volume_groups))
            count(found, &x->active.all[i].volume);
    for (size_t i = 0; i < GROUPS_MAX && found[i].n; i++) {
        const struct reached *first = found[i].first;
        snprintf(what, sizeof what, "volume group %.63s", first->vg);
        examination_warn(
            x, what,
            "is not in images_volume_group of mayfly.conf, but %zu of its active volumes, %s for example, "
            "have names of instances' disks. If they are Mayfly's (lvs -o+lv_tags %s shows it), add the "
            "group: once they are not active, mayfly recover takes their keys for unused and destroys them",
            found[i].n, first->lv, first->vg);
    }
}

/* ------------------------------------------------- devices without a volume */

static bool has_volume(const struct inventory *i, const struct reached *volume)
{
    bool found = false;
    for (size_t n = 0; !found && n < i->n_volumes; n++)
        found = streq(i->volumes[n].vg, volume->vg) && streq(i->volumes[n].lv, volume->lv);
    for (size_t n = 0; !found && n < i->n_damaged; n++)
        found = streq(i->damaged[n].vg, volume->vg) && streq(i->damaged[n].lv, volume->lv);
    for (size_t n = 0; !found && n < i->n_untagged; n++)
        found = streq(i->untagged[n].vg, volume->vg) && streq(i->untagged[n].lv, volume->lv);
    return found;
}

/* True if the device has no volume. A group that lacks a physical volume may not show all volumes. Hidden
 * volumes of LVM, such as the halves of a mirror, have other names. */
static bool is_orphan(const struct examination *x, const struct active *a)
{
    const struct inventory *i = x->model->inventory;
    const struct group *g = inventory_group(i, a->volume.vg);
    return g && g->complete && volume_lv_name_valid(a->volume.lv) && !has_volume(i, &a->volume);
}

/* True if the device is still active. x->active is older than LVM's report: a volume may have been removed in
 * between. */
static bool is_still_there(const struct active_list *now, const struct active *a)
{
    for (size_t i = 0; i < now->n; i++)
        if (streq(now->all[i].device, a->device))
            return true;
    return false;
}

void examine_orphans(struct examination *x)
{
    char what[sizeof x->findings->what];
    _cleanup_active_ struct active_list now = {.n = 0};
    struct error why = ERROR_NONE;
    if (!x->model->inventory)
        return;
    if (active_load(x->paths->root, &now, &why) < 0)
        x->out_of_memory = true;
    for (size_t i = 0; i < x->active.n; i++) {
        const struct active *a = &x->active.all[i];
        if (!is_orphan(x, a) || !is_still_there(&now, a))
            continue;
        snprintf(what, sizeof what, "device %.92s", a->device);
        examination_warn(
            x, what,
            "is active, and volume group %s has no volume %s: an lvm was killed while it removed that "
            "volume; run dmsetup remove %s",
            a->volume.vg, a->volume.lv, a->device);
    }
}
