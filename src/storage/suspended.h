/* SPDX-License-Identifier: Apache-2.0 */
/* Suspended volumes. An lvm that is killed while it changes them leaves them suspended, and all who read or
 * write them wait until they are resumed. */
#pragma once

#include "storage/volume.h"

struct suspended {
    char vg[VG_NAME_MAX];
    char lv[LV_NAME_MAX];
};

/* Those in the groups named that have a name of ours, by themselves or by a device below them (-real, -cow):
 * each once. An lvm that is at work may have suspended one for a moment. The caller frees *ret. */
int suspended_list(const char *const vgs[], size_t n_vgs, struct suspended **ret, size_t *ret_n,
                   struct error *e) _must_check_;

/* Before lvm_refresh(): forgets the tables that were loaded for suspended devices of this volume and never in
 * use. LVM would resume the devices with these tables, although they may be of metadata that was never
 * committed, and perhaps before the device below has a table, which gives waiting readers an error. Devices
 * without another table are removed. */
int suspended_clear(const struct volume *v, struct error *e) _must_check_;

/* Is the volume itself suspended now? */
bool suspended_is(const struct volume *v) _must_check_;

/* Resumes devices of this volume that lvm_refresh() has left suspended: those below it that LVM's metadata
 * does not know. -EBUSY: something of it stays suspended. */
int suspended_resume(const struct volume *v, struct error *e) _must_check_;

/* For a volume whose removal was committed, so that LVM's metadata does not know it any more: removes its
 * devices. -EBUSY: somebody holds one. */
int suspended_remove(const struct volume *v, struct error *e) _must_check_;
