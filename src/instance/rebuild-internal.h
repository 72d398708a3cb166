/* SPDX-License-Identifier: Apache-2.0 */
/* Private to rebuild*.c. */
#pragma once

#include "instance/disks.h"
#include "instance/launch.h"

struct rebuild {
    struct launch launch; /* as which it makes what it makes */
    struct launch_request request;
    const struct instance *instance; /* before */
    struct disks disks;
    bool running;
    const struct volume *keeps_seed; /* of its disks; NULL: none, or it gets a new one */
    struct key_end *ret_key;         /* for what became of the old key; or NULL */
};

/* rebuild-check.c: looks, and changes nothing. */
int rebuild_check(struct rebuild *r, struct error *e) _must_check_;
