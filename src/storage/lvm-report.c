/* SPDX-License-Identifier: Apache-2.0 */
/* Makes the report for the client: LVM's rows on the configured groups, but only those that concern us. See
 * lvm.h.
 *
 *     lvs GROUP --> all rows: are they as many as the group says?
 *
 *         rows of ours   --> {"report":[{"lv":[...]}]}
 *         no row of ours --> {"report":[{"vg":[...]}]}
 *
 * LVM could select the rows itself, but then nobody would notice a missing row, and a volume that is not seen
 * counts as gone. Each group is named, so that neither locks nor faults of other groups matter.
 */
#include "storage/lvm.h"

#include "base/fd.h"
#include "storage/lvm-shell.h"
#include "storage/tags.h"

#include <stdio.h>

#define LOOKS_MAX 3 /* looks at a group that changes meanwhile */
#define NOTHING   "{\"report\":[{\"lv\":[]}]}\n"

#define GROUP_FIELDS                                                                                         \
    "vg_name,vg_size,vg_free,vg_extent_size,vg_missing_pv_count,vg_mda_size,vg_mda_free,vg_exported,vg_"     \
    "shared,"                                                                                                \
    "vg_clustered,lv_count"

static int error_report(struct error *e, const char *vg, const char *what)
{
    return error_set(e, -EPROTO, "volume group %s: LVM's report on it is not understood: %s", vg, what);
}

int lvm_row_parse(const char *row, const char *vg, struct lv_row *ret, struct error *e)
{
    struct lv_row parsed = {.vg = ""};
    const struct {
        const char *name;
        char *field;
        size_t size;
    } fields[] = {
        {"lv_name", parsed.lv, sizeof parsed.lv},
        {"lv_role", parsed.role, sizeof parsed.role},
        {"lv_layout", parsed.layout, sizeof parsed.layout},
        {"origin", parsed.origin, sizeof parsed.origin},
        {"lv_allocation_locked", parsed.locked, sizeof parsed.locked},
    };
    int r = str_copy(parsed.vg, sizeof parsed.vg, vg);
    for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
        if (r == 0)
            r = lvm_row_field(row, fields[i].name, fields[i].field, fields[i].size);
        if (r < 0)
            return error_report(e, vg, fields[i].name);
    }
    *ret = parsed;
    return 0;
}

/* Reads the number in one field of a row. */
static int row_number(const char *row, const char *name, uint64_t *ret)
{
    char text[24];
    int r = lvm_row_field(row, name, text, sizeof text);
    return r < 0 ? r : str_to_u64(text, ret);
}

/* Finds out whether the row concerns us: by a tag, by its name, or as what depends on one of our volumes. */
static int concerns_us(const char *row, const char *vg, bool *ret, struct error *e)
{
    struct lv_row parsed;
    _cleanup_free_ char *tags = malloc(strcspn(row, "\n") + 1);
    if (!tags)
        return error_memory(e);
    int r = lvm_row_parse(row, vg, &parsed, e);
    if (r < 0)
        return r;
    if (lvm_row_field(row, "lv_tags", tags, strcspn(row, "\n") + 1) < 0)
        return error_report(e, vg, "lv_tags");
    *ret = !tags_none(tags) || volume_lv_name_valid(parsed.lv) || volume_lv_name_valid(parsed.origin);
    return 0;
}

/* Writes a row without what LVM puts around it in its table. */
static void write_row(FILE *to, const char *row, bool first)
{
    size_t length = strcspn(row, "\n"), start = strspn(row, " ");
    while (length && strchr(", ", row[length - 1]))
        length--;
    fprintf(to, "%s%.*s", first ? "" : ",\n", (int)(length - start), row + start);
}

/* Writes the rows that concern us; *ret_rows is the number of all. */
static int write_volumes(FILE *to, const char *report, const char *vg, size_t *ret_ours, size_t *ret_rows,
                         struct error *e)
{
    size_t ours = 0, rows = 0;
    fprintf(to, "{\"report\":[{\"lv\":[");
    for (const char *row = report; (row = lvm_find_row(row, "lv_name", NULL));
         row = strchrnul(row, '\n'), rows++) {
        bool concerns = false;
        int r = concerns_us(row, vg, &concerns, e);
        if (r < 0)
            return r;
        if (concerns)
            write_row(to, row, ours++ == 0);
    }
    fprintf(to, "]}]}\n");
    *ret_ours = ours;
    *ret_rows = rows;
    return 0;
}

