/* SPDX-License-Identifier: Apache-2.0 */
/* The commands to LVM. This file does not decide what may be done. It forces nothing (-ff) and zeroes
 * nothing: a volume holds ciphertext, worthless without its key. See lvm.h. */
#include "storage/lvm.h"

#include "base/fd.h"
#include "storage/dm.h"
#include "storage/lvm-shell.h"
#include "storage/tags.h"

#include <inttypes.h>
#include <stdio.h>

#define SET_MAX    40 /* volumes in one command, so that it stays within what the shell takes */
#define SELECT_MAX (LVM_INSTANCES_MAX * UUID_TEXT + 96)

/* Reads a row of lvs. A malformed tag is a refusal: nobody knows what the volume is. A volume without our
 * tags is a stranger. */
static int parse_volume(const char *row, const char *vg, struct volume *ret, struct error *e)
{
    char size[24], tags[4 * TAGS_TEXT_MAX];
    struct error why = ERROR_NONE;
    struct volume v = {.size_bytes = 0};
    int r = lvm_row_field(row, "lv_name", v.lv, sizeof v.lv);
    if (r == 0)
        r = lvm_row_field(row, "lv_size", size, sizeof size);
    if (r == 0)
        r = lvm_row_field(row, "lv_tags", tags, sizeof tags);
    if (r == 0)
        r = str_to_u64(size, &v.size_bytes);
    if (r == 0)
        r = str_copy(v.vg, sizeof v.vg, vg);
    if (r < 0)
        return error_set(e, -EUNSAFE, "volume %s/%s: refused: what LVM says of it is not understood", vg,
                         v.lv);
    r = tags_none(tags) ? 0 : tags_parse(tags, &v, &why);
    if (r < 0)
        error_prefix(&why, "volume %s/%s: refused: ", vg, v.lv);
    else if (!volume_stranger(&v))
        r = volume_check(&v, &why);
    if (r < 0)
        return error_pass(e, -EUNSAFE, &why);
    *ret = v;
    return 0;
}

/* Writes LVM's selection by regular expressions, which are in braces since they have parentheses themselves:
 * the volumes, and whatever has one of our disks as its origin. */
static int select_instances(const char (*instances)[UUID_TEXT], size_t n, char text[SELECT_MAX],
                            struct error *e)
{
    size_t used = (size_t)sprintf(text, "lv_name=~{^(");
    if (n < 1 || n > LVM_INSTANCES_MAX)
        return error_set(e, -EINVAL, "volumes: of %zu instances, not 1 to %d", n, LVM_INSTANCES_MAX);
    for (size_t i = 0; i < n; i++)
        used += (size_t)sprintf(text + used, "%s%.36s", i ? "|" : "", instances[i]);
    sprintf(text + used, ")" VOLUME_INFIX "([.][a-z0-9]+)?$}||origin=~" VOLUME_INFIX);
    return 0;
}

static bool is_wanted(const struct lv_row *row, const char (*instances)[UUID_TEXT], size_t n)
{
    bool wanted = false;
    for (size_t i = 0; volume_lv_name_valid(row->lv) && !wanted && i < n; i++)
        wanted = str_starts(row->lv, instances[i]);
    return wanted;
}

static bool is_own_snapshot(const struct lvm_volume volumes[], size_t n, const char *lv)
{
    bool own = false;
    for (size_t i = 0; !own && i < n; i++)
        own = streq(volumes[i].v.lv, lv) && volume_is_snapshot(&volumes[i].v);
    return own;
}

/* Notes what depends on the volumes, except our own snapshots. */
static void note_dependents(struct lvm_volume volumes[], size_t n, const struct lv_row rows[], size_t n_rows)
{
    for (size_t i = 0; i < n; i++) {
        const struct lv_row *own = NULL;
        bool seen = false;
        for (size_t r = 0; r < n_rows; r++) {
            own = streq(rows[r].lv, volumes[i].v.lv) ? &rows[r] : own;
            if (!streq(rows[r].origin, volumes[i].v.lv))
                continue;
            seen = true;
            if (!is_own_snapshot(volumes, n, rows[r].lv))
                dependent_of_row(&rows[r], volumes[i].dependent);
        }
        if (own && !volumes[i].dependent[0])
            dependent_of_layout(own, volumes[i].dependent);
        if (own && !volumes[i].dependent[0] && !seen && dependent_expected(own))
            dependent_unseen(own, volumes[i].dependent);
    }
}

