/* SPDX-License-Identifier: Apache-2.0 */
/* mayfly bench: prints what encryption costs on this host, as a table, JSON or chart. */
#include "cli/json.h"
#include "cli/plan.h"
#include "cli/session.h"
#include "cli/svg-chart.h"
#include "cli/table.h"
#include "cli/verb.h"
#include "instance/bench.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#define MIB (1 << 20)

struct bench_options {
    struct bench_request request;
    const char *plot_path; /* NULL: none */
};

CLI_TEXT(set_volume_group, struct bench_options, request.volume_group)
CLI_TEXT(set_plot, struct bench_options, plot_path)
CLI_FLAG(set_dry_run, struct bench_options, request.dry_run)

static int parse_number(const char *value, unsigned most, unsigned *ret, struct error *e)
{
    uint64_t number = 0;
    if (str_to_u64(value, &number) < 0 || number < 1 || number > most)
        return error_set(e, -EINVAL, "'%s' is not a number from 1 to %u", value, most);
    *ret = (unsigned)number;
    return 0;
}

static int set_runtime(void *target, const char *value, struct error *e)
{
    return parse_number(value, 3600, &((struct bench_options *)target)->request.runtime_sec, e);
}

static int set_rounds(void *target, const char *value, struct error *e)
{
    return parse_number(value, BENCH_ROUNDS_MAX, &((struct bench_options *)target)->request.rounds, e);
}

static int set_size(void *target, const char *value, struct error *e)
{
    uint64_t *size = &((struct bench_options *)target)->request.size_bytes;
    int r = cli_parse_size(value, size, e);
    if (r == 0 && *size < BENCH_SIZE_MIN)
        r = error_set(e, -EINVAL, "'%s' is too small a scratch volume; use at least 16M", value);
    return r;
}

static int set_job(void *target, const char *value, struct error *e)
{
    for (unsigned j = 0; j < BENCH_JOBS; j++)
        if (streq(bench_jobs[j].name, value)) {
            ((struct bench_options *)target)->request.jobs |= 1U << j;
            return 0;
        }
    return error_set(e, -EINVAL, "there is no job '%s'; see mayfly-bench(1)", value);
}

static const struct cli_option bench_options[] = {
    {"volume-group", 0, "VG", "where to make the scratch volume; default: the first configured",
     set_volume_group},
    {"size", 0, "SIZE", "of the scratch volume; default: 1G", set_size},
    {"runtime", 0, "SECONDS", "of each measurement; default: 3", set_runtime},
    {"rounds", 0, "N", "how often each is repeated, in turn; default: 3", set_rounds},
    {"job", 0, "NAME", "only this one, such as read-4k-qd1; may be repeated", set_job},
    {"plot", 0, "FILE", "draw a chart (SVG)", set_plot},
    {"dry-run", 0, NULL, "print what would be done", set_dry_run},
    {0},
};

/* ---------------------------------------------------------------- the table */

static bool has_cell(const struct bench_result *b, unsigned job, unsigned column)
{
    return bench_wants(b->jobs, job) && bench_has(b, (enum bench_column)column);
}

/* Writes "0.86 of raw"; empty for the column that others are compared with. */
#define RATIO_MAX 48
static void ratio_text(const struct bench_result *b, unsigned job, unsigned column, char field[RATIO_MAX])
{
    enum bench_column other = bench_compared_with((enum bench_column)column);
    field[0] = '\0';
    if (other != column)
        snprintf(field, RATIO_MAX, "%.2f of %s", b->ratio[job][column], bench_column_name(other));
}

static int add_row(struct table *t, const struct bench_result *b, unsigned job, unsigned column,
                   struct error *e)
{
    const struct bench_figures *f = &b->figures[job][column];
    char iops[32], rate[32], p50[32], p99[32], cpu[32], ratio[RATIO_MAX];
    snprintf(iops, sizeof iops, "%.0f", f->iops);
    snprintf(rate, sizeof rate, "%.1f", f->bytes_per_sec / MIB);
    snprintf(p50, sizeof p50, "%.1f", f->p50_usec);
    snprintf(p99, sizeof p99, "%.1f", f->p99_usec);
    snprintf(cpu, sizeof cpu, "%.1f", f->cpu_usec);
    ratio_text(b, job, column, ratio);
    return table_row(t, e, bench_jobs[job].title, bench_column_name((enum bench_column)column), iops, rate,
                     p50, p99, cpu, ratio);
}

