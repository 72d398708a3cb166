/* SPDX-License-Identifier: Apache-2.0 */
/* A table for people: columns as wide as their widest cell, two blanks between them.
 *
 *     struct table t = TABLE("Name", "State");
 *     r = table_row(&t, e, "ci-1", "running");
 *     table_print(&t);
 */
#pragma once

#include "base/error.h"

#include <stdbool.h>

#define TABLE_COLUMNS 16

struct table {
    const char *heading[TABLE_COLUMNS + 1]; /* end with a NULL */
    char **cells;                           /* owned; row after row */
    size_t n_cells;
    bool bare; /* no headings are printed */
};

/* Makes a table of these headings. Too many headings do not compile. */
#define TABLE(...)                                                                                           \
    ((struct table){.heading = {__VA_ARGS__},                                                                \
                    .n_cells = 0 * sizeof(struct {                                                           \
                                   _Static_assert(sizeof((const char *[]){__VA_ARGS__}) / sizeof(char *) <=  \
                                                      TABLE_COLUMNS,                                         \
                                                  "a table has at most TABLE_COLUMNS columns");              \
                                   int unused;                                                               \
                               })})

/* Adds a row: table_row(t, e, CELL...), one `const char *` for each column. They are copied. */
#define table_row(t, e, ...)                                                                                 \
    table_add((t), (const char *const[]){__VA_ARGS__}, ARRAY_SIZE(((const char *[]){__VA_ARGS__})), (e))
int table_add(struct table *t, const char *const cells[], size_t n, struct error *e) _must_check_;
void table_print(const struct table *t);
void table_free(struct table *t);
#define _cleanup_table_ _cleanup_(table_free)
