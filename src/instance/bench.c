/* SPDX-License-Identifier: Apache-2.0 */
/* mayfly bench: a scratch volume, measured in rounds, each of which has every cell once.
 *
 *     volume (building) | for each round, job, column: lend, measure, close | remove
 *
 * All columns use the same volume in turn: the same extents of the same disks, and other load on the host
 * affects them alike. The volume always says building. So an error removes it, and after a crash recover
 * does, as after a launch that was cut off. Its key exists only for this run.
 */
#include "instance/bench.h"

#include "base/fd.h"
#include "config/cipher.h"
#include "instance/group.h"
#include "instance/model.h"
#include "keys/derive.h"
#include "storage/check.h"
#include "storage/facts.h"

#include <linux/fs.h>
#include <stdio.h>
#include <sys/ioctl.h>

struct round {
    struct benchmark *benchmark;
    unsigned number; /* counted from 0 */
};

struct benchmark {
    const struct bench_request *request;
    struct volume v;
    struct secret *volume_key;
    struct bench_result result;
    struct round *rounds;
    struct bench_figures (*figures)[BENCH_JOBS][BENCH_COLUMNS]; /* of each round */
    unsigned done;                                              /* counted in cells */
};

static void benchmark_free(struct benchmark *b)
{
    secret_free(b->volume_key);
    free(b->rounds);
    free(b->figures);
}

/* --------------------------------------------------------------- the volume */

static int lock(const struct context *c, void *object, struct error *e)
{
    return broker_lock(c->broker, ((struct benchmark *)object)->v.instance, e);
}

static int create(const struct context *c, void *object, struct error *e)
{
    return broker_create(c->broker, &((struct benchmark *)object)->v, e);
}

static int remove_volume(const struct context *c, void *object, struct error *e)
{
    const struct volume *v = &((struct benchmark *)object)->v;
    return broker_remove(c->broker, &v, 1, e);
}

/* ------------------------------------------------------------- measurements */

static enum bench_table table_of(enum bench_column column)
{
    switch (column) {
    case BENCH_OURS:
        return BENCH_TABLE_OURS;
    case BENCH_CRYPTSETUP:
        return BENCH_TABLE_CRYPTSETUP;
    default:
        return BENCH_TABLE_NONE;
    }
}

/* Measures one cell. The caller closes the device, so that its map can be closed after it. */
static int measure_on(const struct context *c, struct benchmark *b, int fd, const struct bench_cell *cell,
                      struct bench_figures *ret, struct error *e)
{
    int sector = 0;
    if (cell->column == BENCH_OURS_USER)
        b->result.sector_bytes[cell->column] = cell->sector_bytes;
    else if (ioctl(fd, BLKSSZGET, &sector) == 0)
        b->result.sector_bytes[cell->column] = (uint32_t)sector;
    return c->bench_measure(fd, cell, ret, e);
}

static int measure(const struct context *c, struct benchmark *b, const struct bench_cell *cell,
                   struct bench_figures *ret, struct error *e)
{
    enum bench_table table = table_of(cell->column);
    struct error why = ERROR_NONE;
    int fd = -1;
    int r = broker_bench(c->broker, &b->v, b->volume_key, table, &fd, e);
    if (r == 0)
        r = measure_on(c, b, fd, cell, ret, e);
    fd_close(fd);
    int closed = table == BENCH_TABLE_NONE ? 0 : broker_close(c->broker, &b->v, SETTLE_NOW, &why);
    return r == 0 && closed < 0 ? error_pass(e, closed, &why) : r;
}

static unsigned cells_a_round(const struct benchmark *b)
{
    unsigned jobs = 0, columns = 0;
    for (unsigned j = 0; j < BENCH_JOBS; j++)
        jobs += bench_wants(b->request->jobs, j);
    for (unsigned c = 0; c < BENCH_COLUMNS; c++)
        columns += bench_has(&b->result, (enum bench_column)c);
    return jobs * columns;
}