static int print_table(const struct bench_result *b, struct error *e)
{
    _cleanup_table_ struct table t =
        TABLE("Job", "Disk", "IOPS", "MiB/s", "p50 us", "p99 us", "CPU us/IO", "Ratio");
    int r = 0;
    for (unsigned j = 0; r == 0 && j < BENCH_JOBS; j++)
        for (unsigned c = 0; r == 0 && c < BENCH_COLUMNS; c++)
            if (has_cell(b, j, c))
                r = add_row(&t, b, j, c, e);
    if (r < 0)
        return r;
    table_print(&t);
    printf("\nMedians of %u rounds of %u s. CPU: of the whole host. Sectors of %u bytes (mayfly), %u "
           "(cryptsetup).\n",
           b->rounds, b->runtime_sec, b->sector_bytes[BENCH_OURS], b->sector_bytes[BENCH_CRYPTSETUP]);
    for (unsigned p = 0; p < BENCH_PAIRS; p++)
        if (b->why_not[p][0])
            printf("%s was not measured: %s.\n", bench_pair_title((enum bench_pair)p), b->why_not[p]);
    return 0;
}

/* --------------------------------------------------------------------- JSON */

static bool put_number(struct json_object *object, const char *name, double number)
{
    char text[40];
    snprintf(text, sizeof text, "%.3f", number);
    return json_put(object, name, json_object_new_double_s(number, text));
}

static struct json_object *json_cell(const struct bench_result *b, unsigned job, unsigned column)
{
    const struct bench_figures *f = &b->figures[job][column];
    enum bench_column other = bench_compared_with((enum bench_column)column);
    struct json_object *cell = json_object_new_object();
    bool whole = json_put_text(cell, "job", bench_jobs[job].name) &&
                 json_put_text(cell, "disk", bench_column_name((enum bench_column)column)) &&
                 put_number(cell, "iops", f->iops) && put_number(cell, "bytes_per_sec", f->bytes_per_sec) &&
                 put_number(cell, "latency_mean_usec", f->mean_usec) &&
                 put_number(cell, "latency_p50_usec", f->p50_usec) &&
                 put_number(cell, "latency_p99_usec", f->p99_usec) &&
                 put_number(cell, "latency_p99_9_usec", f->p999_usec) &&
                 put_number(cell, "cpu_usec_per_io", f->cpu_usec) &&
                 (other == column || (json_put_text(cell, "compared_with", bench_column_name(other)) &&
                                      put_number(cell, "ratio", b->ratio[job][column])));
    return json_whole(cell, whole);
}

static struct json_object *json_column(const struct bench_result *b, enum bench_column column)
{
    struct json_object *object = json_object_new_object();
    bool whole =
        json_put_text(object, "name", bench_column_name(column)) &&
        json_put_bool(object, "measured", bench_has(b, column)) &&
        (!b->sector_bytes[column] || json_put_u64(object, "sector_bytes", b->sector_bytes[column])) &&
        (bench_has(b, column) || json_put_text(object, "why_not", b->why_not[bench_pair_of(column)]));
    return json_whole(object, whole);
}

static int print_json(struct globals *g, const struct bench_result *b, struct error *e)
{
    struct json_object *document = json_changed(g, false), *bench = json_object_new_object(),
                       *columns = json_object_new_array(), *cells = json_object_new_array();
    bool whole = columns && cells && json_put_text(bench, "volume_group", b->vg) &&
                 json_put_u64(bench, "size_bytes", b->size_bytes) &&
                 json_put_u64(bench, "runtime_sec", b->runtime_sec) &&
                 json_put_u64(bench, "rounds", b->rounds);
    for (unsigned c = 0; whole && c < BENCH_COLUMNS; c++)
        whole = json_append(columns, json_column(b, (enum bench_column)c));
    for (unsigned j = 0; whole && j < BENCH_JOBS; j++)
        for (unsigned c = 0; whole && c < BENCH_COLUMNS; c++)
            if (has_cell(b, j, c))
                whole = json_append(cells, json_cell(b, j, c));
    whole = json_put(bench, "disks", columns) && whole;
    whole = json_put(bench, "cells", cells) && whole;
    whole = json_put(document, "bench", bench) && whole;
    return json_give(g, document, whole, e);
}

