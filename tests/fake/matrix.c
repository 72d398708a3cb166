/* SPDX-License-Identifier: Apache-2.0 */
/* The crash matrix. For each scenario, each call that it makes on the broker, the key manager, libvirt or an
 * image, and each way to fail there:
 *
 *     run -> error: is everything as before?
 *         -> crash of the process, of the host -> recover (a new process) -> invariants? others untouched?
 *                                                 recover again: nothing left to do?
 *     run -> error -> a second failure while it is undone -> recover -> ...
 *     run -> crash -> recover fails or crashes at each of its own calls -> recover -> ...
 *
 * Prints "matrix: N cases, 0 broken". `matrix --mutations` shows that the matrix can fail: it leaves out one
 * kind of call at a time, and wants broken cases for each.
 */
#include "matrix.h"

#include <stdio.h>
#include <unistd.h>

#define BROKEN_SHOWN 20

static const struct fault_kind {
    const char *name;
    enum injection kind;
    bool reboot;
} kinds[] = {
    {"error before", INJECT_ERROR_BEFORE, false},         {"error after", INJECT_ERROR_AFTER, false},
    {"process crash before", INJECT_CRASH_BEFORE, false}, {"process crash after", INJECT_CRASH_AFTER, false},
    {"host crash before", INJECT_CRASH_BEFORE, true},     {"host crash after", INJECT_CRASH_AFTER, true},
};

struct matrix {
    const struct scenario *scenario;
    struct world *bystanders; /* alone */
    struct world *before;     /* with what the scenario needs */
    struct world *world;      /* at work */
    struct host others;       /* the bystanders as they must be now */
    const char *without;      /* the mutation */
    int next_fd;              /* the lowest that is free when nothing leaks */
    bool went_well;           /* the operation said so: recover has to leave its result alone */
    char label[300];
    unsigned cases, broken;
};

static bool is_crash(enum injection kind)
{
    return kind == INJECT_CRASH_BEFORE || kind == INJECT_CRASH_AFTER;
}

/* A call that changes nothing fails after its effect as it does before. */
static bool same_as_before(const struct fault_kind *k, const char *call)
{
    static const char *const reads[] = {"list", "domains", "find domain", "key list", "key fetch", "lock"};
    for (size_t i = 0; call && i < ARRAY_SIZE(reads); i++)
        if (streq(call, reads[i]))
            return k->kind == INJECT_ERROR_AFTER || k->kind == INJECT_CRASH_AFTER;
    return false;
}

static void broken(struct matrix *m, const char *why)
{
    if (m->broken++ < BROKEN_SHOWN && !m->without)
        printf("matrix: BROKEN: %s: %s: %s\n", m->scenario->name, m->label, why);
}

/* A new process on the world: begins, acts, ends. */
static int act(struct matrix *m, int (*operate)(struct fake *, struct error *), struct error *e)
{
    struct fake f;
    fake_begin(&f, m->world);
    if (m->scenario->tune)
        m->scenario->tune(&f.config);
    int r = operate(&f, e);
    fake_end(&f);
    return r;
}

struct outcome {
    size_t n, remains;
};
static struct outcome outcome;

static int operate_recover(struct fake *f, struct error *e)
{
    _cleanup_free_ struct recovered *done = NULL;
    size_t n = 0;
    int r = instance_recover(&f->context, false, &done, &n, e);
    outcome = (struct outcome){.n = n};
    for (size_t i = 0; i < n; i++)
        outcome.remains += done[i].kind == RECOVER_REMAINS;
    return r;
}

static int recover(struct matrix *m, struct error *e)
{
    if (m->without && streq(m->without, "recover"))
        return 0;
    return act(m, operate_recover, e);
}

static void world_set(struct matrix *m, const struct world *to)
{
    *m->world = *to;
    m->world->calls = 0;
    m->world->hit = NULL;
    m->world->without = m->without;
}