/* Reads all rows of a report, and the wanted volumes among them. The caller frees both. */
static int parse_report(const char *report, const char *vg, const char (*instances)[UUID_TEXT],
                        size_t n_instances, struct lvm_volume **volumes, size_t *n, struct lv_row **rows,
                        size_t *n_rows, struct error *e)
{
    for (const char *row = report; (row = lvm_find_row(row, "lv_name", NULL)); row = strchrnul(row, '\n')) {
        struct lv_row *more_rows = reallocarray(*rows, *n_rows + 1, sizeof **rows);
        *rows = more_rows ? more_rows : *rows;
        struct lvm_volume *more = reallocarray(*volumes, *n + 1, sizeof **volumes);
        *volumes = more ? more : *volumes;
        if (!more_rows || !more)
            return error_memory(e);
        int r = lvm_row_parse(row, vg, &more_rows[*n_rows], e);
        if (r < 0)
            return r;
        if (is_wanted(&more_rows[(*n_rows)++], instances, n_instances)) {
            more[*n] = (struct lvm_volume){.dependent = ""};
            r = parse_volume(row, vg, &more[(*n)++].v, e);
        }
        if (r < 0)
            return r;
    }
    return 0;
}

int lvm_volumes_named(struct lvm *l, const char *vg, const char (*instances)[UUID_TEXT], size_t n_instances,
                      struct lvm_volume **ret, size_t *ret_n, struct error *e)
{
    _cleanup_free_ char *report = NULL;
    _cleanup_free_ struct lvm_volume *volumes = NULL;
    _cleanup_free_ struct lv_row *rows = NULL;
    char what[160], select[SELECT_MAX];
    struct command c = {.used = 0};
    size_t size = 0, n = 0, n_rows = 0;
    int r = select_instances(instances, n_instances, select, e);
    if (r < 0)
        return r;
    snprintf(what, sizeof what, "volume group %.63s: cannot be listed", vg);
    lvm_add(&c, "-olv_name,lv_size,lv_tags," DEPENDENT_FIELDS, "-S", select, vg);
    r = lvm_run(l, "lvs", &c, &report, &size, what, e);
    if (r == 0)
        r = parse_report(report, vg, instances, n_instances, &volumes, &n, &rows, &n_rows, e);
    if (r < 0)
        return r;
    note_dependents(volumes, n, rows, n_rows);
    *ret = TAKE_PTR(volumes);
    *ret_n = n;
    return 0;
}

int lvm_volumes_of(struct lvm *l, const char *vg, const char (*instances)[UUID_TEXT], size_t n_instances,
                   struct lvm_volume **ret, size_t *ret_n, struct error *e)
{
    _cleanup_free_ struct lvm_volume *volumes = NULL;
    size_t n = 0;
    int r = lvm_volumes_named(l, vg, instances, n_instances, &volumes, &n, e);
    for (size_t i = 0; r == 0 && i < n; i++)
        if (volume_stranger(&volumes[i].v))
            r = error_set(e, -EUNSAFE,
                          "volume %s/%s: refused: not a volume of Mayfly: it has no tag " TAG_OURS, vg,
                          volumes[i].v.lv);
    if (r < 0)
        return r;
    *ret = TAKE_PTR(volumes);
    *ret_n = n;
    return 0;
}

