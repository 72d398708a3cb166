/* SPDX-License-Identifier: Apache-2.0 */
/* One case of the matrix: processes that act on the world, what a crash leaves, and what is looked at after.
 */
#include "matrix.h"

#include <stdio.h>
#include <unistd.h>

#define BROKEN_SHOWN 20
#define OUTCOME_MAX  32

void case_broken(struct matrix *m, const char *why)
{
    if (m->broken++ < BROKEN_SHOWN && !m->mutation)
        printf("matrix: BROKEN: %s: %s: %s\n", m->scenario->name, m->label, why);
}

/* What the last run of recover told. */
static struct recovered_lines {
    struct recovered done[OUTCOME_MAX];
    size_t n, remains;
} lines;

static int recover(struct fake *f, bool dry_run, struct error *e)
{
    _cleanup_free_ struct recovered *done = NULL;
    size_t n = 0;
    int r = instance_recover(&f->context, dry_run ? RECOVER_DRY_RUN : 0, &done, &n, e);
    if (n > OUTCOME_MAX)
        abort();
    lines = (struct recovered_lines){.n = n};
    for (size_t i = 0; i < n; i++) {
        lines.done[i] = done[i];
        lines.remains += done[i].kind == RECOVER_REMAINS;
    }
    return r;
}

static int operate_recover(struct fake *f, struct error *e)
{
    return recover(f, false, e);
}

static int operate_dry_run(struct fake *f, struct error *e)
{
    return recover(f, true, e);
}

static int operate_not(struct fake *f, struct error *e)
{
    (void)f, (void)e;
    return 0;
}

int case_act(struct matrix *m, int (*operate)(struct fake *, struct error *), struct error *e)
{
    const struct mutation *mutation = m->mutation;
    struct fake f;
    fake_begin(&f, m->world);
    if (m->scenario->tune)
        m->scenario->tune(&f.config);
    if (mutation)
        m->world->without = mutation->recover_does && operate == operate_recover ? NULL : mutation->call;
    int r = operate(&f, e);
    fake_end(&f);
    return r;
}

int case_recover(struct matrix *m, struct error *e)
{
    if (m->mutation && streq(m->mutation->call, "recover"))
        return 0;
    return case_act(m, operate_recover, e);
}

void case_set_world(struct matrix *m, const struct world *to)
{
    world_become(m->world, to);
    m->world->calls = m->world->break_at = 0;
    m->world->virt_broken = false;
    m->world->hit = NULL;
}

void case_come_back(struct matrix *m, bool reboot)
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
        case_broken(m, m->world->violation);
    else if (next_fd != m->next_fd)
        case_broken(m, "a descriptor is left open");
    m->next_fd = next_fd;
}

/* A dry run changes nothing, and tells what recover then does. Whoever opens a pool of files removes empty
 * folders: before it somebody does. */
static void check_dry_run(struct matrix *m, struct recovered_lines *ret_told)
{
    static struct host before;
    struct error e = ERROR_NONE;
    (void)!case_act(m, operate_not, &e);
    before = m->world->host;
    bool acts = m->mutation && streq(m->mutation->call, "dry run");
    (void)!case_act(m, acts ? operate_recover : operate_dry_run, &e);
    if (memcmp(&before, &m->world->host, sizeof before) != 0)
        case_broken(m, "a dry run has changed something");
    *ret_told = lines;
}

static bool same_lines(const struct recovered_lines *a, const struct recovered_lines *b)
{
    bool same = a->n == b->n;
    for (size_t i = 0; same && i < a->n; i++)
        same = a->done[i].kind == b->done[i].kind && a->done[i].fault == b->done[i].fault &&
               streq(a->done[i].object, b->done[i].object);
    return same;
}

void case_check_recovered(struct matrix *m)
{
    static struct recovered_lines told;
    struct error e = ERROR_NONE;
    char why[200] = "";
    size_t lost = 0;
    bool dry_run = !m->mutation || streq(m->mutation->call, "dry run");
    if (dry_run)
        check_dry_run(m, &told);
    for (int again = 0; again < 2; again++) {
        e = ERROR_NONE;
        lines = (struct recovered_lines){.n = 0};
        int r = case_recover(m, &e);
        if (dry_run && !again && !same_lines(&told, &lines)) {
            case_broken(m, "recover did something else than its dry run had told");
            return;
        }
        lost = only_told(&m->world->host);
        if (r < 0 && (r != -ENEEDSRECOVER || lines.remains != lost)) {
            case_broken(m, e.text);
            return;
        }
        if (again && lines.n != lines.remains) {
            case_broken(m, "the second recover found something to do");
            return;
        }
    }
    bool as_done = m->went_well && m->scenario->promise != UNFINISHED;
    if ((as_done && !amount_is(&m->others, &m->world->host, &m->scenario->done, why)) ||
        !invariants_hold(&m->world->host, why) || !bystanders_untouched(&m->others, &m->world->host, why))
        case_broken(m, why);
    else
        check_rules(m);
}

/* A delete or a remove-disk has begun. */
static bool turned(const struct host *before, const struct host *now)
{
    bool doomed = now->n_volumes < before->n_volumes;
    for (size_t i = 0; i < now->n_volumes; i++)
        doomed = doomed || now->volumes[i].v.state == VOLUME_DOOMED;
    return doomed;
}

void case_check_operation(struct matrix *m, int r, bool crashed, bool second)
{
    char why[200] = "";
    if (crashed && r == 0 && !m->world->crashed_late)
        case_broken(m, "it crashed, and said that it went well");
    else if (r == 0 && !second && !amount_is(&m->others, &m->world->host, &m->scenario->done, why))
        case_broken(m, why);
    else if (r < 0 && !crashed && !second &&
             (m->scenario->promise == UNDONE ||
              (m->scenario->promise == TURNING && !turned(&m->before->host, &m->world->host))) &&
             !hosts_equal(&m->before->host, &m->world->host, why))
        case_broken(m, why);
}
