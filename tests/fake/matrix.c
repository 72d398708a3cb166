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
 * Memory is not to be had too, once for each place of the code that asks for some.
 *
 * Where LVM suspends devices, lvm is killed too, alone and together with the process.
 *
 * Recover asks the key manager as the one whose keys they are, whoever has asked in the operation. Prints
 * "matrix: N cases, 0 broken".
 *
 *     matrix reboot           the scenarios whose names begin so
 *     matrix --only reboot    that one alone
 *     matrix 2/4              the second quarter of the calls of each, so that all processors have work
 *     matrix --memory         memory fails alone
 *     matrix --mutations      shows that the matrix can fail: leaves out one kind of call at a time, and
 * wants broken cases for each matrix --list           the names of the scenarios
 *
 * `matrix --served`, with any of these behind it: the same for instances whose volumes a process serves
 * (engine user). `matrix --pool`, with any of these behind it: the same over a pool of files (world-pool.h),
 * where each call that changes a file is one of the calls. Its scenarios are also called "pool: reboot".
 */
#include "matrix.h"
#include "world-pool.h"

#include <stdio.h>
#include <unistd.h>

#define OF_POOL "pool: "

static const struct fault_kind {
    const char *name;
    enum injection kind;
    bool reboot;
    bool lvm_lost; /* while it has a volume suspended */
} kinds[] = {
    {"error before", INJECT_ERROR_BEFORE, false, false},
    {"error after", INJECT_ERROR_AFTER, false, false},
    {"process crash before", INJECT_CRASH_BEFORE, false, false},
    {"process crash after", INJECT_CRASH_AFTER, false, false},
    {"host crash before", INJECT_CRASH_BEFORE, true, false},
    {"host crash after", INJECT_CRASH_AFTER, true, false},
    {"lvm killed before its commit", INJECT_ERROR_BEFORE, false, true},
    {"lvm killed after its commit", INJECT_ERROR_AFTER, false, true},
    {"process and lvm killed before its commit", INJECT_CRASH_BEFORE, false, true},
    {"process and lvm killed after its commit", INJECT_CRASH_AFTER, false, true},
};

static bool is_crash(enum injection kind)
{
    return kind == INJECT_CRASH_BEFORE || kind == INJECT_CRASH_AFTER;
}

static bool suspends(const char *call)
{
    static const char *const changes[] = {"resize", "snapshot", "remove snapshot"};
    for (size_t i = 0; call && i < ARRAY_SIZE(changes); i++)
        if (streq(call, changes[i]))
            return true;
    return false;
}

/* By which src/pool changes its files. Of one that crashes before, the world is as after the one before it.
 */
static bool of_file(const char *call)
{
    static const char *const changes[] = {"mkdirat",  "openat",      "write",       "renameat", "linkat",
                                          "unlinkat", "ftruncate64", "fallocate64", "clone",    "fsync"};
    for (size_t i = 0; call && i < ARRAY_SIZE(changes); i++)
        if (streq(call, changes[i]))
            return true;
    return false;
}

/* A call that changes nothing fails after its effect as it does before, and one that suspends nothing as well
 * with lvm as without. */
static bool same_as_before(const struct fault_kind *k, const char *call)
{
    static const char *const reads[] = {
        "list", "domains",   "find domain", "key list",       "key fetch",     "key may destroy",
        "lock", "find disk", "definition",  "details",        "find network",  "strangers",
        "try",  "view",      "read seed",   "try definition", "remove trials", "fsync",
        "maps"};
    if (k->lvm_lost)
        return !suspends(call);
    if (of_file(call) && k->kind == INJECT_CRASH_BEFORE)
        return true;
    for (size_t i = 0; call && i < ARRAY_SIZE(reads); i++)
        if (streq(call, reads[i]))
            return k->kind == INJECT_ERROR_AFTER || k->kind == INJECT_CRASH_AFTER;
    return false;
}

