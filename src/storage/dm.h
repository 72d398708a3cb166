/* SPDX-License-Identifier: Apache-2.0 */
/* Tasks of libdevmapper for dmcrypt.c: run one, look a map up, remove one. */
#pragma once

#include "base/error.h"
#include "base/str.h"

#include <libdevmapper.h>
#include <linux/dm-ioctl.h>

static inline void task_freep(struct dm_task **t)
{
    if (*t)
        dm_task_destroy(*t);
}
#define _cleanup_task_ _cleanup_(task_freep)

/* libdevmapper's message about the last task that failed; it has no other way to tell. */
extern char dm_last_message[256];

/* Makes a task on the map with this name or uuid (one may be NULL). -ENODEV: the kernel has no
 * device-mapper. */
int dm_new_task(int type, const char *name, const char *uuid, struct dm_task **ret) _must_check_;
int dm_run_task(struct dm_task *t) _must_check_;

/* Runs a task that changes device nodes; dm_settle() waits for its end. */
int dm_change_nodes(struct dm_task *t) _must_check_;

/* Waits a bounded time for udevd, until the nodes are right after all changes. Without udevd it makes
 * them. */
void dm_settle(void);

/* Runs a task that changes device nodes, and settles. */
int dm_run_task_and_nodes(struct dm_task *t) _must_check_;

struct dm_device {
    struct dm_info info;
    char name[DM_NAME_LEN];
    char uuid[DM_UUID_LEN];
};

/* Looks a device up by name or uuid. -ENOENT, without a sentence, if there is none. */
int dm_look_up(const char *name, const char *uuid, struct dm_device *ret, struct error *e) _must_check_;

/* Removes a map by name, without a check: the caller has seen that it may go. -EBUSY: it is held open. After
 * the second function the caller calls dm_settle(). */
int dm_remove_map(const char *name);
int dm_remove_map_later(const char *name);

/* Makes the kernel load the module of this target, if needed. That works in the broker's sandbox too, since
 * it is device-mapper that asks for the module. ret_version (may be NULL) gets its major, minor and patch. */
int dm_load_target(const char *target, uint32_t ret_version[3]) _must_check_;

void dm_pause_msec(unsigned msec);
