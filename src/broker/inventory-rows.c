/* SPDX-License-Identifier: Apache-2.0 */
/* Makes groups, volumes and dependents of the rows of LVM's report. */
#include "broker/inventory-rows.h"

#include "storage/tags.h"

#include <stdio.h>

int lvm_report_refused(struct error *e, const char *what)
{
    return error_set(e, -EPROTO, "LVM's report: %s; this version of LVM is not understood", what);
}

/* ------------------------------------------------------------------- values */

/* Returns the string `name` of the row, or NULL. */
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
        return lvm_report_refused(e, name);
    return 0;
}

/* Reads a number without a unit. */
static int read_number(json_object *row, const char *name, uint64_t *ret, struct error *e)
{
    const char *text = text_of(row, name);
    return !text || str_to_u64(text, ret) < 0 ? lvm_report_refused(e, name) : 0;
}

/* --------------------------------------------------------------------- rows */

/* Returns the `n` items with room for one more, or NULL. The room doubles, so that thousands are not moved
 * each time. */
static void *one_more(void *items, size_t n, size_t size)
{
    return n & (n - 1) ? items : reallocarray(items, n ? 2 * n : 1, size);
}

static int add_group(struct inventory *i, json_object *row, struct error *e)
{
    struct group g = {0}, *groups = NULL;
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
    if (r == 0 && (!text_of(row, "vg_shared") || !text_of(row, "vg_clustered")))
        r = lvm_report_refused(e, "vg_shared, vg_clustered");
    if (r < 0)
        return r;
    const char *exported = text_of(row, "vg_exported"); /* LVM shows no volumes of an exported group */
    g.complete = missing == 0 && (!exported || !*exported || streq(exported, "0"));
    g.shared = *text_of(row, "vg_shared") || *text_of(row, "vg_clustered");
    groups = one_more(i->groups, i->n_groups, sizeof g);
    if (!groups)
        return error_memory(e);
    i->groups = groups;
    i->groups[i->n_groups++] = g;
    return 0;
}

/* Adds the group of a row of lvs, unless it is known. */
static int add_group_of_row(struct inventory *i, json_object *row, struct error *e)
{
    const char *vg = text_of(row, "vg_name");
    return vg && text_of(row, "vg_size") && !inventory_group(i, vg) ? add_group(i, row, e) : 0;
}

/* Finds the instance that the name of a disk begins with; "" if it begins with none. */
static void instance_of_name(const char *lv, char ret[UUID_TEXT])
{
    snprintf(ret, UUID_TEXT, "%.*s", UUID_TEXT - 1, lv);
    if (!uuid_valid(ret) || !str_starts(lv + strlen(ret), VOLUME_INFIX))
        ret[0] = '\0';
}

/* Finds the instance that is named by tags which cannot be parsed as a whole; "": none, or two that
 * differ. */
static void instance_of_tags(const char *tags, char ret[UUID_TEXT])
{
    static const char name[] = "mayfly.instance=";
    ret[0] = '\0';
    for (const char *at = tags; (at = strstr(at, name));) {
        char uuid[UUID_TEXT];
        at += strlen(name);
        snprintf(uuid, sizeof uuid, "%s", at);
        if (!uuid_valid(uuid) || (ret[0] && !streq(ret, uuid))) {
            ret[0] = '\0';
            return;
        }
        memcpy(ret, uuid, sizeof uuid);
    }
}

bool damaged_is_of(const struct damaged_volume *d, const char *uuid)
{
    return str_starts(d->lv, uuid) || streq(d->tagged, uuid);
}

bool damaged_may_be_of(const struct damaged_volume *d, const char *uuid)
{
    char named[UUID_TEXT];
    instance_of_name(d->lv, named);
    return damaged_is_of(d, uuid) || (!named[0] && !d->tagged[0]);
}

static int add_damaged(struct inventory *i, json_object *row, const struct error *reason, struct error *e)
{
    /* a name of any length: it is only shown */
    const char *vg = text_of(row, "vg_name"), *lv = text_of(row, "lv_name");
    if (!vg || !lv)
        return lvm_report_refused(e, "lv_name");
    struct damaged_volume *damaged = one_more(i->damaged, i->n_damaged, sizeof *damaged);
    if (!damaged)
        return error_memory(e);
    i->damaged = damaged;
    struct damaged_volume *d = &i->damaged[i->n_damaged++];
    *d = (struct damaged_volume){.reason = *reason};
    snprintf(d->vg, sizeof d->vg, "%s", vg);
    snprintf(d->lv, sizeof d->lv, "%s", lv);
    instance_of_tags(text_of(row, "lv_tags") ? text_of(row, "lv_tags") : "", d->tagged);
    return 0;
}

static int add_untagged(struct inventory *i, json_object *row, struct error *e)
{
    const char *vg = text_of(row, "vg_name"), *lv = text_of(row, "lv_name");
    struct untagged_volume u = {.vg = ""}, *untagged = NULL;
    if (!vg || !lv || str_copy(u.vg, sizeof u.vg, vg) < 0)
        return 0;
    if (!volume_lv_name_valid(lv)) /* such as "<uuid>_disk_backup" */
        return 0;
    snprintf(u.lv, sizeof u.lv, "%s", lv);
    instance_of_name(lv, u.instance);
    untagged = one_more(i->untagged, i->n_untagged, sizeof u);
    if (!untagged)
        return error_memory(e);
    i->untagged = untagged;
    i->untagged[i->n_untagged++] = u;
    return 0;
}

