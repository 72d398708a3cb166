/* SPDX-License-Identifier: Apache-2.0 */
/* LVM's report, read without privilege. See inventory.h.
 *
 *     {"report":[{"vg":[{"vg_name":"...", ...}]}], "log":[...]}     of vgs
 *     {"report":[{"lv":[{"lv_name":"...", ...}]}], "log":[...]}     of lvs; all values are strings
 *
 * Tags can be written by anyone who may run lvchange: a volume whose tags cannot be believed is put among the
 * damaged ones, and never among the volumes.
 */
#include "broker/inventory.h"

#include "storage/tags.h"

#include <json-c/json.h>
#include <limits.h>
#include <stdio.h>

#define JSON_DEPTH 16

typedef struct json_object json_object;
DEFINE_CLEANUP(json_object *, json_object_put)
DEFINE_CLEANUP(json_tokener *, json_tokener_free)
#define _cleanup_json_    _cleanup_(json_object_putp)
#define _cleanup_tokener_ _cleanup_(json_tokener_freep)

static int error_form(struct error *e, const char *what)
{
    return error_set(e, -EPROTO, "LVM's report: %s; this version of LVM is not understood", what);
}

/* ------------------------------------------------------------------- values */

/* NULL if there is no such string. */
static const char *text_of(json_object *row, const char *name)
{
    json_object *value = NULL;
    if (!json_object_object_get_ex(row, name, &value) || !json_object_is_type(value, json_type_string))
        return NULL;
    return json_object_get_string(value);
}

static int copy_text(json_object *row, const char *name, char *field, size_t size, struct error *e)
{
    const char *text = text_of(row, name);
    if (!text || !*text || str_copy(field, size, text) < 0)
        return error_form(e, name);
    return 0;
}

/* A number without a unit. */
static int read_number(json_object *row, const char *name, uint64_t *ret, struct error *e)
{
    const char *text = text_of(row, name);
    return !text || str_to_u64(text, ret) < 0 ? error_form(e, name) : 0;
}

/* --------------------------------------------------------------------- rows */

static int parse_group(struct inventory *i, json_object *row, struct error *e)
{
    struct group g = {0};
    uint64_t missing = 0;
    int r = copy_text(row, "vg_name", g.name, sizeof g.name, e);
    if (r == 0)
        r = read_number(row, "vg_size", &g.size_bytes, e);
    if (r == 0)
        r = read_number(row, "vg_free", &g.free_bytes, e);
    if (r == 0)
        r = read_number(row, "vg_extent_size", &g.extent_bytes, e);
    if (r == 0)
        r = read_number(row, "vg_mda_size", &g.metadata_size_bytes, e);
    if (r == 0)
        r = read_number(row, "vg_mda_free", &g.metadata_free_bytes, e);
    if (r == 0)
        r = read_number(row, "vg_missing_pv_count", &missing, e);
    if (r < 0)
        return r;
    g.complete = missing == 0;
    i->groups[i->n_groups++] = g;
    return 0;
}

static int add_damaged(struct inventory *i, json_object *row, const struct error *reason, struct error *e)
{
    struct damaged_volume *d = &i->damaged[i->n_damaged];
    /* a name of any length: it is only shown */
    const char *vg = text_of(row, "vg_name"), *lv = text_of(row, "lv_name");
    if (!vg || !lv)
        return error_form(e, "lv_name");
    snprintf(d->vg, sizeof d->vg, "%s", vg);
    snprintf(d->lv, sizeof d->lv, "%s", lv);
    d->reason = *reason;
    i->n_damaged++;
    return 0;
}

static void add_untagged(struct inventory *i, json_object *row)
{
    const char *vg = text_of(row, "vg_name"), *lv = text_of(row, "lv_name");
    struct untagged_volume *u = &i->untagged[i->n_untagged];
    if (!vg || !lv || str_copy(u->vg, sizeof u->vg, vg) < 0)
        return;
    snprintf(u->instance, sizeof u->instance, "%s", lv);
    i->n_untagged += uuid_valid(u->instance) && str_starts(lv + strlen(u->instance), VOLUME_INFIX);
}

static int parse_volume(struct inventory *i, json_object *row, struct error *e)
{
    struct volume v = {0};
    struct error why = ERROR_NONE;
    const char *tags = text_of(row, "lv_tags");
    if (!tags)
        return error_form(e, "lv_tags");

    int r = tags_parse(tags, &v, &why);
    if (r == -ENOENT) {
        add_untagged(i, row);
        return 0;
    }
    if (r == 0)
        r = copy_text(row, "vg_name", v.vg, sizeof v.vg, &why);
    if (r == 0)
        r = copy_text(row, "lv_name", v.lv, sizeof v.lv, &why);
    if (r == 0)
        r = read_number(row, "lv_size", &v.size_bytes, &why);
    if (r == 0)
        r = volume_check(&v, &why);
    if (r == -ENOMEM)
        return error_memory(e);
    if (r < 0)
        return add_damaged(i, row, &why, e);
    i->volumes[i->n_volumes++] = v;
    return 0;
}

/* ---------------------------------------------------------------- documents */