/* Writes the group's own fields, from any row that has them. */
static int write_group(FILE *to, const char *row, const char *vg, struct error *e)
{
    char names[] = GROUP_FIELDS, *rest = names, value[LVM_NAME_MAX];
    bool first = true;
    fprintf(to, "{\"report\":[{\"vg\":[{");
    for (char *name; (name = strsep(&rest, ",")); first = false) {
        if (lvm_row_field(row, name, value, sizeof value) < 0)
            return error_report(e, vg, name);
        fprintf(to, "%s\"%s\":\"%s\"", first ? "" : ", ", name, value);
    }
    fprintf(to, "}]}]}\n");
    return 0;
}

/* Checks that the group has as many volumes as rows were read; else -EAGAIN, without a sentence. */
static int check_count(const char *row, size_t rows, const char *vg, struct error *e)
{
    uint64_t count = 0;
    if (!row || row_number(row, "lv_count", &count) < 0)
        return error_report(e, vg, "lv_count");
    return count == rows ? 0 : -EAGAIN;
}

static int ask(struct lvm *l, const char *verb, const char *fields, const char *vg, char **ret,
               struct error *e)
{
    char what[160];
    size_t size = 0;
    struct command c = {.used = 0};
    snprintf(what, sizeof what, "volume group %.63s: cannot be listed", vg);
    lvm_add(&c, fields, vg);
    return lvm_run(l, verb, &c, ret, &size, what, e);
}

static bool is_exported(const char *row)
{
    char text[16];
    return lvm_row_field(row, "vg_exported", text, sizeof text) == 0 && text[0] && !streq(text, "0");
}

/* Reports on a group without volumes, or an exported one, whose volumes LVM does not show. */
static int look_at_group(struct lvm *l, const char *vg, FILE *to, struct error *e)
{
    _cleanup_free_ char *group = NULL;
    int r = ask(l, "vgs", "-o" GROUP_FIELDS, vg, &group, e);
    const char *row = r == 0 ? lvm_find_row(group, "vg_name", vg) : NULL;
    if (r == 0 && !(row && is_exported(row)))
        r = check_count(row, 0, vg, e);
    return r < 0 ? r : write_group(to, row, vg, e);
}

/* Looks at a group once. -ENOENT if there is none. */
static int look(struct lvm *l, const char *vg, FILE *to, struct error *e)
{
    _cleanup_free_ char *volumes = NULL;
    struct error why = ERROR_NONE;
    size_t ours = 0, rows = 0;
    int r = ask(l, "lvs", "-o" GROUP_FIELDS ",lv_name,lv_size,lv_tags," DEPENDENT_FIELDS, vg, &volumes, &why);
    if (r == -EREMOTE)
        fprintf(to, NOTHING);
    else if (r == 0)
        r = write_volumes(to, volumes, vg, &ours, &rows, &why);
    if (r == -EREMOTE || (r == 0 && rows == 0)) /* lvs does not tell of a group without volumes */
        return look_at_group(l, vg, to, e);
    if (r < 0)
        return error_pass(e, r, &why);
    const char *row = lvm_find_row(volumes, "vg_name", vg);
    r = check_count(row, rows, vg, e);
    return r == 0 && ours == 0 ? write_group(to, row, vg, e) : r;
}

static int report_group(struct lvm *l, const char *vg, int fd, struct error *e)
{
    struct error why = ERROR_NONE;
    int r = -EAGAIN;
    for (int looks = 0; r == -EAGAIN && looks < LOOKS_MAX; looks++) {
        _cleanup_free_ char *text = NULL;
        size_t size = 0;
        FILE *to = open_memstream(&text, &size);
        if (!to)
            return error_memory(e);
        r = look(l, vg, to, &why);
        if (fclose(to) != 0)
            return error_memory(e);
        if (r == 0)
            r = fd_write_all(fd, text, size);
    }
    if (r == -ENOENT)
        return fd_write_all(fd, NOTHING, strlen(NOTHING));
    if (r == -EAGAIN)
        return error_report(e, vg, "it does not have as many volumes as the group says");
    return r < 0 ? error_set(e, r, "%s", why.errnum ? why.text : strerror(-r)) : 0;
}

int lvm_report(struct lvm *l, const char *const vgs[], size_t n_vgs, int fd, struct error *e)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < n_vgs; i++)
        r = report_group(l, vgs[i], fd, e);
    return r;
}