static void begin_case(struct matrix *m)
{
    m->cases++;
    m->went_well = false;
    m->others = m->bystanders->host;
    case_set_world(m, m->before);
}

static void inject(struct matrix *m, size_t n, unsigned at, const struct fault_kind *k)
{
    m->world->inject[n].at = at;
    m->world->inject[n].kind = k->kind;
    m->world->inject[n].lvm_lost = k->lvm_lost;
}

static int run(struct matrix *m, const struct fault_kind *k, unsigned at)
{
    struct error e = ERROR_NONE;
    inject(m, 0, at, k);
    int r = case_act(m, m->scenario->operate, &e);
    /* a host that crashes after the work was done has no guest that runs */
    m->went_well = r == 0 && !(k->reboot && m->world->crashed);
    return r;
}

/* Crash, then a failure inside recover, then recover. `crashed` is the world as the crash left it. */
static void inside_recover(struct matrix *m, const struct world *crashed, const char *where)
{
    struct error e = ERROR_NONE;
    case_set_world(m, crashed);
    int r = case_recover(m, &e);
    unsigned calls = m->world->calls;
    if (r < 0 && r != -ENEEDSRECOVER)
        return; /* told of by the case before */
    for (unsigned at = 1; at <= calls; at++)
        for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
            if (kinds[i].reboot || (i && same_as_before(&kinds[i], m->world->hit)))
                continue;
            m->cases++;
            m->went_well = false;
            m->others = m->bystanders->host;
            case_set_world(m, crashed);
            inject(m, 0, at, &kinds[i]);
            e = ERROR_NONE;
            r = case_recover(m, &e);
            snprintf(m->label, sizeof m->label, "%.120s, then in recover call %u (%s), %s", where, at,
                     m->world->hit ? m->world->hit : "-", kinds[i].name);
            case_come_back(m, false);
            case_check_recovered(m);
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
    case_check_operation(m, r, m->world->crashed, false);
    case_come_back(m, k->reboot);

    bool news = is_crash(k->kind) && !k->reboot &&
                (k->lvm_lost || !hosts_equal(&last_crash->host, &m->world->host, why));
    if (news)
        *last_crash = *m->world;
    case_check_recovered(m);
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
        for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
            if (kinds[i].reboot || (i && same_as_before(&kinds[i], m->world->hit)))
                continue;
            begin_case(m);
            inject(m, 1, second, &kinds[i]);
            int r = run(m, &kinds[0], at);
            snprintf(m->label, sizeof m->label, "error at call %u, then call %u (%s), %s", at, second,
                     m->world->hit ? m->world->hit : "-", kinds[i].name);
            case_check_operation(m, r, m->world->crashed, true);
            case_come_back(m, false);
            case_check_recovered(m);
        }
}

/* How many volumes are in a state that only recover, or another rebuild, ends. */
static size_t unfinished(const struct host *h)
{
    size_t n = 0;
    for (size_t i = 0; i < h->n_volumes; i++)
        n += !h->volumes[i].stranger && h->volumes[i].v.state != VOLUME_READY;
    return n;
}

/* The user asks to stop during call `at`: all is undone, or all is done, and nothing is left to recover. */
static void one_stop(struct matrix *m, unsigned at)
{
    static const struct fault_kind stop = {"the user stops it", INJECT_STOP, false, false};
    begin_case(m);
    int r = run(m, &stop, at);
    snprintf(m->label, sizeof m->label, "call %u (%s), %s", at, m->world->hit, stop.name);
    if (r < 0 && r != -ECANCELED)
        case_broken(m, "it was stopped, and fails in another way");
    if (m->scenario->promise != UNFINISHED && unfinished(&m->world->host) > unfinished(&m->before->host))
        case_broken(m, "it was stopped, and leaves a volume unfinished");
    case_check_operation(m, r, false, false);
    case_come_back(m, false);
    case_check_recovered(m);
}