/* -------------------------------------------------------------------- chart */

static struct chart_bar bar_of(const struct bench_result *b, unsigned job, unsigned column, char text[96])
{
    static const char *const colours[BENCH_COLUMNS] = {"#8a8f98", "#1f9d6b", "#d98e04", "#8a8f98",
                                                       "#c2453d", "#8a8f98", "#14724e"};
    const struct bench_figures *f = &b->figures[job][column], *raw = &b->figures[job][BENCH_RAW];
    char ratio[RATIO_MAX];
    ratio_text(b, job, column, ratio);
    snprintf(text, 96, "%.0f IOPS, %.1f MiB/s%s%s", f->iops, f->bytes_per_sec / MIB, *ratio ? ", " : "",
             ratio);
    return (struct chart_bar){.group = bench_jobs[job].title,
                              .name = bench_column_name((enum bench_column)column),
                              .text = text,
                              .colour = colours[column],
                              .length = raw->iops > 0 ? f->iops / raw->iops : 0};
}

static int plot(const struct bench_result *b, FILE *file, struct error *e)
{
    struct chart_bar bars[BENCH_JOBS * BENCH_COLUMNS];
    char texts[BENCH_JOBS * BENCH_COLUMNS][96], title[96];
    size_t n = 0;
    for (unsigned j = 0; j < BENCH_JOBS; j++)
        for (unsigned c = 0; c < BENCH_COLUMNS; c++)
            if (has_cell(b, j, c)) {
                bars[n] = bar_of(b, j, c, texts[n]);
                n++;
            }
    snprintf(title, sizeof title, "mayfly bench: IOPS as a part of the raw volume's (%u rounds of %u s)",
             b->rounds, b->runtime_sec);
    return chart_write(file, title, bars, n, e);
}

/* Opens the file with the caller's rights, and before the measurements: a wrong path fails at once. The file
 * keeps its contents until there is a chart to write. */
static int open_plot(const struct bench_options *o, FILE **ret, struct error *e)
{
    if (!o->plot_path || o->request.dry_run)
        return 0;
    int fd = open(o->plot_path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
    *ret = fd < 0 ? NULL : fdopen(fd, "w");
    return *ret ? 0 : error_set(e, errno, "%s: cannot be written: %m", o->plot_path);
}

static int close_plot(FILE *file, const char *path, int r, struct error *e)
{
    if (!file)
        return r;
    bool failed = ferror(file) != 0;
    if ((fclose(file) != 0 || failed) && r == 0)
        r = error_set(e, -EIO, "%s: cannot be written: %m", path);
    return r;
}

static int print_result(struct globals *g, const struct bench_result *b, FILE *file, struct error *e)
{
    int r = 0;
    if (file)
        r = ftruncate(fileno(file), 0) < 0 ? error_set(e, errno, "chart: cannot be written: %m")
                                           : plot(b, file, e);
    if (r == 0)
        r = g->json ? print_json(g, b, e) : print_table(b, e);
    return r;
}

int verb_bench(const struct verb *self, struct globals *g, int argc, char **argv, struct error *e)
{
    struct bench_options o = {.request = {.size_bytes = UINT64_C(1) << 30, .runtime_sec = 3, .rounds = 3}};
    struct bench_result result;
    _cleanup_session_ struct session *s = NULL;
    _cleanup_steps_ struct steps *plan = NULL;
    FILE *file = NULL;
    int n = 0;
    int r = verb_parse(self, g, bench_options, &o, argc, argv, 0, 0, &n, e);
    if (r != 0)
        return r;
    r = open_plot(&o, &file, e);
    if (r == 0)
        r = session_open(g, SESSION_VIRT_NONE, &s, e);
    if (r == 0)
        r = instance_bench(&s->context, &o.request, &result, o.request.dry_run ? &plan : NULL, e);
    if (s)
        progress_end(&s->progress);
    if (r == 0)
        r = o.request.dry_run ? print_plan(g, plan, e) : print_result(g, &result, file, e);
    return close_plot(file, o.plot_path, r, e);
}