int lvm_find_disk(struct lvm *l, const char *const vgs[], size_t n_vgs, const char *disk,
                  char where[LVM_WHERE_MAX], struct error *e)
{
    where[0] = '\0';
    for (size_t i = 0; i < n_vgs && !where[0]; i++) {
        _cleanup_free_ char *report = NULL;
        char what[160], select[80], lv[LV_NAME_MAX];
        struct error why = ERROR_NONE;
        struct command c = {.used = 0};
        size_t size = 0;
        snprintf(what, sizeof what, "volume group %.63s: cannot be listed", vgs[i]);
        snprintf(select, sizeof select, "lv_tags=mayfly.disk=%.36s", disk);
        lvm_add(&c, "-olv_name", "-S", select, vgs[i]);
        int r = lvm_run(l, "lvs", &c, &report, &size, what, &why);
        if (r == -ENOENT)
            continue;
        if (r < 0)
            return error_pass(e, r, &why);
        const char *row = lvm_find_row(report, "lv_name", NULL);
        if (!row)
            continue;
        if (lvm_row_field(row, "lv_name", lv, sizeof lv) < 0)
            lv[0] = '\0'; /* none of our names is as long */
        snprintf(where, LVM_WHERE_MAX, "%.63s/%.63s", vgs[i], lv);
    }
    return 0;
}

/* Adds `option` and a tag, for each tag of `v`. */
static void add_tags(struct command *c, const char *option, const struct volume *v)
{
    char tags[TAGS_TEXT_MAX], *rest = tags;
    tags_format(v, tags);
    for (char *tag; (tag = strsep(&rest, ","));)
        lvm_add(c, option, tag);
}

/* Runs lvcreate: the words in `c`, the name, size and tags of `v`, and last `of`, the group or volume to make
 * it in. */
static int run_lvcreate(struct lvm *l, struct command *c, const struct volume *v, const char *of,
                        struct error *e)
{
    char what[200], size[32];
    snprintf(what, sizeof what, "volume %s/%s of %s: cannot be made", v->vg, v->lv,
             str_from_bytes(v->size_bytes, size, sizeof size));
    snprintf(size, sizeof size, "%" PRIu64 "b", (v->size_bytes + 511) / 512 * 512);
    lvm_add(c, "-y", "-n", v->lv, "-L", size);
    add_tags(c, "--addtag", v);
    lvm_add(c, of);
    return lvm_run(l, "lvcreate", c, NULL, NULL, what, e);
}

int lvm_create(struct lvm *l, const struct volume *v, struct error *e)
{
    struct command c = {.used = 0};
    lvm_add(&c, "-Zn", "-Wn", "-An"); /* marking it writes LVM's backup file */
    if (volume_encrypted(v))          /* nobody but us uses its device, and we use the kernel's node */
        lvm_add(&c, "--noudevsync");
    return run_lvcreate(l, &c, v, v->vg, e);
}

/* Lets LVM wipe the head of the snapshot's room, where it would read old entries otherwise. */
int lvm_snapshot(struct lvm *l, const struct volume *origin, const struct volume *snapshot, struct error *e)
{
    char of[VG_NAME_MAX + LV_NAME_MAX];
    struct command c = {.used = 0};
    int r = dm_load_target("snapshot", NULL);
    if (r < 0)
        return error_set(
            e, r == -ENODEV ? r : -EOPNOTSUPP,
            "volume %s/%s: no snapshot can be made of it: the kernel has no dm-snapshot; try modprobe "
            "dm-snapshot",
            origin->vg, origin->lv);
    snprintf(of, sizeof of, "%.63s/%.63s", origin->vg, origin->lv);
    lvm_add(&c, "-s", "-pr");
    return run_lvcreate(l, &c, snapshot, of, e);
}

/* Runs the command on all volumes, with up to SET_MAX names at a time behind the same words. */
static int run_on_set(struct lvm *l, const char *verb, const struct command *words,
                      const struct volume *const v[], size_t n, const char *cannot, struct error *e)
{
    int r = 0;
    for (size_t done = 0; r == 0 && done < n; done += SET_MAX) {
        char what[200];
        struct command c = *words;
        for (size_t i = done; i < n && i < done + SET_MAX; i++) {
            snprintf(what, sizeof what, "%.63s/%.63s", v[i]->vg, v[i]->lv);
            lvm_add(&c, what);
        }
        snprintf(what, sizeof what, "volume %s/%s%s: %s", v[done]->vg, v[done]->lv,
                 n > 1 ? " and others" : "", cannot);
        r = lvm_run(l, verb, &c, NULL, NULL, what, e);
    }
    return r;
}

