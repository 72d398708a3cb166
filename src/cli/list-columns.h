/* SPDX-License-Identifier: Apache-2.0 */
/* The columns that mayfly list has, which of them are printed, and by which it sorts. */
#pragma once

#include "cli/addresses.h"
#include "cli/table.h"
#include "instance/model.h"

#define FINDINGS_TEXT_MAX 200

struct list_row {
    const struct model *model;
    const struct instance *instance;
    struct domain_addresses addresses; /* for a table, only filled in with list_wants_addresses() */
    char findings[FINDINGS_TEXT_MAX];  /* only filled in with list_wants_findings() */
    const struct nova_server *nova;    /* NULL: not looked at, as in a table without list_wants_nova() */
};

struct list_column;
struct list_choice {
    const struct list_column *column[TABLE_COLUMNS];
    size_t n;
    const struct list_column *sort;
    bool descending;
    bool bytes; /* sizes in bytes, not for people */
};

/* Chooses the default columns, sorted by name. */
void list_choice_default(struct list_choice *ret);

/* Chooses columns: "NAME,STATE"; "+OPEN" adds one to the others. Letters may be small. -EINVAL. */
int list_choose(struct list_choice *c, const char *columns, struct error *e) _must_check_;

/* Chooses the column to sort by: "SIZE", "-SIZE". -EINVAL. */
int list_choose_sort(struct list_choice *c, const char *column, struct error *e) _must_check_;

void list_print_columns(void);
bool list_wants_findings(const struct list_choice *c);
bool list_wants_addresses(const struct list_choice *c);
bool list_wants_nova(const struct list_choice *c);
void list_sort(const struct list_choice *c, struct list_row *rows, size_t n);
int list_fill(const struct list_choice *c, const struct list_row *rows, size_t n, struct table *t,
              struct error *e) _must_check_;
