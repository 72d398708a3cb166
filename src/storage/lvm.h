/* SPDX-License-Identifier: Apache-2.0 */
/* LVM's own commands, fed one by one to a single `lvm` process that stays for as long as the broker lives:
 * starting lvm costs more than most of its commands. With LVM's profile lvmdbusd each command answers on a
 * descriptor of its own with a report and its status, which is how LVM's own D-Bus service drives it.
 *
 * Only the broker uses this. Nothing here decides whether a command is allowed.
 */
#pragma once

#include "storage/dependent.h"
#include "storage/volume.h"

struct lvm;

/* Starts the process; it gets ready in the background. A command starts it again if it has ended. `keep_fd`
 * (-1: none) stays the caller's until lvm_stop(); lvm keeps it open too until it has ended, whatever becomes
 * of us. -ENOENT: lvm2 is not installed; -ENODEV: the kernel has no device-mapper. */
int lvm_start(int keep_fd, struct lvm **ret, struct error *e) _must_check_;

/* Ends the process, but never kills it: a command under way goes on to its end. */
struct lvm *lvm_stop(struct lvm *l);
DEFINE_CLEANUP(struct lvm *, lvm_stop)
#define _cleanup_lvm_ _cleanup_(lvm_stopp)

/* Reports on the groups named, and on our volumes in them, as LVM's JSON, written to `fd`: documents of lvs,
 * whose rows tell of their group too, and of vgs for groups without such volumes. Our volumes are those with
 * one of our tags or names, and those that have one of them as their origin. Other groups are not read. A
 * group that LVM does not find is not in the report. -EPROTO: the rows are fewer than the group has volumes,
 * or lack a field: such a report proves nothing. */
int lvm_report(struct lvm *l, const char *const vgs[], size_t n_vgs, int fd, struct error *e) _must_check_;

/* A volume, and why it may not be removed or overwritten; empty: nothing in LVM depends on it. */
struct lvm_volume {
    struct volume v;
    char dependent[DEPENDENT_MAX];
};

#define LVM_INSTANCES_MAX 64 /* instances of one look */

/* Reads the volumes of `n` instances in the group, by one command; the caller frees *ret. A volume that has
 * our name but not our tags is -EUNSAFE. */
int lvm_volumes_of(struct lvm *l, const char *vg, const char (*instances)[UUID_TEXT], size_t n,
                   struct lvm_volume **ret, size_t *ret_n, struct error *e) _must_check_;

/* As lvm_volumes_of(), and also the strangers: volumes with our name and without any of our tags, of which
 * only names and size are set (volume_stranger). */
int lvm_volumes_named(struct lvm *l, const char *vg, const char (*instances)[UUID_TEXT], size_t n,
                      struct lvm_volume **ret, size_t *ret_n, struct error *e) _must_check_;

/* Looks in these groups for a volume with this disk uuid in its tags. `where` gets its name, or "". Groups
 * that do not exist are skipped. */
#define LVM_WHERE_MAX (VG_NAME_MAX + LV_NAME_MAX)
int lvm_find_disk(struct lvm *l, const char *const vgs[], size_t n_vgs, const char *disk,
                  char where[LVM_WHERE_MAX], struct error *e) _must_check_;

static inline bool volume_stranger(const struct volume *v)
{
    return !v->disk[0];
}

/* Sets all tags of a stranger, or removes all of them again; each is one commit. */
int lvm_tag(struct lvm *l, const struct volume *v, struct error *e) _must_check_;
int lvm_untag(struct lvm *l, const struct volume *v, struct error *e) _must_check_;

/* Makes an active logical volume with its tags, in one commit, and zeroes nothing. v->size_bytes is rounded
 * up to whole extents by LVM. -EEXIST, -ENOSPC, -ENOENT (no such group). */
int lvm_create(struct lvm *l, const struct volume *v, struct error *e) _must_check_;

/* Makes the read-only `snapshot` of `origin`, with its tags, in one commit. v->size_bytes is its room for
 * changes of the origin; once that is used up it gives only -EIO. As lvm_create(). */
int lvm_snapshot(struct lvm *l, const struct volume *origin, const struct volume *snapshot,
                 struct error *e) _must_check_;

/* Changes the state tag of `n` volumes (all in state `from`) by one command: each volume by a commit of its
 * own. */
int lvm_change_state(struct lvm *l, const struct volume *const v[], size_t n, enum volume_state from,
                     enum volume_state to, struct error *e) _must_check_;

/* Changes the tags that `old` has to those of `new`, whose names and size are the same, in one commit. */
int lvm_retag(struct lvm *l, const struct volume *old, const struct volume *new,
              struct error *e) _must_check_;

/* Makes sure that the volume's device exists (lvchange -ay). */
int lvm_activate(struct lvm *l, const struct volume *v, struct error *e) _must_check_;

/* Gives the volume's devices the tables of LVM's metadata, and resumes them if they are suspended. */
int lvm_refresh(struct lvm *l, const struct volume *v, struct error *e) _must_check_;

/* Makes the volume as large as that, rounded up to whole extents by LVM; what it holds stays. -EINVAL: it has
 * that size, or more, already; -ENOSPC. */
int lvm_extend(struct lvm *l, const struct volume *v, uint64_t size_bytes, struct error *e) _must_check_;

/* Removes the volumes, by one command. -EBUSY: one of them is held open. */
int lvm_remove(struct lvm *l, const struct volume *const v[], size_t n, struct error *e) _must_check_;