/* The connection to libvirt breaks at call `at`, if that is one to libvirt: it is made anew, and all goes on.
 */
static void one_break(struct matrix *m, unsigned at, bool after)
{
    struct error e = ERROR_NONE;
    begin_case(m);
    m->world->break_at = at;
    m->world->break_after = after;
    int r = case_act(m, m->scenario->operate, &e);
    snprintf(m->label, sizeof m->label, "the connection breaks %s call %u", after ? "after" : "before", at);
    if (r < 0)
        case_broken(m, e.text);
    case_check_operation(m, r, false, false);
    case_come_back(m, false);
}

/* It gets no memory at its call `at` for some. */
static void one_without_memory(struct matrix *m, unsigned at)
{
    struct error e = ERROR_NONE;
    begin_case(m);
    m->world->hit = "memory"; /* for those who only look where something fails */
    memory_fail(at);
    int r = case_act(m, m->scenario->operate, &e);
    bool failed = memory_failed();
    m->went_well = r == 0;
    snprintf(m->label, sizeof m->label, "no memory at call %u (%.150s)", at, e.text);
    if (r < 0 && !failed)
        case_broken(m, "it fails where nothing has");
    case_check_operation(m, r, false, false);
    case_come_back(m, false);
    case_check_recovered(m);
}

static void without_memory(struct matrix *m)
{
    struct error e = ERROR_NONE;
    const unsigned *at = NULL;
    begin_case(m);
    memory_note();
    (void)!case_act(m, m->scenario->operate, &e);
    size_t n = memory_noted(&at);
    for (size_t i = m->part - 1; i < n; i += m->parts)
        one_without_memory(m, at[i]);
}

static void run_scenario(struct matrix *m, const struct scenario *s)
{
    static struct world last_crash;
    struct error e = ERROR_NONE;

    m->scenario = s;
    case_set_world(m, m->bystanders);
    scenario_prepare(s, m->world);
    *m->before = *m->world;

    begin_case(m);
    snprintf(m->label, sizeof m->label, "nothing fails");
    int r = case_act(m, s->operate, &e);
    unsigned calls = m->world->calls;
    if (r < 0)
        case_broken(m, e.text);
    m->went_well = r == 0;
    case_check_operation(m, r, false, false);
    case_check_recovered(m);

    if (!m->mutation)
        without_memory(m);
    last_crash = *m->bystanders;
    last_crash.host.n_keys = 0; /* like no world to come */
    for (unsigned at = calls * (m->part - 1) / m->parts + 1; !m->memory && at <= calls * m->part / m->parts;
         at++) {
        const char *call = NULL;
        one_stop(m, at);
        one_break(m, at, false);
        one_break(m, at, true);
        for (size_t k = 0; k < ARRAY_SIZE(kinds); k++)
            if (!same_as_before(&kinds[k], call))
                call = one_fault(m, &kinds[k], at, &last_crash);
        if (s->promise == UNDONE || s->promise == TURNING)
            two_faults(m, at);
        if (m->mutation && m->broken)
            return;
    }
}

/* The i-th of all scenarios, or NULL. */
static const struct scenario *scenario_at(size_t i)
{
    const struct {
        const struct scenario *scenarios;
        size_t n;
    } tables[] = {{scenarios, n_scenarios},
                  {network_scenarios, n_network_scenarios},
                  {disk_scenarios, n_disk_scenarios},
                  {rescue_scenarios, n_rescue_scenarios},
                  {adopt_scenarios, n_adopt_scenarios},
                  {several_scenarios, n_several_scenarios}};
    for (size_t t = 0; t < ARRAY_SIZE(tables); i -= tables[t++].n)
        if (i < tables[t].n)
            return &tables[t].scenarios[i];
    return NULL;
}

static bool is_in(const struct scenario *s, const struct scenario *table, size_t n)
{
    return s >= table && s < table + n;
}