static void report_cell(const struct context *c, const struct round *round, const struct bench_cell *cell)
{
    const struct benchmark *b = round->benchmark;
    const struct reporter *reporter = c->reporter;
    report_step(c, "round %u: %s, %s", round->number + 1, cell->job->title, bench_column_name(cell->column));
    if (reporter && reporter->count)
        reporter->count(reporter->data, b->done, cells_a_round(b) * b->request->rounds);
}

/* Tells the broker that we are at work: it would end a connection that is silent for so long. */
static bool cell_stopped(void *context)
{
    return context_stopped(context);
}

/* Runs one job on all kinds of disk, in each round beginning with another kind. */
static int run_job(const struct context *c, const struct round *round, unsigned job, struct error *e)
{
    struct benchmark *b = round->benchmark;
    int r = 0;
    for (unsigned i = 0; r == 0 && i < BENCH_COLUMNS; i++) {
        const struct bench_cell cell = {.job = &bench_jobs[job],
                                        .column = (enum bench_column)((round->number + i) % BENCH_COLUMNS),
                                        .size_bytes = b->v.size_bytes,
                                        .runtime_sec = b->request->runtime_sec,
                                        .volume_key = b->volume_key,
                                        .sector_bytes = b->v.sector_bytes,
                                        .stopped = cell_stopped,
                                        .context = (void *)c};
        if (!bench_has(&b->result, cell.column))
            continue;
        report_cell(c, round, &cell);
        r = measure(c, b, &cell, &b->figures[round->number][job][cell.column], e);
        b->done++;
    }
    return r;
}

static int run_round(const struct context *c, void *object, struct error *e)
{
    const struct round *round = object;
    int r = 0;
    for (unsigned j = 0; r == 0 && j < BENCH_JOBS; j++)
        if (bench_wants(round->benchmark->request->jobs, j))
            r = run_job(c, round, j, e);
    return r;
}

/* Closes what a round left open because closing failed. */
static int run_round_undo(const struct context *c, void *object, struct error *e)
{
    return broker_close(c->broker, &((const struct round *)object)->benchmark->v, SETTLE_NOW, e);
}

/* ------------------------------------------------------------------ medians */

static double median_of(const struct benchmark *b, unsigned job, unsigned column, size_t offset)
{
    double values[BENCH_ROUNDS_MAX];
    for (unsigned i = 0; i < b->request->rounds; i++)
        memcpy(&values[i], (const char *)&b->figures[i][job][column] + offset, sizeof values[i]);
    return bench_median(values, b->request->rounds);
}

static double median_ratio(const struct benchmark *b, unsigned job, unsigned column)
{
    double values[BENCH_ROUNDS_MAX];
    enum bench_column other = bench_compared_with((enum bench_column)column);
    for (unsigned i = 0; i < b->request->rounds; i++) {
        double iops = b->figures[i][job][other].iops;
        values[i] = iops > 0 ? b->figures[i][job][column].iops / iops : 0;
    }
    return bench_median(values, b->request->rounds);
}

static void sum_up(struct benchmark *b)
{
    for (unsigned j = 0; j < BENCH_JOBS; j++)
        for (unsigned c = 0; c < BENCH_COLUMNS; c++) {
#define MEDIAN(field) .field = median_of(b, j, c, offsetof(struct bench_figures, field))
            b->result.figures[j][c] = (struct bench_figures){
                MEDIAN(iops),     MEDIAN(bytes_per_sec), MEDIAN(mean_usec), MEDIAN(p50_usec),
                MEDIAN(p99_usec), MEDIAN(p999_usec),     MEDIAN(cpu_usec)};
#undef MEDIAN
            b->result.ratio[j][c] = median_ratio(b, j, c);
        }
}

/* --------------------------------------------------------------------- plan */

