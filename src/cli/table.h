/* SPDX-License-Identifier: Apache-2.0 */
/* A table for people: columns as wide as their widest cell, two blanks between them.
 *
 *     struct table t = TABLE("Name", "State", NULL);
 *     r = table_row(&t, e, "ci-1", "running");
 *     table_print(&t);
 */
#pragma once

#include "base/error.h"

#define TABLE_COLUMNS 8

struct table {
    const char *heading[TABLE_COLUMNS + 1]; /* up to the first NULL */
    char **cells;                           /* owned; row after row */
    size_t n_cells;
};

#define TABLE(...) ((struct table){.heading = {__VA_ARGS__}})

/* One `const char *` for each column; they are copied. */
int table_row(struct table *t, struct error *e, ...) _must_check_;
void table_print(const struct table *t);
void table_free(struct table *t);
#define _cleanup_table_ _cleanup_(table_free)
