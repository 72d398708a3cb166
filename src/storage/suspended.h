/* SPDX-License-Identifier: Apache-2.0 */
/* Suspended volumes. An lvm that is killed while it changes volumes leaves them suspended: reads and writes
 * wait until they are resumed. */
#pragma once

#include "storage/volume.h"

struct suspended {
    char vg[VG_NAME_MAX];
    char lv[LV_NAME_MAX];
};

/* Lists, each once, the volumes with our names in these groups that are suspended themselves, or have a
 * suspended device below them (-real, -cow). An lvm that is at work may have suspended one for a moment. The
 * caller frees *ret. */
int suspended_list(const char *const vgs[], size_t n_vgs, struct suspended **ret, size_t *ret_n,
                   struct error *e) _must_check_;

/* Forgets, before lvm_refresh(), the tables that were loaded for suspended devices of this volume and never
 * in use. LVM would resume the devices with these tables, although they may be of metadata that was never
 * committed, and perhaps before the device below has a table, which gives waiting readers an error. Devices
 * without another table are removed. */
int suspended_clear(const struct volume *v, struct error *e) _must_check_;

/* Whether the volume itself is suspended now. */
bool suspended_is(const struct volume *v) _must_check_;

/* Resumes devices of this volume that lvm_refresh() has left suspended: those below it that LVM's metadata
 * does not know. -EBUSY: something of it stays suspended. */
int suspended_resume(const struct volume *v, struct error *e) _must_check_;

/* Removes the devices of a volume whose removal was committed, so that LVM's metadata does not know it any
 * more. -EBUSY: somebody holds one. */
int suspended_remove(const struct volume *v, struct error *e) _must_check_;
