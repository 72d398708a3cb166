/* SPDX-License-Identifier: Apache-2.0 */
/* The steps of a removal; private to removal*.c. */
#pragma once

#include "instance/removal.h"

/* The domain that goes with it; NULL: none, or it is not Mayfly's to touch, or only a disk goes. */
const struct domain *removal_domain(const struct removal *r);

/* A rescue disk alone? Its instance stays, with the key, even if no other disk of it is to be seen now. */
bool removal_ends_rescue(const struct removal *r);

/* The domain stays, and gets its definition back; the disks are taken out of it. */
bool removal_leaves_rescue(const struct removal *r);
bool removal_leaves_domain(const struct removal *r);

/* For all removals of the list whose first is the object, except those that have failed. */
step_fn removal_remove_snapshots, removal_doom_leads, removal_doom_others, removal_end_domains,
    removal_settle_domains, removal_leave_rescue, removal_leave_domains, removal_close_maps,
    removal_destroy_keys, removal_remove_volumes;