/* The next document of the text; *at is where it begins, and then where it ends. */
static int next_document(const char *json, size_t size, size_t *at, json_object **ret, struct error *e)
{
    _cleanup_tokener_ json_tokener *t = json_tokener_new_ex(JSON_DEPTH);
    if (!t)
        return error_memory(e);
    if (size - *at > INT_MAX)
        return error_form(e, "too long");
    json_object *document = json_tokener_parse_ex(t, json + *at, (int)(size - *at));
    if (!document)
        return error_form(e, json_tokener_get_error(t) == json_tokener_continue
                                 ? "it is cut off"
                                 : json_tokener_error_desc(json_tokener_get_error(t)));
    *at += json_tokener_get_parse_end(t);
    *ret = document;
    return 0;
}

/* The rows of the document's table `name`: borrowed from it. A document may have several reports. */
static int for_rows(json_object *document, const char *name, struct inventory *i,
                    int (*each)(struct inventory *, json_object *, struct error *), struct error *e)
{
    json_object *reports = NULL;
    if (!json_object_object_get_ex(document, "report", &reports) ||
        !json_object_is_type(reports, json_type_array))
        return error_form(e, "it has no report");
    for (size_t n = 0; n < json_object_array_length(reports); n++) {
        json_object *rows = NULL;
        if (!json_object_object_get_ex(json_object_array_get_idx(reports, n), name, &rows) ||
            !json_object_is_type(rows, json_type_array))
            return error_form(e, "it lacks a table");
        for (size_t row = 0; row < json_object_array_length(rows); row++) {
            int r = each(i, json_object_array_get_idx(rows, row), e);
            if (r < 0)
                return r;
        }
    }
    return 0;
}

/* Counts, so that the arrays are made once. */
static int count_row(struct inventory *i, json_object *row, struct error *e)
{
    if (!json_object_is_type(row, json_type_object))
        return error_form(e, "a row of it is none");
    i->n_groups++;
    return 0;
}

static int count_rows(json_object *document, const char *name, size_t *ret, struct error *e)
{
    struct inventory counter = {0};
    int r = for_rows(document, name, &counter, count_row, e);
    *ret = counter.n_groups;
    return r;
}

static int make_room(struct inventory *i, json_object *vgs, json_object *lvs, size_t n_maps, struct error *e)
{
    size_t n_groups = 0, n_volumes = 0;
    int r = count_rows(vgs, "vg", &n_groups, e);
    if (r == 0)
        r = count_rows(lvs, "lv", &n_volumes, e);
    if (r < 0)
        return r;
    i->groups = calloc(n_groups + 1, sizeof *i->groups);
    i->volumes = calloc(n_volumes + 1, sizeof *i->volumes);
    i->damaged = calloc(n_volumes + 1, sizeof *i->damaged);
    i->untagged = calloc(n_volumes + 1, sizeof *i->untagged);
    i->maps = calloc(n_maps + 1, sizeof *i->maps);
    return i->groups && i->volumes && i->damaged && i->untagged && i->maps ? 0 : error_memory(e);
}

static int parse_documents(const char *json, size_t size, const struct map *maps, size_t n_maps,
                           struct inventory *i, struct error *e)
{
    _cleanup_json_ json_object *vgs = NULL, *lvs = NULL;
    size_t at = 0;
    int r = next_document(json, size, &at, &vgs, e);
    if (r == 0)
        r = next_document(json, size, &at, &lvs, e);
    if (r == 0)
        r = make_room(i, vgs, lvs, n_maps, e);
    if (r == 0)
        r = for_rows(vgs, "vg", i, parse_group, e);
    if (r == 0)
        r = for_rows(lvs, "lv", i, parse_volume, e);
    if (r < 0)
        return r;
    qsort(i->volumes, i->n_volumes, sizeof *i->volumes, volume_order);
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
    int r = parse_documents(json, size, maps, n_maps, i, e);
    if (r < 0)
        return r;
    *ret = TAKE_PTR(i);
    return 0;
}

struct inventory *inventory_free(struct inventory *i)
{
    if (i) {
        free(i->groups);
        free(i->volumes);
        free(i->damaged);
        free(i->untagged);
        free(i->maps);
        free(i);
    }
    return NULL;
}

const struct group *inventory_group(const struct inventory *i, const char *vg)
{
    for (size_t n = 0; n < i->n_groups; n++)
        if (streq(i->groups[n].name, vg))
            return &i->groups[n];
    return NULL;
}

/* By uuid, with or without the mark of one that a person opened. */
const struct map *inventory_map_of(const struct inventory *i, const struct volume *v)
{
    char uuid[MAP_UUID_MAX];
    snprintf(uuid, sizeof uuid, MAP_UUID_PREFIX "%s", v->disk);
    for (size_t n = 0; n < i->n_maps; n++) {
        const char *found = i->maps[n].uuid;
        if (str_starts(found, uuid) &&
            (streq(found + strlen(uuid), "") || streq(found + strlen(uuid), MAP_UUID_OPENED)))
            return &i->maps[n];
    }
    return NULL;
}
