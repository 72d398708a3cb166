/* SPDX-License-Identifier: Apache-2.0 */
/* See active.h. */
#include "storage/active.h"

#include "base/fd.h"

#include <limits.h>
#include <stdio.h>

#define BLOCK_DEVICES "sys/class/block"

static void read_attribute(const char *root, const char *device, const char *name, char *ret, size_t size)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/" BLOCK_DEVICES "/%.63s/dm/%s", root, device, name);
    file_line(path, ret, size);
}

static bool is_volume(const char *root, const char *device, struct active *ret)
{
    char uuid[sizeof "LVM-"], path[DM_NAME_MAX + sizeof "/dev/mapper/"];
    read_attribute(root, device, "uuid", uuid, sizeof uuid);
    read_attribute(root, device, "name", ret->device, sizeof ret->device);
    snprintf(path, sizeof path, "/dev/mapper/%s", ret->device);
    return streq(uuid, "LVM-") && lineage_of_name(path, "", &ret->volume) == LINEAGE_VOLUME;
}

static int add(struct active_list *l, const struct active *a, struct error *e)
{
    struct active *bigger = reallocarray(l->all, l->n + 1, sizeof *bigger);
    if (!bigger)
        return error_memory(e);
    l->all = bigger;
    l->all[l->n++] = *a;
    return 0;
}

int active_load(const char *root, struct active_list *ret, struct error *e)
{
    struct active_list l = {.n = 0};
    struct active a;
    int r = 0;
    _cleanup_free_ char *path = str_format("%s/" BLOCK_DEVICES, root);
    _cleanup_closedir_ DIR *devices = path ? opendir(path) : NULL;
    if (!path)
        return error_memory(e);
    for (const struct dirent *d; r == 0 && devices && (d = readdir(devices));)
        if (str_starts(d->d_name, "dm-") && is_volume(root, d->d_name, &a))
            r = add(&l, &a, e);
    if (r < 0)
        active_end(&l);
    else
        *ret = l;
    return r;
}

void active_end(struct active_list *l)
{
    free(l->all);
    *l = (struct active_list){.n = 0};
}

bool active_elsewhere(const struct active *a, const struct config_list *groups)
{
    for (size_t i = 0; i < groups->n; i++)
        if (streq(groups->item[i], a->volume.vg))
            return false;
    return true;
}
