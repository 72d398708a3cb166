/* SPDX-License-Identifier: Apache-2.0 */
/* See table.h. */
#include "cli/table.h"

#include <assert.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static size_t columns(const struct table *t)
{
    size_t n = 0;
    while (n < TABLE_COLUMNS && t->heading[n])
        n++;
    return n;
}

int table_add(struct table *t, const char *const cells[], size_t n, struct error *e)
{
    assert(n == columns(t));
    char **bigger = reallocarray(t->cells, t->n_cells + n, sizeof *bigger);
    if (!bigger)
        return error_memory(e);
    t->cells = bigger;

    bool whole = true;
    for (size_t i = 0; i < n; i++) {
        char *cell = strdup(cells[i]);
        t->cells[t->n_cells++] = cell;
        whole = whole && cell;
    }
    return whole ? 0 : error_memory(e);
}

static void print_row(const struct table *t, const char *const *row, const size_t *width)
{
    size_t n = columns(t);
    for (size_t i = 0; i < n; i++)
        printf("%-*s%s", i + 1 < n ? (int)width[i] : 0, row[i], i + 1 < n ? "  " : "\n");
}

void table_print(const struct table *t)
{
    size_t n = columns(t), width[TABLE_COLUMNS];
    for (size_t i = 0; i < n; i++)
        width[i] = strlen(t->heading[i]);
    for (size_t i = 0; i < t->n_cells; i++)
        if (strlen(t->cells[i]) > width[i % n])
            width[i % n] = strlen(t->cells[i]);

    print_row(t, t->heading, width);
    for (size_t i = 0; i < t->n_cells; i += n)
        print_row(t, (const char *const *)t->cells + i, width);
}

void table_free(struct table *t)
{
    for (size_t i = 0; i < t->n_cells; i++)
        free(t->cells[i]);
    free(t->cells);
}
