/* SPDX-License-Identifier: Apache-2.0 */
/* The lvm process that the functions of lvm.h talk to: commands built word by word, reports read row by row.
 *
 *     struct command c = {.used = 0};
 *     lvm_add(&c, "-y", "vg0/old");
 *     r = lvm_run(l, "lvremove", &c, NULL, NULL, "volume vg0/old: cannot be removed", e);
 */
#pragma once

#include "storage/lvm.h"

#define COMMAND_MAX 8192

struct command {
    char text[COMMAND_MAX];
    size_t used, words;
    bool bad; /* too long, or a word that the shell would not take as it is */
};

/* Adds words, each without a character that the shell would read as more than itself. */
#define lvm_add(c, ...) lvm_add_words(c, __VA_ARGS__, (const char *)NULL)
void lvm_add_words(struct command *c, ...) __attribute__((sentinel));

/* Runs `verb` with the words in `c`, and starts the process if none runs. *ret_report (may be NULL) is freed
 * by the caller. The sentence of an error begins with `what` and ends with LVM's own words. -EEXIST, -ENOSPC,
 * -ENOENT, -EBUSY, -EIO; -EINVAL: a word that LVM would not take; -EPROTO: an answer that is not
 * understood. */
int lvm_run(struct lvm *l, const char *verb, const struct command *c, char **ret_report, size_t *ret_size,
            const char *what, struct error *e) _must_check_;

/* Returns the first row (a line) at or after `from` in which the field `name` has this value, or any value if
 * NULL is given. NULL if there is none. */
const char *lvm_find_row(const char *from, const char *name, const char *value);

/* Reads the value of a field in one row of LVM's JSON; escaped characters lose their backslash. -ENOENT: the
 * row has no such field. -ENAMETOOLONG, -EINVAL: it does not fit, or does not end. */
int lvm_row_field(const char *row, const char *name, char *field, size_t size) _must_check_;

/* As lvm_row_field(), in a row of the log. The host's report/prefixes=1 makes single ones of the closing
 * quotation marks there, and quoted=0 leaves them out, and none of our options overrides that: a value then
 * ends where the next field of the log begins, or the row ends. */
int lvm_log_field(const char *row, const char *name, char *field, size_t size) _must_check_;

/* As lvm_find_row(), for the rows of a log. */
const char *lvm_find_log_row(const char *from, const char *name, const char *value);

/* Reads a row of lvs, which was asked for lv_name and DEPENDENT_FIELDS. -EPROTO: the row lacks one of
 * them. */
int lvm_row_parse(const char *row, const char *vg, struct lv_row *ret, struct error *e) _must_check_;
