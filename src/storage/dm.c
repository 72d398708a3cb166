/* SPDX-License-Identifier: Apache-2.0 */
/* libdevmapper without its messages, and with a deadline for udevd. See dm.h. */
#include "storage/dm.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

/* What a guest writes must not be probed by the host, nor get links or mounts there. */
#define UDEV_FLAGS                                                                                           \
    (DM_UDEV_DISABLE_SUBSYSTEM_RULES_FLAG | DM_UDEV_DISABLE_DISK_RULES_FLAG |                                \
     DM_UDEV_DISABLE_OTHER_RULES_FLAG)
#define UDEV_DEADLINE_MSEC 30000
#define UDEV_POLL_MSEC     5

/* Global, since libdevmapper passes none of our arguments to its log function. Without such a function it
 * writes to stderr. */
char dm_last_message[256];

static void _printf_(5, 6)
    keep_message(int level, const char *file, int line, int errnum, const char *format, ...)
{
    (void)file, (void)line, (void)errnum;
    if ((level & 7) > 3) /* 3: an error, as in syslog; the other bits are flags */
        return;
    va_list ap;
    va_start(ap, format);
    vsnprintf(dm_last_message, sizeof dm_last_message, format, ap);
    va_end(ap);
}

static bool udev_runs(void)
{
    return access("/run/udev/control", F_OK) == 0;
}

void dm_pause_msec(unsigned msec)
{
    struct timespec t = {.tv_sec = msec / 1000, .tv_nsec = (long)(msec % 1000) * 1000000};
    nanosleep(&t, NULL);
}

int dm_new_task(int type, const char *name, const char *uuid, struct dm_task **ret)
{
    char version[64];
    dm_log_with_errno_init(keep_message);
    dm_set_name_mangling_mode(DM_STRING_MANGLING_NONE);
    dm_udev_set_sync_support(udev_runs());
    _cleanup_task_ struct dm_task *t = dm_task_create(type); /* the first one asks the kernel's version */
    if (!t && !dm_driver_version(version, sizeof version))
        return -ENODEV;
    if (!t || (name && !dm_task_set_name(t, name)) || (uuid && !dm_task_set_uuid(t, uuid)))
        return -ENOMEM;
    *ret = TAKE_PTR(t);
    return 0;
}

int dm_run_task(struct dm_task *t)
{
    dm_last_message[0] = '\0';
    if (dm_task_run(t))
        return 0;
    int errnum = dm_task_get_errno(t);
    return errnum ? -errnum : -EIO;
}

/* Counts what udevd still has to do for our changes: a semaphore, of which a host has few. 0: nothing. */
static uint32_t cookie;

int dm_change_nodes(struct dm_task *t)
{
    if (udev_runs() && !dm_task_set_cookie(t, &cookie, UDEV_FLAGS))
        return -EIO;
    return dm_run_task(t);
}

void dm_settle(void)
{
    int ready = cookie == 0;
    for (unsigned waited = 0; !ready && waited < UDEV_DEADLINE_MSEC; waited += UDEV_POLL_MSEC) {
        if (!dm_udev_wait_immediate(cookie, &ready)) /* the cookie is gone */
            ready = 1;
        if (!ready)
            dm_pause_msec(UDEV_POLL_MSEC);
    }
    if (!ready) { /* in udevd's place: else the cookie would stay for ever */
        dm_udev_complete(cookie);
        dm_udev_wait_immediate(cookie, &ready);
    }
    cookie = 0;
    dm_task_update_nodes();
}

int dm_run_task_and_nodes(struct dm_task *t)
{
    int r = dm_change_nodes(t);
    dm_settle();
    return r;
}

int dm_look_up(const char *name, const char *uuid, struct dm_device *ret, struct error *e)
{
    _cleanup_task_ struct dm_task *t = NULL;
    const char *its_name, *its_uuid;
    int r = dm_new_task(DM_DEVICE_INFO, name, uuid, &t);
    if (r == 0)
        r = dm_run_task(t);
    if (r == 0 && !dm_task_get_info(t, &ret->info))
        r = -EIO;
    if (r < 0)
        return error_set(e, r == -ENXIO ? -ENODEV : r, "map %s: cannot be looked up: %s", name ? name : uuid,
                         r == -ENODEV ? "no device-mapper; try modprobe dm-mod" : dm_last_message);
    its_name = ret->info.exists ? dm_task_get_name(t) : NULL;
    its_uuid = ret->info.exists ? dm_task_get_uuid(t) : NULL;
    if (!ret->info.exists)
        return -ENOENT;
    if (str_copy(ret->name, sizeof ret->name, its_name ? its_name : "") < 0 ||
        str_copy(ret->uuid, sizeof ret->uuid, its_uuid ? its_uuid : "") < 0)
        return error_set(e, -EUNSAFE, "map %s: its name or uuid is too long", name ? name : uuid);
    return 0;
}

int dm_remove_map_later(const char *name)
{
    _cleanup_task_ struct dm_task *t = NULL;
    int r = dm_new_task(DM_DEVICE_REMOVE, name, NULL, &t);
    return r < 0 ? r : dm_change_nodes(t);
}

int dm_remove_map(const char *name)
{
    int r = dm_remove_map_later(name);
    dm_settle();
    return r;
}

int dm_load_target(const char *target, uint32_t ret_version[3])
{
    _cleanup_task_ struct dm_task *t = NULL;
    int r = dm_new_task(DM_DEVICE_GET_TARGET_VERSION, target, NULL, &t);
    if (r == 0)
        r = dm_run_task(t);
    const struct dm_versions *v = r == 0 && ret_version ? dm_task_get_versions(t) : NULL;
    if (v)
        memcpy(ret_version, v->version, sizeof v->version);
    return r;
}
