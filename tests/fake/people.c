/* SPDX-License-Identifier: Apache-2.0 */
/* The matrix of people: an operation is at work, and between any two of its calls somebody does something to
 * its instance without Mayfly.
 *
 *     operation: call 1 | call 2 | ... | call N      somebody acts before call K, for each K
 *         -> no key is gone whose volume is ready; what the person did is still there
 *         -> an error names the instance
 *         -> the person lets go; recover leaves nothing half done, and a second one finds nothing to do
 *
 * Who acts is chosen for each operation. Prints "people: N cases, 0 broken"; `people rebuild` runs the
 * scenarios whose names begin so.
 */
#include "people.h"
#include "matrix.h"

#include <stdio.h>
#include <unistd.h>

#define BROKEN_SHOWN 30

static struct matrix m;
static const struct person *acting; /* in the present case */
static struct host acted;           /* the host right after */
static bool has_acted;
static struct error operation; /* what it said */
static unsigned cases, broken;

static void case_is_broken(const char *scenario, unsigned at, const char *call, const char *why)
{
    if (broken++ < BROKEN_SHOWN)
        printf("people: BROKEN: %s: somebody is to %s before call %u (%s): %s\n", scenario, acting->name, at,
               call, why);
}

static void act(struct world *w)
{
    has_acted = acting->act(w);
    acted = w->host;
}

static const struct scenario *find_scenario(const char *name)
{
    const struct {
        const struct scenario *scenarios;
        size_t n;
    } tables[] = {
        {scenarios, n_scenarios}, {disk_scenarios, n_disk_scenarios}, {rescue_scenarios, n_rescue_scenarios}};
    for (size_t t = 0; t < ARRAY_SIZE(tables); t++)
        for (size_t i = 0; i < tables[t].n; i++)
            if (streq(tables[t].scenarios[i].name, name))
                return &tables[t].scenarios[i];
    abort();
}

/* Somebody's own work is never undone, and nothing is left half done. */
static const char *check_recovered(const struct scenario *s)
{
    static char why[700];
    struct error e = ERROR_NONE;
    char found[200] = "";
    static struct host before;
    world_revive(m.world);
    if (acting->leave)
        acting->leave(m.world);
    int r = case_recover(&m, &e);
    if (r < 0 && r != -ENEEDSRECOVER) {
        snprintf(why, sizeof why, "recover: %.600s", e.text);
        return why;
    }
    before = m.world->host;
    e = ERROR_NONE;
    (void)!case_recover(&m, &e);
    (void)s;
    if (memcmp(&before, &m.world->host, sizeof before) != 0)
        return "the second recover found something to do";
    if (!people_invariants_hold(&m.world->host, found) ||
        !bystanders_untouched(&m.others, &m.world->host, found)) {
        snprintf(why, sizeof why, "after recover: %s (the operation: %.400s)", found, operation.text);
        return why;
    }
    return NULL;
}

static const char *check(const struct scenario *s, int r, const struct error *e)
{
    static char why[700];
    char found[200] = "";
    const char *names[] = {"t", "somebody's"};
    bool named = r == 0;
    for (size_t i = 0; i < ARRAY_SIZE(names) && !named; i++) {
        char instance[64], domain[64];
        snprintf(instance, sizeof instance, "instance %s", names[i]);
        snprintf(domain, sizeof domain, "domain %s", names[i]);
        named = strstr(e->text, instance) || strstr(e->text, domain) || strstr(e->text, people_uuid(m.world));
    }
    if (!named)
        snprintf(why, sizeof why, "the error does not say whose it is: %.500s", e->text);
    else if (m.world->violation[0])
        snprintf(why, sizeof why, "%s", m.world->violation);
    else if (!people_keys_kept(&m.world->host, found))
        snprintf(why, sizeof why, "%s", found);
    else if (has_acted && acting->kept && !acting->kept(&acted, m.world, found))
        snprintf(why, sizeof why, "%s (%d: %.400s)", found, r, r < 0 ? e->text : "it went well");
    else
        return check_recovered(s);
    return why;
}

/* False: the operation has no such call. */
static bool one_case(const struct scenario *s, unsigned at)
{
    struct error e = ERROR_NONE;
    m.others = m.bystanders->host;
    case_set_world(&m, m.before);
    m.world->person.act = act;
    m.world->person.at = at;
    has_acted = false;
    int r = case_act(&m, s->operate, &e);
    const char *call = m.world->person.call;
    m.world->person.act = NULL;
    if (m.world->calls < at)
        return false;
    if (!has_acted) /* there was nothing for this person to do then */
        return true;
    cases++;
    operation = e;
    const char *why = check(s, r, &e);
    if (why)
        case_is_broken(s->name, at, call ? call : "-", why);
    return true;
}

int main(int argc, char *argv[])
{
    m = (struct matrix){.bystanders = world_new(), .before = world_new(), .world = world_new()};
    make_bystanders(m.bystanders);
    m.next_fd = dup(0);
    close(m.next_fd);
    for (size_t i = 0; i < n_people_rows; i++) {
        const struct people_row *row = &people_rows[i];
        if (argc == 2 && !str_starts(row->scenario, argv[1]))
            continue;
        m.scenario = find_scenario(row->scenario);
        case_set_world(&m, m.bystanders);
        scenario_prepare(m.scenario, m.world);
        *m.before = *m.world;
        for (size_t p = 0; p < ARRAY_SIZE(row->people) && row->people[p]; p++) {
            acting = row->people[p];
            for (unsigned at = 1; one_case(m.scenario, at); at++)
                ;
        }
    }
    printf("people: %u cases, %u broken\n", cases, broken);
    world_free(m.bystanders);
    world_free(m.before);
    world_free(m.world);
    return broken > 0;
}