int lvm_change_state(struct lvm *l, const struct volume *const v[], size_t n, enum volume_state from,
                     enum volume_state to, struct error *e)
{
    char old[TAG_STATE_MAX], new[TAG_STATE_MAX], cannot[64];
    struct command c = {.used = 0};
    tags_format_state(from, old);
    tags_format_state(to, new);
    snprintf(cannot, sizeof cannot, "cannot be marked %s", volume_state_name(to));
    /* The removal to come brings LVM's backup file up to date again; here it would be written and synced
     * twice for each volume. */
    if (to == VOLUME_DOOMED)
        lvm_add(&c, "-An");
    lvm_add(&c, "--deltag", old, "--addtag", new);
    return run_on_set(l, "lvchange", &c, v, n, cannot, e);
}

static bool has_tag(const char *tags, const char *tag)
{
    size_t length = strlen(tag);
    for (const char *t = tags; *t; t += *t == ',') {
        if (strncmp(t, tag, length) == 0 && (t[length] == ',' || !t[length]))
            return true;
        t += strcspn(t, ",");
    }
    return false;
}

/* Adds `option` and a tag, for each tag of `v` that `other` lacks. */
static void add_tags_beyond(struct command *c, const char *option, const struct volume *v,
                            const struct volume *other)
{
    char tags[TAGS_TEXT_MAX], others[TAGS_TEXT_MAX], *rest = tags;
    tags_format(v, tags);
    tags_format(other, others);
    for (char *tag; (tag = strsep(&rest, ","));)
        if (!has_tag(others, tag)) {
            lvm_add(c, option, tag);
        }
}

int lvm_retag(struct lvm *l, const struct volume *old, const struct volume *new, struct error *e)
{
    struct command c = {.used = 0};
    add_tags_beyond(&c, "--deltag", old, new);
    add_tags_beyond(&c, "--addtag", new, old);
    return run_on_set(l, "lvchange", &c, &old, 1, "cannot be tagged anew", e);
}

int lvm_tag(struct lvm *l, const struct volume *v, struct error *e)
{
    struct command c = {.used = 0};
    add_tags(&c, "--addtag", v);
    return run_on_set(l, "lvchange", &c, &v, 1, "cannot be tagged", e);
}

int lvm_untag(struct lvm *l, const struct volume *v, struct error *e)
{
    struct command c = {.used = 0};
    add_tags(&c, "--deltag", v);
    return run_on_set(l, "lvchange", &c, &v, 1, "cannot be freed of its tags", e);
}

int lvm_activate(struct lvm *l, const struct volume *v, struct error *e)
{
    struct command c = {.used = 0};
    lvm_add(&c, "-ay");
    return run_on_set(l, "lvchange", &c, &v, 1, "cannot be activated", e);
}

int lvm_refresh(struct lvm *l, const struct volume *v, struct error *e)
{
    struct command c = {.used = 0};
    lvm_add(&c, "--refresh");
    return run_on_set(l, "lvchange", &c, &v, 1, "cannot be resumed", e);
}

int lvm_extend(struct lvm *l, const struct volume *v, uint64_t size_bytes, struct error *e)
{
    char size[32], text[32], cannot[80];
    struct command c = {.used = 0};
    if (size_bytes <= v->size_bytes) /* lvextend would say so too */
        return error_set(e, -EINVAL, "volume %s/%s: has that size, or more, already", v->vg, v->lv);
    snprintf(size, sizeof size, "%" PRIu64 "b", (size_bytes + 511) / 512 * 512);
    snprintf(cannot, sizeof cannot, "cannot be extended to %s",
             str_from_bytes(size_bytes, text, sizeof text));
    lvm_add(&c, "-L", size);
    return run_on_set(l, "lvextend", &c, &v, 1, cannot, e);
}

int lvm_remove(struct lvm *l, const struct volume *const v[], size_t n, struct error *e)
{
    struct command c = {.used = 0};
    lvm_add(&c, "-y", "--noudevsync"); /* nobody waits for its links to go */
    return run_on_set(l, "lvremove", &c, v, n, "cannot be removed", e);
}
