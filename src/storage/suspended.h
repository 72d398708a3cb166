/* SPDX-License-Identifier: Apache-2.0 */
/* Volumes that are suspended: an lvm that was killed while it changed them leaves them so, and whoever reads
 * or writes them waits until somebody resumes them. */
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
 * use. LVM would resume the devices with them, though they may be of metadata that never came to be, and
 * perhaps before what is below has a table, so that who waits for the volume would get an error. Devices that
 * had no other table go. */
int suspended_clear(const struct volume *v, struct error *e) _must_check_;

/* Is the volume itself suspended now? */
bool suspended_is(const struct volume *v) _must_check_;

/* Resumes what lvm_refresh() has left suspended of this volume: devices below it that LVM's metadata does not
 * know. -EBUSY: something of it stays suspended. */
int suspended_resume(const struct volume *v, struct error *e) _must_check_;

/* Of a volume that LVM's metadata does not know any more: its removal was committed. Removes its devices.
 * -EBUSY: somebody holds one. */
int suspended_remove(const struct volume *v, struct error *e) _must_check_;
