/* SPDX-License-Identifier: Apache-2.0 */
/* See elsewhere.h. What cannot be read is passed over: /sys is the kernel's, and can be read by everybody. */
#include "instance/elsewhere.h"

#include "base/fd.h"

#include <limits.h>
#include <stdio.h>

#define BLOCK_DEVICES "sys/class/block"
#define DM_TEXT       256 /* a name of device-mapper's */

static void read_attribute(const char *root, const char *device, const char *name, char *ret, size_t size)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/" BLOCK_DEVICES "/%.63s/dm/%s", root, device, name);
    _cleanup_fclose_ FILE *f = fopen(path, "re");
    ret[0] = '\0';
    if (f && fgets(ret, (int)size, f))
        ret[strcspn(ret, "\n")] = '\0';
}

static bool is_elsewhere(const char *root, const struct config_list *groups, const char *device,
                         struct reached *ret)
{
    char uuid[sizeof "LVM-"], name[DM_TEXT], path[sizeof name + sizeof "/dev/mapper/"];
    read_attribute(root, device, "uuid", uuid, sizeof uuid);
    read_attribute(root, device, "name", name, sizeof name);
    snprintf(path, sizeof path, "/dev/mapper/%s", name);
    if (!streq(uuid, "LVM-") || lineage_of_name(path, "", ret) != LINEAGE_VOLUME)
        return false;
    for (size_t i = 0; i < groups->n; i++)
        if (streq(groups->item[i], ret->vg))
            return false;
    return true;
}

void elsewhere_each(const char *root, const struct config_list *groups,
                    bool (*found)(void *data, const struct reached *volume), void *data)
{
    struct reached volume;
    _cleanup_free_ char *path = str_format("%s/" BLOCK_DEVICES, root);
    _cleanup_closedir_ DIR *devices = path ? opendir(path) : NULL;
    for (const struct dirent *d; devices && (d = readdir(devices));)
        if (str_starts(d->d_name, "dm-") && is_elsewhere(root, groups, d->d_name, &volume) &&
            !found(data, &volume))
            return;
}
