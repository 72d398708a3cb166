/* SPDX-License-Identifier: Apache-2.0 */
/* See table.h. */
#include "cli/table.h"

#include <assert.h>
#include <limits.h>
#include <locale.h>
#include <stdio.h>
#include <string.h>
#include <wchar.h>

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

/* Returns how many columns of a terminal the text takes. Each byte that is not UTF-8 counts as one. */
static size_t width_of(const char *text)
{
    locale_t utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
    locale_t before = utf8 ? uselocale(utf8) : (locale_t)0;
    mbstate_t state = {0};
    size_t width = 0;
    for (size_t n; *text; text += n) {
        wchar_t c = 0;
        n = mbrtowc(&c, text, MB_LEN_MAX, &state);
        bool valid = n != 0 && n <= MB_LEN_MAX;
        int columns = valid ? wcwidth(c) : 1;
        width += columns > 0 ? (size_t)columns : 0;
        if (!valid) {
            n = 1;
            state = (mbstate_t){0};
        }
    }
    if (utf8) {
        uselocale(before);
        freelocale(utf8);
    }
    return width;
}

static void print_row(const struct table *t, const char *const *row, const size_t *width)
{
    size_t n = columns(t);
    for (size_t i = 0; i + 1 < n; i++)
        printf("%s%*s", row[i], (int)(width[i] - width_of(row[i])) + 2, "");
    printf("%s\n", row[n - 1]);
}

void table_print(const struct table *t)
{
    size_t n = columns(t), width[TABLE_COLUMNS];
    for (size_t i = 0; i < n; i++)
        width[i] = t->bare ? 0 : width_of(t->heading[i]);
    for (size_t i = 0; i < t->n_cells; i++) {
        size_t cell = width_of(t->cells[i]);
        width[i % n] = cell > width[i % n] ? cell : width[i % n];
    }

    if (!t->bare)
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