static int add_volume(struct inventory *i, json_object *row, struct error *e)
{
    struct volume v = {0}, *volumes = NULL;
    struct error why = ERROR_NONE;
    const char *tags = text_of(row, "lv_tags");
    if (!tags)
        return lvm_report_refused(e, "lv_tags");

    int r = tags_parse(tags, &v, &why);
    if (r == -ENOENT)
        return add_untagged(i, row, e);
    if (r == 0)
        r = copy_text(row, "vg_name", v.vg, sizeof v.vg, &why);
    if (r == 0)
        r = copy_text(row, "lv_name", v.lv, sizeof v.lv, &why);
    if (r == 0)
        r = read_number(row, "lv_size", &v.size_bytes, &why);
    if (r == 0)
        r = volume_check(&v, &why);
    if (r < 0 && r != -ENOMEM)
        return add_damaged(i, row, &why, e);
    volumes = r == 0 ? one_more(i->volumes, i->n_volumes, sizeof v) : NULL;
    if (!volumes)
        return error_memory(e);
    i->volumes = volumes;
    i->volumes[i->n_volumes++] = v;
    return 0;
}

/* Copies a text that may be empty. */
static int copy_field(json_object *row, const char *name, char *field, size_t size, struct error *e)
{
    const char *text = text_of(row, name);
    return !text || str_copy(field, size, text) < 0 ? lvm_report_refused(e, name) : 0;
}

/* Keeps the row if it may show that something depends on one of our volumes. */
static int keep_lv_row(struct lv_rows *rows, json_object *row, struct error *e)
{
    char reason[DEPENDENT_MAX];
    struct lv_row lv = {.vg = ""}, *more = NULL;
    int r = copy_field(row, "vg_name", lv.vg, sizeof lv.vg, e);
    if (r == 0)
        r = copy_field(row, "lv_name", lv.lv, sizeof lv.lv, e);
    if (r == 0)
        r = copy_field(row, "lv_role", lv.role, sizeof lv.role, e);
    if (r == 0)
        r = copy_field(row, "lv_layout", lv.layout, sizeof lv.layout, e);
    if (r == 0)
        r = copy_field(row, "origin", lv.origin, sizeof lv.origin, e);
    if (r == 0)
        r = copy_field(row, "lv_allocation_locked", lv.locked, sizeof lv.locked, e);
    if (r < 0)
        return r;
    dependent_of_layout(&lv, reason);
    if (!lv.origin[0] && !reason[0] && !dependent_expected(&lv))
        return 0;
    more = one_more(rows->row, rows->n, sizeof lv);
    if (!more)
        return error_memory(e);
    rows->row = more;
    rows->row[rows->n++] = lv;
    return 0;
}

int inventory_add_row(struct inventory *i, struct lv_rows *rows, bool of_lvs, json_object *row,
                      struct error *e)
{
    if (!json_object_is_type(row, json_type_object))
        return lvm_report_refused(e, "a row is not an object");
    if (!of_lvs)
        return add_group(i, row, e);
    int r = add_group_of_row(i, row, e);
    if (r == 0)
        r = keep_lv_row(rows, row, e);
    return r == 0 ? add_volume(i, row, e) : r;
}

/* ---------------------------------------------------------------- dependents */

static int add_dependent(struct inventory *i, const struct lv_row *row, const char *lv, const char *reason,
                         struct error *e)
{
    struct dependent *more = one_more(i->dependents, i->n_dependents, sizeof *more);
    if (!more)
        return error_memory(e);
    i->dependents = more;
    struct dependent *d = &i->dependents[i->n_dependents++];
    *d = (struct dependent){.vg = ""};
    snprintf(d->vg, sizeof d->vg, "%.63s", row->vg);
    snprintf(d->lv, sizeof d->lv, "%.63s", lv);
    snprintf(d->reason, sizeof d->reason, "%s", reason);
    return 0;
}

/* Whether the tags say that mayfly export made the snapshot. */
static bool is_own_snapshot(const struct inventory *i, const struct lv_row *row)
{
    bool own = false;
    for (size_t n = 0; !own && n < i->n_volumes; n++)
        own = volume_is_snapshot(&i->volumes[n]) && streq(i->volumes[n].lv, row->lv) &&
              streq(i->volumes[n].vg, row->vg);
    return own;
}

static bool is_origin(const struct lv_rows *rows, const struct lv_row *row)
{
    bool origin = false;
    for (size_t n = 0; !origin && n < rows->n; n++)
        origin = streq(rows->row[n].origin, row->lv) && streq(rows->row[n].vg, row->vg);
    return origin;
}

int inventory_note_dependents(struct inventory *i, const struct lv_rows *rows, struct error *e)
{
    int r = 0;
    for (size_t n = 0; r == 0 && n < rows->n; n++) {
        const struct lv_row *row = &rows->row[n];
        char reason[DEPENDENT_MAX];
        if (volume_lv_name_valid(row->origin) && !is_own_snapshot(i, row)) {
            dependent_of_row(row, reason);
            r = add_dependent(i, row, row->origin, reason, e);
        }
        if (r < 0 || !volume_lv_name_valid(row->lv))
            continue;
        dependent_of_layout(row, reason);
        if (!reason[0] && dependent_expected(row) && !is_origin(rows, row))
            dependent_unseen(row, reason);
        if (reason[0])
            r = add_dependent(i, row, row->lv, reason, e);
    }
    return r;
}
