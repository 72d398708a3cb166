/* SPDX-License-Identifier: Apache-2.0 */
/* Doctor's look at volume groups that are not configured: see elsewhere.h. */
#include "instance/doctor.h"
#include "instance/elsewhere.h"

#include <stdio.h>

#define GROUPS_MAX 16 /* that are told of */

struct group_elsewhere {
    struct reached first; /* of its volumes */
    size_t n;
};

static bool count(void *data, const struct reached *volume)
{
    struct group_elsewhere *found = data;
    size_t i = 0;
    while (i < GROUPS_MAX && found[i].n && !streq(found[i].first.vg, volume->vg))
        i++;
    if (i < GROUPS_MAX && found[i].n++ == 0)
        found[i].first = *volume;
    return true;
}

void examine_elsewhere(struct examination *x)
{
    struct group_elsewhere found[GROUPS_MAX] = {0};
    char what[sizeof x->findings->what];
    elsewhere_each(x->paths->root, &x->context->config->volume_groups, count, found);
    for (size_t i = 0; i < GROUPS_MAX && found[i].n; i++) {
        const struct reached *first = &found[i].first;
        snprintf(what, sizeof what, "volume group %.63s", first->vg);
        examination_warn(
            x, what,
            "is not among volume_groups in mayfly.conf, and %zu of its active volumes, %s for one, have "
            "names as disks of instances have: if they are Mayfly's (lvs -o+lv_tags %s), add it, "
            "since their keys count as unused while they are not active, and mayfly recover destroys them",
            found[i].n, first->lv, first->vg);
    }
}
