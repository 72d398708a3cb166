/* SPDX-License-Identifier: Apache-2.0 */
/* The crash matrix: every operation x every call that it makes x every way to fail there. Private to
 * matrix*.c. */
#pragma once

#include "world.h"

/* What there is of a scenario's own, beside the bystanders. */
struct amount {
    size_t domains, active, volumes, maps, opened, keys;
};

struct scenario {
    const char *name;
    void (*tune)(struct config *c);  /* NULL: encrypted, keys in `local` */
    void (*prepare)(struct fake *f); /* NULL: nothing is there before */
    int (*operate)(struct fake *f, struct error *e);
    struct amount done; /* when it went well */
    bool undone;        /* an error leaves everything as it was before */
};

extern const struct scenario scenarios[];
extern const size_t n_scenarios;

/* Brings about what it begins with; nothing fails meanwhile. */
void scenario_prepare(const struct scenario *s, struct world *w);

/* Others, which no operation may touch: one running, one stopped, one plain, a pair with one key. */
void make_bystanders(struct world *w);

/* These describe in `why` what is wrong, and return false. */
bool hosts_equal(const struct host *a, const struct host *b, char why[200]);
bool bystanders_untouched(const struct host *before, const struct host *now, char why[200]);
bool invariants_hold(const struct host *h, char why[200]);
bool amount_is(const struct host *others, const struct host *h, const struct amount *wanted, char why[200]);

/* Of disks that are ready, but whose ephemeral key is gone: recover tells of each. */
size_t lost_disks(const struct host *h);