/* What a crash leaves: a new process sees it, perhaps after a reboot. */
static void come_back(struct matrix *m, bool reboot)
{
    world_revive(m->world);
    m->world->calls = 0;
    if (!reboot)
        return;
    world_reboot(&m->world->host);
    world_reboot(&m->others);
}

static void check_rules(struct matrix *m)
{
    int next_fd = dup(0);
    close(next_fd);
    if (m->world->violation[0])
        broken(m, m->world->violation);
    else if (next_fd != m->next_fd)
        broken(m, "a descriptor is left open");
    m->next_fd = next_fd;
}

/* Recover, and all must be in order: but for disks whose key was ephemeral, which it tells of. */
static void check_recovered(struct matrix *m)
{
    struct error e = ERROR_NONE;
    char why[200] = "";
    size_t lost = 0;
    for (int again = 0; again < 2; again++) {
        e = ERROR_NONE;
        outcome = (struct outcome){0};
        int r = recover(m, &e);
        lost = lost_disks(&m->world->host);
        if (r < 0 && (r != -ENEEDSRECOVER || outcome.remains != lost)) {
            broken(m, e.text);
            return;
        }
        if (again && outcome.n != outcome.remains) {
            broken(m, "the second recover found something to do");
            return;
        }
    }
    if ((m->went_well && !amount_is(&m->others, &m->world->host, &m->scenario->done, why)) ||
        !invariants_hold(&m->world->host, why) || !bystanders_untouched(&m->others, &m->world->host, why))
        broken(m, why);
    else
        check_rules(m);
}

/* The operation itself, after its error. */
static void check_operation(struct matrix *m, int r, bool crashed, bool second)
{
    char why[200] = "";
    if (crashed && r == 0)
        broken(m, "it crashed, and said that it went well");
    else if (r == 0 && !second && !amount_is(&m->others, &m->world->host, &m->scenario->done, why))
        broken(m, why);
    else if (r < 0 && !crashed && !second && m->scenario->undone &&
             !hosts_equal(&m->before->host, &m->world->host, why))
        broken(m, why);
}

/* ------------------------------------------------------------------------ cases */

static void begin_case(struct matrix *m)
{
    m->cases++;
    m->went_well = false;
    m->others = m->bystanders->host;
    world_set(m, m->before);
}

static int run(struct matrix *m, const struct fault_kind *k, unsigned at)
{
    struct error e = ERROR_NONE;
    m->world->inject[0].at = at;
    m->world->inject[0].kind = k->kind;
    int r = act(m, m->scenario->operate, &e);
    m->went_well = r == 0;
    return r;
}

/* Crash, then a failure inside recover, then recover. `crashed` is the world as the crash left it. */
static void inside_recover(struct matrix *m, const struct world *crashed, const char *where)
{
    struct error e = ERROR_NONE;
    world_set(m, crashed);
    int r = recover(m, &e);
    unsigned calls = m->world->calls;
    if (r < 0 && r != -ENEEDSRECOVER)
        return; /* told of by the case before */
    for (unsigned at = 1; at <= calls; at++)
        for (size_t i = 0; i < 4; i++) {
            if (i && same_as_before(&kinds[i], m->world->hit))
                continue;
            m->cases++;
            m->went_well = false;
            m->others = m->bystanders->host;
            world_set(m, crashed);
            m->world->inject[0].at = at;
            m->world->inject[0].kind = kinds[i].kind;
            e = ERROR_NONE;
            r = recover(m, &e);
            snprintf(m->label, sizeof m->label, "%s, then in recover call %u (%s), %s", where, at,
                     m->world->hit ? m->world->hit : "-", kinds[i].name);
            come_back(m, false);
            check_recovered(m);
        }
}

/* One failure at call `at`, whose name is returned. Crashes that leave the same world as the one before need
 * no recover of their own. */
static const char *one_fault(struct matrix *m, const struct fault_kind *k, unsigned at,
                             struct world *last_crash)
{
    char why[200];
    begin_case(m);
    int r = run(m, k, at);
    const char *call = m->world->hit;
    snprintf(m->label, sizeof m->label, "call %u (%s), %s", at, call, k->name);
    check_operation(m, r, m->world->crashed, false);
    come_back(m, k->reboot);

