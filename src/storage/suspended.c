/* SPDX-License-Identifier: Apache-2.0 */
/* See suspended.h. Names of devices are told apart by libdevmapper: GROUP-VOLUME[-LAYER], each hyphen of a
 * name doubled.
 */
#include "storage/suspended.h"

#include "storage/dm.h"

#define LVM_UUID_PREFIX "LVM-"

/* A device of LVM's by the names of which it is made. */
struct device_name {
    char device[DM_NAME_LEN];
    struct suspended volume;
};

static bool split_name(const char *device, struct device_name *ret)
{
    struct dm_pool *pool = dm_pool_create("names", 512);
    char *vg = NULL, *lv = NULL, *layer = NULL;
    bool split = pool && dm_split_lvm_name(pool, device, &vg, &lv, &layer) &&
                 str_copy(ret->device, sizeof ret->device, device) == 0 &&
                 str_copy(ret->volume.vg, sizeof ret->volume.vg, vg) == 0 &&
                 str_copy(ret->volume.lv, sizeof ret->volume.lv, lv) == 0;
    if (pool)
        dm_pool_destroy(pool);
    return split && volume_lv_name_valid(ret->volume.lv);
}

static bool is_suspended(const char *device)
{
    struct found f;
    return dm_look_up(device, NULL, &f, NULL) == 0 && f.info.suspended && str_starts(f.uuid, LVM_UUID_PREFIX);
}

/* Devices of volumes with names of ours that are suspended; the caller frees *ret. */
static int list_devices(struct device_name **ret, size_t *ret_n, struct error *e)
{
    _cleanup_task_ struct dm_task *t = NULL;
    _cleanup_free_ struct device_name *devices = NULL;
    size_t n = 0;
    int r = dm_new_task(DM_DEVICE_LIST, NULL, LVM_UUID_PREFIX, &t);
    if (r == 0)
        r = dm_run_task(t);
    if (r < 0)
        return error_set(e, r, "volumes: those that are suspended cannot be listed: %s",
                         r == -ENODEV ? "no device-mapper" : dm_last_message);
    const struct dm_names *d = dm_task_get_names(t);
    for (bool more = d && d->dev; more; more = d->next, d = (const void *)((const char *)d + d->next)) {
        struct device_name one;
        if (!split_name(d->name, &one) || !is_suspended(d->name))
            continue;
        struct device_name *bigger = reallocarray(devices, n + 1, sizeof *devices);
        if (!bigger)
            return error_memory(e);
        devices = bigger;
        devices[n++] = one;
    }
    *ret = TAKE_PTR(devices);
    *ret_n = n;
    return 0;
}

static bool is_among(const struct suspended list[], size_t n, const struct suspended *s)
{
    bool found = false;
    for (size_t i = 0; !found && i < n; i++)
        found = streq(list[i].lv, s->lv) && streq(list[i].vg, s->vg);
    return found;
}

int suspended_list(const char *const vgs[], size_t n_vgs, struct suspended **ret, size_t *ret_n,
                   struct error *e)
{
    _cleanup_free_ struct device_name *devices = NULL;
    size_t n_devices = 0, n = 0;
    int r = list_devices(&devices, &n_devices, e);
    if (r < 0)
        return r;
    struct suspended *list = calloc(n_devices + 1, sizeof *list);
    if (!list)
        return error_memory(e);
    for (size_t i = 0; i < n_devices; i++) {
        bool configured = false;
        for (size_t g = 0; !configured && g < n_vgs; g++)
            configured = streq(vgs[g], devices[i].volume.vg);
        if (configured && !is_among(list, n, &devices[i].volume))
            list[n++] = devices[i].volume;
    }
    *ret = list;
    *ret_n = n;
    return 0;
}

/* A table that was loaded and not yet in use may be of metadata that never came to be. */
static int resume(const char *device)
{
    _cleanup_task_ struct dm_task *clear = NULL, *resume = NULL;
    int r = dm_new_task(DM_DEVICE_CLEAR, device, NULL, &clear);
    if (r == 0)
        r = dm_run_task(clear);
    if (r == 0)
        r = dm_new_task(DM_DEVICE_RESUME, device, NULL, &resume);
    return r < 0 ? r : dm_run_task_and_nodes(resume);
}

int suspended_resume(const struct volume *v, struct error *e)
{
    _cleanup_free_ struct device_name *devices = NULL;
    size_t n = 0;
    int r = list_devices(&devices, &n, e);
    for (size_t i = 0; r == 0 && i < n; i++) {
        if (!streq(devices[i].volume.lv, v->lv) || !streq(devices[i].volume.vg, v->vg))
            continue;
        if (resume(devices[i].device) < 0 || is_suspended(devices[i].device))
            r = error_set(e, -EBUSY,
                          "volume %s/%s: its device %s stays suspended: %s; see dmsetup info, dmsetup resume",
                          v->vg, v->lv, devices[i].device, dm_last_message);
    }
    return r;
}
