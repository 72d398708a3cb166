/* SPDX-License-Identifier: Apache-2.0 */
/* What depends on a logical volume besides us. LVM removes snapshots, caches and RAID legs along with a
 * volume, and a snapshot keeps blocks that are overwritten on its origin. So every operation that removes,
 * overwrites or remakes a volume asks first. The words come from fields of lvs; broker and client judge by
 * them alike. */
#pragma once

#include <stdbool.h>

#define DEPENDENT_MAX    320 /* a reason, and the way out */
#define LVM_NAME_MAX     128 /* any name in a volume group, and a NUL */
#define LVM_WORDS_MAX    128 /* lv_role, lv_layout */
#define DEPENDENT_FIELDS "lv_role,lv_layout,origin,lv_allocation_locked"

/* One row of lvs. */
struct lv_row {
    char vg[LVM_NAME_MAX], lv[LVM_NAME_MAX];
    char role[LVM_WORDS_MAX], layout[LVM_WORDS_MAX]; /* words with commas between them */
    char origin[LVM_NAME_MAX];                       /* of a snapshot, or a thin volume; else empty */
    char locked[32];                                 /* empty: LVM may move its extents */
};

/* Says why this volume must stay as it is: it is more than plain extents. Empty: it may be changed. */
void dependent_of_layout(const struct lv_row *row, char text[DEPENDENT_MAX]);

/* Says why the origin of `row` must stay as it is. */
void dependent_of_row(const struct lv_row *row, char text[DEPENDENT_MAX]);

/* Whether it is the origin of any volume, by its role. */
bool dependent_expected(const struct lv_row *row);

/* Says why a volume must stay as it is whose role says that it is an origin, though no row names it: so it is
 * while a snapshot is merged. */
void dependent_unseen(const struct lv_row *row, char text[DEPENDENT_MAX]);
