/* SPDX-License-Identifier: Apache-2.0 */
/* Private to rebuild*.c. */
#pragma once

#include "instance/disks.h"
#include "instance/launch.h"

struct rebuild {
    struct launch launch; /* makes the new disks: only the parts are filled in that its steps use */
    struct launch_request request;
    const struct instance *instance; /* as it was before the rebuild */
    struct disks disks;
    bool running;
    const struct volume *keeps_seed; /* the old seed disk; NULL: none, or it gets a new seed */
    struct key_end *ret_key;         /* gets what became of the old key; may be NULL */
};

/* Checks, and changes nothing; in rebuild-check.c. */
int rebuild_check(struct rebuild *r, struct error *e) _must_check_;
