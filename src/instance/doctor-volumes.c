/* SPDX-License-Identifier: Apache-2.0 */
/* Doctor's look at volume groups that are not configured. The broker reads nothing of them: so what a group
 * held that was renamed or split is not seen, and its keys count as unused. But the kernel tells everybody
 * the names of volumes that are active.
 */
#include "instance/doctor.h"

#include "base/fd.h"
#include "storage/lineage.h"

#include <stdio.h>

#define BLOCK_DEVICES "/sys/class/block"
#define GROUPS_MAX    16 /* that are told of */

struct elsewhere {
    struct reached first; /* of its volumes */
    size_t n;
};

static void read_attribute(const struct examination *x, const char *device, const char *name, char *ret,
                           size_t size)
{
    _cleanup_free_ char *path = str_format(BLOCK_DEVICES "/%s/dm/%s", device, name);
    _cleanup_free_ char *text = path ? examination_read(x, path) : NULL;
    snprintf(ret, size, "%.*s", (int)strcspn(text ? text : "", "\n"), text ? text : "");
}

/* A volume with the name of an instance's disk, in a group that is not configured. */
static bool is_elsewhere(const struct examination *x, const char *device, struct reached *ret)
{
    const struct config_list *groups = &x->context->config->volume_groups;
    char uuid[sizeof "LVM-"], name[256], path[sizeof name + sizeof "/dev/mapper/"];
    read_attribute(x, device, "uuid", uuid, sizeof uuid);
    read_attribute(x, device, "name", name, sizeof name);
    snprintf(path, sizeof path, "/dev/mapper/%s", name);
    if (!streq(uuid, "LVM-") || lineage_of_name(path, "", ret) != LINEAGE_VOLUME)
        return false;
    for (size_t i = 0; i < groups->n; i++)
        if (streq(groups->item[i], ret->vg))
            return false;
    return true;
}

static void count(struct elsewhere found[GROUPS_MAX], const struct reached *volume)
{
    size_t i = 0;
    while (i < GROUPS_MAX && found[i].n && !streq(found[i].first.vg, volume->vg))
        i++;
    if (i < GROUPS_MAX && found[i].n++ == 0)
        found[i].first = *volume;
}

void examine_elsewhere(struct examination *x)
{
    struct elsewhere found[GROUPS_MAX] = {0};
    struct reached volume;
    char what[sizeof x->findings->what];
    _cleanup_free_ char *path = str_format("%s" BLOCK_DEVICES, x->paths->root);
    _cleanup_closedir_ DIR *devices = path ? opendir(path) : NULL;
    for (const struct dirent *d; devices && (d = readdir(devices));)
        if (str_starts(d->d_name, "dm-") && is_elsewhere(x, d->d_name, &volume))
            count(found, &volume);
    for (size_t i = 0; i < GROUPS_MAX && found[i].n; i++) {
        const struct reached *first = &found[i].first;
        snprintf(what, sizeof what, "volume group %.63s", first->vg);
        examination_warn(
            x, what,
            "is not among volume_groups in mayfly.conf, and %zu of its active volumes, %s for one, have "
            "names as disks of instances have: if they are Mayfly's (lvs -o+lv_tags %s), add it, "
            "since their keys count as unused, and mayfly recover destroys them",
            found[i].n, first->lv, first->vg);
    }
}
