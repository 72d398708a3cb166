/* SPDX-License-Identifier: Apache-2.0 */
/* Fields of LVM's reports and of its log, without a parser of JSON: each row is a line of its own. */
#include "storage/lvm-shell.h"

#include <stdio.h>

/* Finds the first byte of the value of this field in the row, or NULL. */
static const char *field_begin(const char *row, const char *line_end, const char *name)
{
    char start[64];
    int n = snprintf(start, sizeof start, "\"%s\":\"", name);
    const char *p = n < (int)sizeof start ? memmem(row, (size_t)(line_end - row), start, (size_t)n) : NULL;
    return p ? p + n : NULL;
}

int lvm_row_field(const char *row, const char *name, char *field, size_t size)
{
    size_t used = 0;
    const char *line_end = strchrnul(row, '\n');
    const char *p = field_begin(row, line_end, name);
    if (!p)
        return -ENOENT;
    for (; *p != '"'; p++) {
        if (p >= line_end || used + 1 >= size || (*p == '\\' && ++p >= line_end))
            return p >= line_end ? -EINVAL : -ENAMETOOLONG;
        field[used++] = *p;
    }
    field[used] = '\0';
    return 0;
}

/* Finds the first row in which `get` gives the field this value. NULL: any value. */
static const char *find_row(const char *from, int (*get)(const char *, const char *, char *, size_t),
                            const char *name, const char *value)
{
    char found[512];
    for (const char *row = from; *row; row = strchrnul(row, '\n'), row += *row == '\n')
        if (get(row, name, found, sizeof found) == 0 && (!value || streq(found, value)))
            return row;
    return NULL;
}

const char *lvm_find_row(const char *from, const char *name, const char *value)
{
    return find_row(from, lvm_row_field, name, value);
}

/* Whether a value in the log ends here: at its quotation mark, or before the next field or the row's end. */
static bool ends_here(const char *p, const char *line_end)
{
    return p >= line_end || *p == '"' || str_starts(p, ", \"log_") || (*p == '}' && p + 2 >= line_end);
}

int lvm_log_field(const char *row, const char *name, char *field, size_t size)
{
    size_t used = 0;
    const char *line_end = strchrnul(row, '\n');
    const char *p = field_begin(row, line_end, name);
    if (!p)
        return -ENOENT;
    for (; !ends_here(p, line_end); p++) {
        p += *p == '\\' && p + 1 < line_end;
        if (used + 1 >= size)
            return -ENAMETOOLONG;
        field[used++] = *p;
    }
    used -= used && p < line_end && *p != '"' && field[used - 1] == '\'';
    field[used] = '\0';
    return 0;
}

const char *lvm_find_log_row(const char *from, const char *name, const char *value)
{
    return find_row(from, lvm_log_field, name, value);
}
