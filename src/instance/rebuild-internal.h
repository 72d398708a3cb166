/* SPDX-License-Identifier: Apache-2.0 */
/* Private to rebuild*.c. */
#pragma once

#include "instance/disks.h"
#include "instance/new-disks.h"

struct rebuild {
    struct new_disks new;
    const struct rebuild_request *request;
    struct model *model;
    const struct instance *instance; /* as it was before the rebuild */
    struct disks disks;              /* the old ones */
    bool running;
    const struct volume *keeps_seed; /* the old seed disk; NULL: none, or it gets a new seed */
    struct secret *kept_seed;        /* read from it */
};

/* Checks, and changes nothing; in rebuild-check.c. */
int rebuild_check(struct rebuild *r, struct error *e) _must_check_;

/* A step, whose object is the rebuild: reads the seed that is kept; in rebuild-check.c. */
step_fn rebuild_keep_seed;
