/* SPDX-License-Identifier: Apache-2.0 */
/* See suspended.h. libdevmapper splits names of devices: GROUP-VOLUME[-LAYER], with each hyphen of a part
 * doubled. */
#include "storage/suspended.h"

#include "storage/dm.h"

#define LVM_UUID_PREFIX "LVM-"

/* A device that LVM made, and the parts of its name. */
struct device_name {
    char device[DM_NAME_LEN];
    struct suspended volume;
    bool below; /* it lies below a volume (-real, -cow) */
    bool suspended;
    bool has_table; /* a table is in use */
};

static bool split_name(const char *device, struct device_name *ret)
{
    struct dm_pool *pool = dm_pool_create("names", 512);
    char *vg = NULL, *lv = NULL, *layer = NULL;
    bool split = pool && dm_split_lvm_name(pool, device, &vg, &lv, &layer) &&
                 str_copy(ret->device, sizeof ret->device, device) == 0 &&
                 str_copy(ret->volume.vg, sizeof ret->volume.vg, vg) == 0 &&
                 str_copy(ret->volume.lv, sizeof ret->volume.lv, lv) == 0;
    ret->below = split && *layer;
    if (pool)
        dm_pool_destroy(pool);
    return split && volume_lv_name_valid(ret->volume.lv);
}

/* Fills in the device's state. False: the device is not LVM's, or is gone. */
static bool read_state(struct device_name *d)
{
    struct dm_device f;
    if (dm_look_up(d->device, NULL, &f, NULL) < 0 || !str_starts(f.uuid, LVM_UUID_PREFIX))
        return false;
    d->suspended = f.info.suspended;
    d->has_table = f.info.live_table;
    return true;
}

/* Lists devices of volumes with our names; the caller frees *ret. */
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
        if (!split_name(d->name, &one) || !read_state(&one))
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

/* Lists the devices of one volume, and those below it. */
static int list_devices_of(const struct volume *v, struct device_name **ret, size_t *ret_n, struct error *e)
{
    struct device_name *devices = NULL;
    size_t n_all = 0, n = 0;
    int r = list_devices(&devices, &n_all, e);
    if (r < 0)
        return r;
    for (size_t i = 0; i < n_all; i++)
        if (streq(devices[i].volume.lv, v->lv) && streq(devices[i].volume.vg, v->vg))
            devices[n++] = devices[i];
    *ret = devices;
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
        for (size_t g = 0; devices[i].suspended && !configured && g < n_vgs; g++)
            configured = streq(vgs[g], devices[i].volume.vg);
        if (configured && !is_among(list, n, &devices[i].volume))
            list[n++] = devices[i].volume;
    }
    *ret = list;
    *ret_n = n;
    return 0;
}

static int change_device(int type, const char *device)
{
    _cleanup_task_ struct dm_task *t = NULL;
    int r = dm_new_task(type, device, NULL, &t);
    if (r < 0)
        return r;
    return type == DM_DEVICE_CLEAR ? dm_run_task(t) : dm_run_task_and_nodes(t);
}

static int error_device(struct error *e, const struct volume *v, const char *device, const char *cannot)
{
    return error_set(e, -EBUSY, "volume %s/%s: its device %s %s: %s; see dmsetup info, dmsetup table", v->vg,
                     v->lv, device, cannot, dm_last_message);
}

int suspended_clear(const struct volume *v, struct error *e)
{
    _cleanup_free_ struct device_name *devices = NULL;
    size_t n = 0;
    int r = list_devices_of(v, &devices, &n, e);
    for (size_t i = 0; r == 0 && i < n; i++)
        if (devices[i].suspended && change_device(DM_DEVICE_CLEAR, devices[i].device) < 0)
            r = error_device(e, v, devices[i].device, "keeps a table that was never in use");
    for (size_t i = 0; r == 0 && i < n; i++)
        if (!devices[i].has_table)
            dm_remove_map(devices[i].device); /* fails if somebody holds it; LVM makes it again if it is
                                               * needed */
    return r;
}

bool suspended_is(const struct volume *v)
{
    _cleanup_free_ struct device_name *devices = NULL;
    size_t n = 0;
    bool suspended = list_devices_of(v, &devices, &n, NULL) < 0; /* then it may be suspended */
    for (size_t i = 0; i < n; i++)
        suspended |= devices[i].suspended && !devices[i].below;
    return suspended;
}

int suspended_resume(const struct volume *v, struct error *e)
{
    _cleanup_free_ struct device_name *devices = NULL;
    size_t n = 0;
    int r = list_devices_of(v, &devices, &n, e);
    for (size_t i = 0; r == 0 && i < n; i++)
        if (devices[i].suspended && devices[i].has_table &&
            change_device(DM_DEVICE_RESUME, devices[i].device) < 0)
            r = error_device(e, v, devices[i].device, "stays suspended");
    for (size_t i = 0; r == 0 && i < n; i++)
        if (devices[i].below)
            dm_remove_map(devices[i].device); /* fails if somebody holds it; else it is a left-over */
    return r;
}

/* Removes devices that nobody holds, until none is left or none goes any more: a device below another is free
 * only in a later round. */
int suspended_remove(const struct volume *v, struct error *e)
{
    size_t before = SIZE_MAX;
    for (;;) {
        _cleanup_free_ struct device_name *devices = NULL;
        size_t n = 0;
        int r = list_devices_of(v, &devices, &n, e);
        if (r < 0 || n == 0)
            return r;
        if (n >= before)
            return error_device(e, v, devices[0].device, "belongs to no volume, and cannot be removed");
        before = n;
        for (size_t i = 0; i < n; i++)
            dm_remove_map(devices[i].device);
    }
}
