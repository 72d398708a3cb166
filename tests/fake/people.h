/* SPDX-License-Identifier: Apache-2.0 */
/* Who does what behind Mayfly's back. Private to people*.c. */
#pragma once

#include "world.h"

/* Somebody with virsh, mount, lvchange. */
struct person {
    const char *name;             /* "... before call 3" */
    bool (*act)(struct world *w); /* false: there was nothing to do */
    bool (*kept)(const struct host *acted, struct world *now,
                 char why[200]);    /* what was done; NULL: no matter */
    void (*leave)(struct world *w); /* before recover; NULL */
};

struct people_row {
    const char *scenario; /* of the crash matrix, about the instance `t` */
    const struct person *people[12];
};
extern const struct people_row people_rows[];
extern const size_t n_people_rows;

/* The uuid of `t`; "": there is none yet. */
const char *people_uuid(struct world *w);

/* No key is gone that a ready volume needs, or one whose tags somebody took away. */
bool people_keys_kept(const struct host *h, char why[200]);

/* After recover: nothing is half done, no map is idle, no key without a volume. */
bool people_invariants_hold(const struct host *h, char why[200]);