    bool news = is_crash(k->kind) && !k->reboot && !hosts_equal(&last_crash->host, &m->world->host, why);
    if (news)
        *last_crash = *m->world;
    check_recovered(m);
    if (news) {
        char where[sizeof m->label];
        memcpy(where, m->label, sizeof where);
        where[120] = '\0';
        inside_recover(m, last_crash, where);
    }
    return call;
}

/* An error at call `at`, and a second failure at each call that undoing it makes. */
static void two_faults(struct matrix *m, unsigned at)
{
    begin_case(m);
    run(m, &kinds[0], at);
    unsigned calls = m->world->calls;
    for (unsigned second = at + 1; second <= calls; second++)
        for (size_t i = 0; i < 4; i++) {
            if (i && same_as_before(&kinds[i], m->world->hit))
                continue;
            begin_case(m);
            m->world->inject[1].at = second;
            m->world->inject[1].kind = kinds[i].kind;
            int r = run(m, &kinds[0], at);
            snprintf(m->label, sizeof m->label, "error at call %u, then call %u (%s), %s", at, second,
                     m->world->hit ? m->world->hit : "-", kinds[i].name);
            check_operation(m, r, m->world->crashed, true);
            come_back(m, false);
            check_recovered(m);
        }
}

static void run_scenario(struct matrix *m, const struct scenario *s)
{
    static struct world last_crash;
    struct error e = ERROR_NONE;

    m->scenario = s;
    world_set(m, m->bystanders);
    scenario_prepare(s, m->world);
    *m->before = *m->world;

    begin_case(m);
    snprintf(m->label, sizeof m->label, "nothing fails");
    int r = act(m, s->operate, &e);
    unsigned calls = m->world->calls;
    if (r < 0)
        broken(m, e.text);
    m->went_well = r == 0;
    check_operation(m, r, false, false);
    check_recovered(m);

    last_crash = *m->bystanders;
    last_crash.host.n_keys = 0; /* like no world to come */
    for (unsigned at = 1; at <= calls; at++) {
        const char *call = NULL;
        for (size_t k = 0; k < ARRAY_SIZE(kinds); k++)
            if (!same_as_before(&kinds[k], call))
                call = one_fault(m, &kinds[k], at, &last_crash);
        if (s->undone)
            two_faults(m, at);
        if (m->without && m->broken)
            return;
    }
}

static void run_all(struct matrix *m, const char *without)
{
    m->without = without;
    m->cases = m->broken = 0;
    for (size_t i = 0; i < n_scenarios; i++) {
        run_scenario(m, &scenarios[i]);
        if (without && m->broken)
            return;
    }
}

/* Each as if the code never made such a call. */
static int run_mutations(struct matrix *m)
{
    static const char *const mutations[] = {"recover",    "lock",        "close",       "remove",
                                            "mark ready", "mark doomed", "key destroy", "key create",
                                            "undefine",   "destroy"};
    int failed = 0;
    for (size_t i = 0; i < ARRAY_SIZE(mutations); i++) {
        run_all(m, mutations[i]);
        printf("matrix: without %s: %s after %u cases (%s)\n", mutations[i],
               m->broken ? "noticed" : "NOT NOTICED", m->cases, m->broken ? m->scenario->name : "all");
        failed |= !m->broken;
    }
    return failed;
}

int main(int argc, char *argv[])
{
    struct matrix m = {.bystanders = world_new(), .before = world_new(), .world = world_new()};
    make_bystanders(m.bystanders);
    m.next_fd = dup(0);
    close(m.next_fd);

    int failed = 0;
    if (argc == 2 && streq(argv[1], "--mutations")) {
        failed = run_mutations(&m);
    } else {
        run_all(&m, NULL);
        printf("matrix: %u cases, %u broken\n", m.cases, m.broken);
        failed = m.broken > 0;
    }
    world_free(m.bystanders);
    world_free(m.before);
    world_free(m.world);
    return failed;
}
