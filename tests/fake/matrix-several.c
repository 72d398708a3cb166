/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of the matrix that do the same to several instances side by side: whatever happens to one of them, of
 * each the truth is told.
 */
#include "matrix.h"

#define N 4
static const char *const names[N] = {"t-2", "nobody", "t-1", "t-3"};

static void have_three_stopped(struct fake *f)
{
    static const struct launch_request q = {
        .name = "t", .count = 3, .disks = {.root_bytes = GIB, .swap_bytes = GIB}, .no_start = true};
    prepare_launch(f, &q);
}

static void have_three_running(struct fake *f)
{
    static const struct launch_request q = {
        .name = "t", .count = 3, .disks = {.root_bytes = GIB, .swap_bytes = GIB}};
    prepare_launch(f, &q);
}

static const struct world_domain *domain_of(const struct host *h, const char *name)
{
    for (size_t i = 0; i < h->n_domains; i++)
        if (streq(h->domains[i].d.name, name))
            return &h->domains[i];
    return NULL;
}

static size_t maps_of(const struct host *h, const char *uuid)
{
    size_t n = 0;
    for (size_t i = 0; i < h->n_maps; i++)
        n += str_starts(h->maps[i].map.name, uuid);
    return n;
}

/* Of a crash nobody is left to tell. What could not be undone either is for recover. */
static void check_told(struct fake *f, const char *name, const struct outcome *o, bool runs)
{
    const struct host *h = &f->world->host;
    const struct world_domain *t = domain_of(h, name);
    if (f->world->crashed || !t || o->error.errnum == -ENEEDSRECOVER)
        return;
    size_t maps = maps_of(h, t->d.uuid);
    if (o->changed && (t->d.active != runs || maps != 2))
        world_violated(f->world, "%s was said to be done, and has %zu maps", name, maps);
    if (o->error.errnum && (t->d.active || maps))
        world_violated(f->world, "%s was said to have failed, and has %zu maps", name, maps);
}

/* The name that nobody has is the only error where nothing fails. */
static int conclude(struct fake *f, const struct outcome done[N], bool runs, bool undone, int r,
                    struct error *e)
{
    for (size_t i = 0; undone && i < N; i++)
        check_told(f, names[i], &done[i], runs);
    for (size_t i = 0; i < N; i++)
        if (done[i].error.errnum && !streq(names[i], "nobody"))
            return error_pass(e, done[i].error.errnum, &done[i].error);
    if (r == -ENOENT)
        *e = ERROR_NONE;
    return r == -ENOENT ? 0 : r;
}

static int start_three(struct fake *f, struct error *e)
{
    struct outcome done[N];
    int r = instances_start(&f->context, names, N, done, e);
    return conclude(f, done, true, true, r, e);
}

static int open_three(struct fake *f, struct error *e)
{
    struct outcome done[N];
    int r = instances_open(&f->context, names, N, MAP_TO_STAY, done, e);
    return conclude(f, done, false, true, r, e);
}

/* What was ended is not brought back. */
static int reboot_three_hard(struct fake *f, struct error *e)
{
    struct outcome done[N];
    int r = instances_reboot(&f->context, names, N, true, done, e);
    return conclude(f, done, true, false, r, e);
}

static int stop_three_hard(struct fake *f, struct error *e)
{
    struct outcome done[N];
    int r = instances_stop_hard(&f->context, names, N, done, e);
    return conclude(f, done, false, false, r, e);
}

const struct scenario several_scenarios[] = {
    /* name, tune, prepare, operate, {domains, active, volumes, maps, opened, keys}, promise */
    {"start three", NULL, have_three_stopped, start_three, {3, 3, 6, 6, 0, 3}, FORWARD},
    {"barbican: start three", in_barbican, have_three_stopped, start_three, {3, 3, 6, 6, 0, 3}, FORWARD},
    {"open three", NULL, have_three_stopped, open_three, {3, 0, 6, 6, 6, 3}, FORWARD},
    {"stop --force three", NULL, have_three_running, stop_three_hard, {3, 0, 6, 0, 0, 3}, FORWARD},
    {"reboot --hard three", NULL, have_three_running, reboot_three_hard, {3, 3, 6, 6, 0, 3}, FORWARD},
};
const size_t n_several_scenarios = ARRAY_SIZE(several_scenarios);
