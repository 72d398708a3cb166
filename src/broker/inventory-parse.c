/* SPDX-License-Identifier: Apache-2.0 */
/* LVM's report, read without privilege. See inventory.h.
 *
 *     {"report":[{"lv":[{"lv_name":"...", ...}]}]}     of lvs; all values are strings
 *     {"report":[{"vg":[{"vg_name":"...", ...}]}]}     of vgs, on groups without our volumes
 *
 * A row of lvs has fields of its group too. json-c parses one row at a time, since a tree takes several times
 * the memory of its text.
 *
 * Anyone who may run lvchange can write tags. A volume whose tags are damaged is put among the damaged ones,
 * never among the volumes. A row may also describe somebody's snapshot of one of our volumes.
 */
#include "broker/inventory-rows.h"

#include <limits.h>

#define JSON_DEPTH 16

DEFINE_CLEANUP(json_tokener *, json_tokener_free)
#define _cleanup_tokener_ _cleanup_(json_tokener_freep)

/* The text that is not read yet. */
struct reader {
    const char *at, *end;
    json_tokener *tokener;
    bool seen_lvs;
    struct lv_rows rows;
};

static bool at_end(struct reader *t)
{
    while (t->at < t->end && strchr(" \t\r\n", *t->at) && *t->at)
        t->at++;
    return t->at == t->end;
}

static bool take(struct reader *t, char c)
{
    bool there = !at_end(t) && *t->at == c;
    t->at += there;
    return there;
}

static bool take_name(struct reader *t, const char *name)
{
    size_t length = strlen(name);
    if (!take(t, '"') || (size_t)(t->end - t->at) <= length || memcmp(t->at, name, length) != 0 ||
        t->at[length] != '"')
        return false;
    t->at += length + 1;
    return take(t, ':');
}

/* Takes the next value. *ret may become NULL; the caller releases it by json_object_put(). */
static int take_value(struct reader *t, json_object **ret, struct error *e)
{
    if (t->end - t->at > INT_MAX)
        return lvm_report_refused(e, "too long");
    json_tokener_reset(t->tokener);
    json_object *value = json_tokener_parse_ex(t->tokener, t->at, (int)(t->end - t->at));
    enum json_tokener_error why = json_tokener_get_error(t->tokener);
    if (why != json_tokener_success)
        return lvm_report_refused(e, why == json_tokener_continue ? "it is cut off"
                                                                  : json_tokener_error_desc(why));
    t->at += json_tokener_get_parse_end(t->tokener);
    *ret = value;
    return 0;
}

static int take_rows(struct reader *t, struct inventory *i, bool of_lvs, struct error *e)
{
    if (!take(t, '['))
        return lvm_report_refused(e, "it lacks a table");
    if (take(t, ']'))
        return 0;
    do {
        _cleanup_json_ json_object *row = NULL;
        int r = take_value(t, &row, e);
        if (r == 0)
            r = inventory_add_row(i, &t->rows, of_lvs, row, e);
        if (r < 0)
            return r;
    } while (take(t, ','));
    return take(t, ']') ? 0 : lvm_report_refused(e, "its table is truncated");
}

/* Takes the reports of a document: one or more, each with one table. */
static int take_reports(struct reader *t, struct inventory *i, struct error *e)
{
    do {
        bool of_lvs = false;
        if (!take(t, '{'))
            return lvm_report_refused(e, "it has no report");
        const char *name = t->at;
        of_lvs = take_name(t, "lv");
        if (!of_lvs)
            t->at = name;
        if (!of_lvs && !take_name(t, "vg"))
            return lvm_report_refused(e, "it lacks a table");
        t->seen_lvs |= of_lvs;
        int r = take_rows(t, i, of_lvs, e);
        if (r < 0)
            return r;
        if (!take(t, '}'))
            return lvm_report_refused(e, "a report in it is truncated");
    } while (take(t, ','));
    return 0;
}

/* Takes a document, without its log, which is for the broker. */
static int take_document(struct reader *t, struct inventory *i, struct error *e)
{
    _cleanup_json_ json_object *log = NULL;
    if (!take(t, '{') || !take_name(t, "report") || !take(t, '['))
        return lvm_report_refused(e, "it has no report");
    int r = take_reports(t, i, e);
    if (r == 0 && !take(t, ']'))
        r = lvm_report_refused(e, "its list of reports is truncated");
    if (r == 0 && take(t, ',') && take_name(t, "log"))
        r = take_value(t, &log, e);
    if (r == 0 && !take(t, '}'))
        r = lvm_report_refused(e, "it is truncated");
    return r;
}

static int parse_documents(const char *json, size_t size, struct inventory *i, struct error *e)
{
    _cleanup_tokener_ json_tokener *tokener = json_tokener_new_ex(JSON_DEPTH);
    struct reader t = {.at = json, .end = json + size, .tokener = tokener};
    int r = tokener ? 0 : error_memory(e);
    while (r == 0 && !at_end(&t))
        r = take_document(&t, i, e);
    if (r == 0 && !t.seen_lvs)
        r = lvm_report_refused(e, "it has no volumes");
    if (r == 0)
        r = inventory_note_dependents(i, &t.rows, e);
    free(t.rows.row);
    return r;
}

static int take_maps(const struct map *maps, size_t n_maps, struct inventory *i, struct error *e)
{
    i->maps = calloc(n_maps + 1, sizeof *i->maps);
    if (!i->maps)
        return error_memory(e);
    if (n_maps)
        memcpy(i->maps, maps, n_maps * sizeof *maps);
    i->n_maps = n_maps;
    return 0;
}

int inventory_parse(const char *json, size_t size, const struct map *maps, size_t n_maps,
                    struct inventory **ret, struct error *e)
{
    _cleanup_inventory_ struct inventory *i = calloc(1, sizeof *i);
    if (!i)
        return error_memory(e);
    int r = parse_documents(json, size, i, e);
    if (r == 0)
        r = take_maps(maps, n_maps, i, e);
    if (r < 0)
        return r;
    inventory_sort(i);
    *ret = TAKE_PTR(i);
    return 0;
}
