/* SPDX-License-Identifier: Apache-2.0 */
/* The crash matrix: every operation x every call that it makes x every way to fail there. Private to
 * matrix*.c. */
#pragma once

#include "memory.h"
#include "world.h"

/* What there is of a scenario's own, beside the bystanders. */
struct amount {
    size_t domains, active, volumes, maps, opened, keys;
};

enum promise {
    FORWARD,    /* what an error leaves half done recover finishes */
    UNDONE,     /* an error leaves everything as it was before */
    TURNING,    /* UNDONE until a volume is doomed, FORWARD from there */
    UNFINISHED, /* as FORWARD, and also when it went well it leaves something to recover */
};

struct scenario {
    const char *name;
    void (*tune)(struct config *c);  /* NULL: encrypted, keys in `local` */
    void (*prepare)(struct fake *f); /* NULL: nothing is there before */
    int (*operate)(struct fake *f, struct error *e);
    struct amount done; /* when it went well */
    enum promise promise;
};

extern const struct scenario scenarios[], network_scenarios[], disk_scenarios[], rescue_scenarios[],
    adopt_scenarios[], several_scenarios[];
extern const size_t n_scenarios, n_network_scenarios, n_disk_scenarios, n_rescue_scenarios, n_adopt_scenarios,
    n_several_scenarios;

#define NOTHING                                                                                              \
    {                                                                                                        \
        0                                                                                                    \
    }
#define GIB (UINT64_C(1) << 30)

/* What scenarios are made of. Preparations must go well. */
void must(int r, const struct error *e);
int launch(struct fake *f, const struct launch_request *q, struct error *e);
void prepare_launch(struct fake *f, const struct launch_request *q);
void plain_disks(struct config *c);
void ephemeral_keys(struct config *c);
void in_barbican(struct config *c);
void have_running(struct fake *f); /* `t`, of three disks */
void have_stopped(struct fake *f);
void have_opened(struct fake *f);
void have_left_dead(struct fake *f);              /* as a reboot of the host leaves it */
int export_disk(struct fake *f, struct error *e); /* of t */

void have_foreign(struct fake *f); /* disks of `t`, which others have defined; it does not run */
int virsh_start(struct fake *f, struct error *e);
int recover_all(struct fake *f, struct error *e);

/* A key in Barbican that another has made: Mayfly's lists tell nothing of it. Its bytes are 1, 2, 3 and so
 * on. */
void have_others_key(struct fake *f, const char *id, uint32_t bits);

/* What an operation has to return where nothing fails. Of failures the caller hears. */
int wanted(struct fake *f, int wanted_r, int r);

/* Brings about what it begins with; nothing fails meanwhile. */
void scenario_prepare(const struct scenario *s, struct world *w);

/* Others, which no operation may touch: one running, one stopped, one plain, a pair with one key, one whose
 * key is another project's, a domain that others have defined, with a disk of ours and without. */
void make_bystanders(struct world *w);

/* These describe in `why` what is wrong, and return false. */
bool hosts_equal(const struct host *a, const struct host *b, char why[200]);
bool bystanders_untouched(const struct host *before, const struct host *now, char why[200]);
bool invariants_hold(const struct host *h, char why[200]);
bool amount_is(const struct host *others, const struct host *h, const struct amount *wanted, char why[200]);

/* What recover can but tell of: disks that are ready, but whose ephemeral key is gone; instances whose
 * rebuild was cut off. */
size_t only_told(const struct host *h);

/* As if the code never made calls of this name. */
struct mutation {
    const char *call;
    bool recover_does;    /* but recover did */
    bool files;           /* over a pool of files; else over LVM */
    const char *scenario; /* the one in which that matters; NULL: they are looked at one after the other */
};

struct matrix {
    const struct scenario *scenario;
    struct world *bystanders;        /* alone */
    struct world *before;            /* with what the scenario needs */
    struct world *world;             /* at work */
    struct host others;              /* the bystanders as they must be now */
    const struct mutation *mutation; /* NULL: none */
    int next_fd;                     /* the lowest that is free when nothing leaks */
    bool went_well;                  /* the operation said so: recover has to leave its result alone */
    char label[300];
    unsigned cases, broken;
    unsigned part, parts; /* of the calls of each scenario, those of this run */
    bool memory;          /* nothing fails but memory */
};

void case_broken(struct matrix *m, const char *why);

/* A new process on the world: begins, acts, ends. */
int case_act(struct matrix *m, int (*operate)(struct fake *, struct error *), struct error *e);
int case_recover(struct matrix *m, struct error *e);

void case_set_world(struct matrix *m, const struct world *to);

/* What a crash leaves: a new process sees it, perhaps after a reboot. */
void case_come_back(struct matrix *m, bool reboot);

/* The operation itself, after its error. */
void case_check_operation(struct matrix *m, int r, bool crashed, bool second);

/* Recover, and all must be in order: but for disks whose key was ephemeral, which it tells of. */
void case_check_recovered(struct matrix *m);