/* Over files no disk is plain, was Nova's, has dm-crypt's options, or is lent to a bench. Who keeps the keys
 * does not matter to them. */
static bool has_files(const struct scenario *s)
{
    static const char *const lvm_alone[] = {"tune",
                                            "tune opened",
                                            "set-engine user",
                                            "set-engine dm-crypt",
                                            "bench",
                                            "recover a bench that was cut off"};
    for (size_t i = 0; i < ARRAY_SIZE(lvm_alone); i++)
        if (streq(s->name, lvm_alone[i]))
            return false;
    return s->tune != plain_disks && !is_in(s, adopt_scenarios, n_adopt_scenarios) &&
           !is_in(s, network_scenarios, n_network_scenarios);
}

/* Where a process serves the disks there are no dm-crypt options to tune, no key can be ephemeral, and a
 * start takes the disks from the person who has opened them. */
static bool can_be_served(const struct scenario *s)
{
    return s->tune != ephemeral_keys && !streq(s->name, "tune") && !streq(s->name, "start opened");
}

static bool possible(const struct matrix *m, const struct scenario *s)
{
    return (!m->world->storage->files || has_files(s)) && (!m->world->storage->served || can_be_served(s));
}

static void run_one(struct matrix *m, const char *name)
{
    const struct scenario *s;
    m->mutation = NULL;
    m->cases = m->broken = 0;
    for (size_t i = 0; (s = scenario_at(i)); i++)
        if (streq(s->name, name) && possible(m, s))
            run_scenario(m, s);
}

/* `only`: scenarios whose names begin so; NULL: all. */
static void run_all(struct matrix *m, const struct mutation *mutation, const char *only)
{
    const struct scenario *s;

    m->mutation = mutation;
    m->cases = m->broken = 0;
    for (size_t i = 0; (s = scenario_at(i)); i++) {
        if (mutation && mutation->scenario && !streq(mutation->scenario, s->name))
            continue;
        if ((!only || str_starts(s->name, only)) && possible(m, s))
            run_scenario(m, s);
        if (mutation && m->broken)
            return;
    }
}

static int list(void)
{
    const struct scenario *s;
    for (size_t i = 0; (s = scenario_at(i)); i++)
        puts(s->name);
    for (size_t i = 0; (s = scenario_at(i)); i++)
        if (has_files(s))
            printf(OF_POOL "%s\n", s->name);
    return 0;
}

