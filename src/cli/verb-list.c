/* SPDX-License-Identifier: Apache-2.0 */
/* mayfly list: the instances that have Mayfly's volumes, or some of these instances, one line each. */
#include "cli/findings.h"
#include "cli/json.h"
#include "cli/list-filter.h"
#include "cli/session.h"
#include "cli/verb.h"
#include "instance/doubt.h"

struct list_options {
    struct list_filter filter;
    struct list_choice choice;
    bool columns_chosen;
    bool tell_columns;
    bool no_headings;
};

static int set_output(void *target, const char *value, struct error *e)
{
    struct list_options *o = target;
    o->tell_columns = streq(value, "help");
    o->columns_chosen = true;
    return o->tell_columns ? 0 : list_choose(&o->choice, value, e);
}

static int set_sort(void *target, const char *value, struct error *e)
{
    return list_choose_sort(&((struct list_options *)target)->choice, value, e);
}

CLI_TEXT(set_states, struct list_options, filter.states)
CLI_TEXT(set_volume_group, struct list_options, filter.volume_group)
CLI_FLAG(set_no_headings, struct list_options, no_headings)
CLI_FLAG(set_bytes, struct list_options, choice.bytes)
static const struct cli_option list_options[] = {
    {"state", 0, "STATE[,STATE]...", "only those in one of these states", set_states},
    {"volume-group", 0, "VG", "only those with a disk in this volume group", set_volume_group},
    {"output", 'o', "[+]COLUMN[,COLUMN]...", "print these columns; help: list all columns", set_output},
    {"sort", 0, "[-]COLUMN", "sort by this column, with - descending; default: by name", set_sort},
    {"noheadings", 'n', NULL, "do not print the headings", set_no_headings},
    {"bytes", 'b', NULL, "print sizes in bytes", set_bytes},
    {0},
};

static void look_at_all(const struct context *c, const struct model *m, const struct survey *survey,
                        struct list_row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        _cleanup_drift_ struct drift drift = {.n = 0};
        findings_look(c, m, survey, rows[i].instance, &drift);
        findings_names(&drift, rows[i].findings, sizeof rows[i].findings);
    }
}

static int print_table(const struct list_options *o, const struct list_row *rows, size_t n, struct error *e)
{
    _cleanup_table_ struct table t = {.bare = o->no_headings};
    int r = list_fill(&o->choice, rows, n, &t, e);
    if (r == 0)
        table_print(&t);
    return r;
}

static struct json_object *json_row(const struct context *c, const struct survey *survey,
                                    const struct list_row *row)
{
    _cleanup_drift_ struct drift drift = {.n = 0};
    struct json_object *instance = json_instance(row->model, row->instance);
    findings_look(c, row->model, survey, row->instance, &drift);
    return json_whole(instance, json_put_addresses(instance, &row->addresses) &&
                                    json_put_nova(instance, row->nova) &&
                                    json_put(instance, "findings", findings_json(&drift)));
}

static int print_json(struct globals *g, const struct context *c, const struct survey *survey,
                      const struct list_row *rows, size_t n, struct error *e)
{
    int r = 0;
    json_list_begin(g, "instances");
    for (size_t i = 0; r == 0 && i < n; i++)
        r = json_list_item(i, json_row(c, survey, &rows[i]), e);
    json_list_end(n);
    return r;
}

static void warn_of_damage(const struct session *s, const struct model *m)
{
    for (size_t i = 0; i < m->inventory->n_damaged; i++) {
        const struct damaged_volume *d = &m->inventory->damaged[i];
        report_warning(&s->context, "volume %s/%s has Mayfly's tags, but is left alone: %s", d->vg, d->lv,
                       d->reason.text);
    }
}

/* Warns of groups that LVM cannot see as a whole, and of each damaged volume. */
static void warn_of_doubt(const struct session *s, const struct model *m)
{
    const struct config *c = s->context.config;
    for (size_t i = 0; m->inventory->n_damaged == 0 && i < c->volume_groups.n; i++) {
        struct error why = ERROR_NONE;
        if (doubt_of_group(m->inventory, c->volume_groups.item[i], &why) < 0)
            report_warning(&s->context,
                           "the list may be incomplete, so keys that seem unused are not destroyed: %s",
                           why.text);
    }
}

/* Prints the list. Asks each domain for findings and Nova's names only if they are printed. */
static int print_list(const struct context *c, const struct model *m, const struct list_options *o,
                      struct globals *g, struct list_row *rows, size_t n, struct error *e)
{
    _cleanup_survey_ struct survey survey = {.n_uses = 0};
    bool findings = list_wants_findings(&o->choice);
    bool nova = list_wants_nova(&o->choice);
    if (findings || nova || g->json)
        findings_survey(c, &survey);
    for (size_t i = 0; (nova || g->json) && i < n; i++)
        rows[i].nova = survey_nova(&survey, rows[i].instance->uuid);
    if (findings && !g->json)
        look_at_all(c, m, &survey, rows, n);
    for (size_t i = 0; (list_wants_addresses(&o->choice) || g->json) && i < n; i++)
        addresses_look(c, rows[i].instance, false, &rows[i].addresses);
    list_sort(&o->choice, rows, n);
    return g->json ? print_json(g, c, &survey, rows, n, e) : print_table(o, rows, n, e);
}

static int check_options(const struct list_options *o, const struct globals *g, struct error *e)
{
    int r = list_check_states(o->filter.states, e);
    if (r == 0 && g->json && o->columns_chosen)
        return error_set(e, -EINVAL,
                         "list: --output chooses columns of the table, and JSON always has all fields; leave "
                         "out --output");
    return r;
}

int verb_list(const struct verb *self, struct globals *g, int argc, char **argv, struct error *e)
{
    struct list_options o = {.tell_columns = false};
    int n = 0;
    list_choice_default(&o.choice);
    int r = verb_parse(self, g, list_options, &o, argc, argv, 0, argc, &n, e);
    if (r == 0)
        r = check_options(&o, g, e);
    if (r != 0)
        return r;
    o.filter.patterns = argv + 1;
    o.filter.n_patterns = n;
    if (o.tell_columns) {
        list_print_columns();
        return 0;
    }
    _cleanup_session_ struct session *s = NULL;
    _cleanup_model_ struct model *m = NULL;
    _cleanup_free_ struct list_row *rows = NULL;
    size_t n_rows = 0;
    r = session_open(g, SESSION_VIRT_WANTED, &s, e);
    if (r == 0)
        r = list_check_group(s->context.config, o.filter.volume_group, e);
    if (r == 0)
        r = model_load(&s->context, &m, e);
    if (r < 0)
        return r;
    warn_of_damage(s, m);
    warn_of_doubt(s, m);
    r = list_filter(m, &o.filter, &rows, &n_rows, e);
    return r < 0 ? r : print_list(&s->context, m, &o, g, rows, n_rows, e);
}