/* Designs the volume like a disk of `size_bytes`. */
static int design_volume(const struct context *c, struct benchmark *b, const struct group *g, struct error *e)
{
    _cleanup_secret_ struct secret *secret = NULL;
    struct volume *v = &b->v;
    struct facts facts;
    v->size_bytes = group_round_up(g, b->request->size_bytes);
    v->state = VOLUME_BUILDING;
    v->scope = KEY_SCOPE_INSTANCE;
    memcpy(v->vg, g->name, sizeof v->vg);
    memcpy(v->name, BENCH_NAME, sizeof BENCH_NAME);
    memcpy(v->role, ROLE_BENCH, sizeof ROLE_BENCH);
    uuid_make(v->instance);
    broker_disk_uuid(c->broker, v->disk);
    snprintf(v->key, sizeof v->key, "ephemeral:%s", v->instance);
    volume_set_lv_name(v);
    facts_of_group(v->vg, 0, &facts);
    choose_encryption(c->config, &facts, v);
    int r = secret_random(v->key_bits / 8, &secret, e);
    if (r == 0)
        r = derive_volume_key(v, secret, &b->volume_key, e);
    return r < 0 ? r : volume_check_value(v, b->volume_key, v->check, e);
}

/* Leaves out what a disk by this configuration cannot have. */
static void check_cipher(struct benchmark *b)
{
    char *why_not = b->result.why_not[BENCH_PAIR_VHOST];
    if (!*why_not && !cipher_is_xts(b->v.cipher))
        snprintf(why_not, BENCH_WHY_MAX, "it cannot serve disks with the cipher %s", b->v.cipher);
}

static int look_up_group(const struct context *c, struct benchmark *b, struct error *e)
{
    _cleanup_inventory_ struct inventory *inventory = NULL;
    const struct group *g = NULL;
    int r = c->bench_look(b->result.why_not, e);
    if (r == 0)
        r = broker_list(c->broker, &inventory, e);
    if (r == 0)
        r = group_find(c->config, inventory, b->request->volume_group, &g, e);
    if (r == 0)
        r = design_volume(c, b, g, e);
    if (r == 0)
        check_cipher(b);
    return r < 0 ? r : group_check_room(g, b->v.size_bytes, 1, e);
}

static int make_plan(struct benchmark *b, struct steps **ret, struct error *e)
{
    _cleanup_steps_ struct steps *p = NULL;
    char size[32];
    unsigned n = b->request->rounds;
    b->rounds = calloc(n, sizeof *b->rounds);
    b->figures = calloc(n, sizeof *b->figures);
    int r = b->rounds && b->figures ? steps_new(&p, e) : error_memory(e);
    if (r == 0)
        r = steps_add(p, lock, NULL, b, e, "lock the scratch volume");
    if (r == 0)
        r = steps_add(p, create, remove_volume, b, e, "make scratch volume %s/%s of %s", b->v.vg, b->v.lv,
                      str_from_bytes(b->v.size_bytes, size, sizeof size));
    for (unsigned i = 0; r == 0 && i < n; i++) {
        b->rounds[i] = (struct round){.benchmark = b, .number = i};
        r = steps_add(p, run_round, run_round_undo, &b->rounds[i], e,
                      "measure, round %u of %u: %u measurements of %u s", i + 1, n, cells_a_round(b),
                      b->request->runtime_sec);
    }
    if (r == 0)
        r = steps_add(p, remove_volume, NULL, b, e, "remove %s/%s", b->v.vg, b->v.lv);
    if (r == 0)
        *ret = TAKE_PTR(p);
    return r;
}

int instance_bench(const struct context *c, const struct bench_request *request, struct bench_result *ret,
                   struct steps **ret_plan, struct error *e)
{
    _cleanup_(benchmark_free) struct benchmark b = {.request = request};
    _cleanup_steps_ struct steps *plan = NULL;
    int r = look_up_group(c, &b, e);
    if (r == 0)
        r = make_plan(&b, &plan, e);
    if (r == 0 && !request->dry_run)
        r = steps_run(plan, c, e);
    if (r < 0)
        return r;
    sum_up(&b);
    *ret = b.result;
    memcpy(ret->vg, b.v.vg, sizeof ret->vg);
    ret->size_bytes = b.v.size_bytes;
    ret->runtime_sec = request->runtime_sec;
    ret->rounds = request->rounds;
    ret->jobs = request->jobs;
    steps_hand_over(&plan, ret_plan);
    return 0;
}