static int run_mutations(struct matrix *m)
{
    static const struct mutation mutations[] = {
        {.call = "recover"},
        {.call = "dry run"},
        {.call = "lock"},
        {.call = "close"},
        {.call = "remove"},
        {.call = "mark ready"},
        {.call = "mark doomed"},
        {.call = "key destroy"},
        {.call = "key create"},
        {.call = "undefine"},
        {.call = "destroy"},
        {.call = "settle", .scenario = "launch --no-start"},   /* a power cut takes the domain away */
        {.call = "settle", .scenario = "delete two of three"}, /* or brings it back */
        {.call = "resize", .scenario = "resize running"},      /* what comes above would be too large */
        {.call = "open", .scenario = "resize running"},
        {.call = "settle maps", .scenario = "start"}, /* a guest would not find its disks */
        {.call = "settle maps", .scenario = "launch"},
        {.call = "settle maps", .scenario = "rescue stopped"},
        {.call = "resume", .scenario = "resize running"}, /* a killed lvm has left it suspended */
        {.call = "resume", .scenario = "export"},
        {.call = "block resize", .scenario = "resize running"},
        {.call = "tune", .scenario = "tune"},
        {.call = "remake", .scenario = "rebuild"},
        {.call = "close", .scenario = "rebuild"},
        {.call = "key destroy", .scenario = "rebuild"},
        {.call = "mark ready", .scenario = "rebuild"},
        {.call = "redefine", .scenario = "rescue stopped"},
        {.call = "redefine", .scenario = "unrescue running"},
        {.call = "redefine", .scenario = "recover a cut-off unrescue"},
        {.call = "key list", .recover_does = true, .scenario = "barbican: launch"}, /* after a lost answer */
        {.call = "adopt", .scenario = "adopt"},
        {.call = "release", .scenario = "adopt"},
        {.call = "try", .scenario = "adopt with a wrong key"},
        {.call = "key import", .scenario = "adopt, key imported"},
        {.call = "key may destroy", .scenario = "barbican: delete by others"},
        {.call = "attach disk", .scenario = "add-disk"},           /* ready before its domain has it */
        {.call = "ask guest", .scenario = "remove-disk, running"}, /* doomed before the guest let go */
        {.call = "detach disk", .scenario = "remove-disk"},
        {.call = "mark doomed",
         .scenario = "export"}, /* the key is still the snapshot's when the file has its name */
        {.call = "key list", .scenario = "recover an export that was cut off"},
        {.call = "recover", .files = true},
        {.call = "dry run", .files = true},
        {.call = "lock", .files = true},
        {.call = "openat", .files = true},
        {.call = "renameat", .files = true},
        {.call = "linkat", .files = true},
        {.call = "unlinkat", .files = true},
        {.call = "clone", .files = true, .scenario = "export"},
        {.call = "ftruncate64", .files = true, .scenario = "resize"},
        {.call = "grow", .files = true, .scenario = "resize running"},
        {.call = "engine open", .files = true, .scenario = "start"},
        {.call = "close", .files = true, .scenario = "stop"},
        {.call = "key destroy", .files = true, .scenario = "delete stopped"},
    };
    int failed = 0;
    for (size_t i = 0; i < ARRAY_SIZE(mutations); i++) {
        if (mutations[i].files != m->world->storage->files)
            continue;
        run_all(m, &mutations[i], NULL);
        printf("matrix: without %s: %s after %u cases (%s)\n", mutations[i].call,
               m->broken ? "noticed" : "NOT NOTICED", m->cases, m->broken ? m->scenario->name : "all");
        failed |= !m->broken;
    }
    return failed;
}

/* By the rest of the arguments. */
static int run_asked(struct matrix *m, int argc, char *argv[], const char *one)
{
    if (argc == 2 && streq(argv[1], "--mutations"))
        return run_mutations(m);
    m->memory = argc == 2 && streq(argv[1], "--memory");
    if (one)
        run_one(m, one);
    else
        run_all(m, NULL, argc == 2 && !m->memory ? argv[1] : NULL);
    printf("matrix: %u cases, %u broken\n", m->cases, m->broken);
    return m->broken > 0 || m->cases == 0;
}

int main(int argc, char *argv[])
{
    if (argc == 2 && streq(argv[1], "--list"))
        return list();

    const bool pool = argc > 1 && streq(argv[1], "--pool"), served = argc > 1 && streq(argv[1], "--served");
    const char *one = argc > 2 && streq(argv[argc - 2], "--only") ? argv[argc - 1] : NULL;
    const bool one_of_pool = one && str_starts(one, OF_POOL);
    const struct world_storage *storage = pool || one_of_pool ? &pool_storage
                                          : served            ? &served_storage
                                                              : &lvm_storage;
    argc -= pool || served;
    argv += pool || served;
    struct matrix m = {.bystanders = world_new_over(storage),
                       .before = world_new_over(storage),
                       .world = world_new_over(storage),
                       .part = 1,
                       .parts = 1};
    const bool part = argc > 1 && sscanf(argv[1], "%u/%u", &m.part, &m.parts) == 2;
    argc -= part;
    argv += part;
    make_bystanders(m.bystanders);
    m.next_fd = dup(0);
    close(m.next_fd);
    int failed = run_asked(&m, argc, argv, one_of_pool ? one + strlen(OF_POOL) : one);
    world_free(m.bystanders);
    world_free(m.before);
    world_free(m.world);
    return failed;
}
