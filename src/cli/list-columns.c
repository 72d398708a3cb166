/* SPDX-License-Identifier: Apache-2.0 */
/* See list-columns.h. */
#include "cli/list-columns.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#define CELL_MAX 512

/* A column has text, or a number. */
struct list_column {
    const char *name, *help;
    bool by_default;
    bool findings;  /* needs the findings of the row */
    bool addresses; /* needs the addresses of the row */
    bool nova;      /* needs what Nova has noted about the instance */
    bool size;      /* its number is a size in bytes */
    void (*text)(const struct list_row *row, char ret[CELL_MAX]);
    uint64_t (*number)(const struct list_row *row);
};

static void name_text(const struct list_row *row, char ret[CELL_MAX])
{
    snprintf(ret, CELL_MAX, "%s", row->instance->name);
}

static void uuid_text(const struct list_row *row, char ret[CELL_MAX])
{
    snprintf(ret, CELL_MAX, "%s", row->instance->uuid);
}

static void state_text(const struct list_row *row, char ret[CELL_MAX])
{
    snprintf(ret, CELL_MAX, "%s%s", instance_state_name(row->instance),
             instance_in_rescue(row->instance) ? ", in rescue" : "");
}

static uint64_t disks_number(const struct list_row *row)
{
    return row->instance->n_volumes;
}

static uint64_t open_number(const struct list_row *row)
{
    const struct instance *i = row->instance;
    uint64_t n = 0;
    for (size_t d = 0; d < i->n_volumes; d++)
        n += model_map_of(row->model, i->volumes[d]) != NULL;
    return n;
}

static uint64_t size_number(const struct list_row *row)
{
    uint64_t bytes = 0;
    for (size_t d = 0; d < row->instance->n_volumes; d++)
        bytes += row->instance->volumes[d]->size_bytes;
    return bytes;
}

/* Writes "encrypted", "plain" (made with encryption off), or "mixed". */
static void protection_text(const struct list_row *row, char ret[CELL_MAX])
{
    const struct instance *i = row->instance;
    size_t encrypted = 0;
    for (size_t d = 0; d < i->n_volumes; d++)
        encrypted += volume_encrypted(i->volumes[d]);
    snprintf(ret, CELL_MAX, "%s", encrypted == i->n_volumes ? "encrypted" : encrypted ? "mixed" : "plain");
}

static void group_text(const struct list_row *row, char ret[CELL_MAX])
{
    snprintf(ret, CELL_MAX, "%s", row->instance->volumes[0]->vg);
}

static void key_text(const struct list_row *row, char ret[CELL_MAX])
{
    const struct volume *first = row->instance->volumes[0];
    snprintf(ret, CELL_MAX, "%s", volume_encrypted(first) ? first->key : "-");
}

static void address_text(const struct list_row *row, char ret[CELL_MAX])
{
    char text[ADDRESSES_TEXT_MAX];
    snprintf(ret, CELL_MAX, "%.511s", addresses_text(&row->addresses, text));
}

static void findings_text(const struct list_row *row, char ret[CELL_MAX])
{
    snprintf(ret, CELL_MAX, "%s", row->findings);
}

/* Writes foreign text without control characters, which a terminal would obey. */
static void nova_text(const char *text, char ret[CELL_MAX])
{
    snprintf(ret, CELL_MAX, "%s", text ? text : "-");
    str_tame(ret);
}

static void server_text(const struct list_row *row, char ret[CELL_MAX])
{
    nova_text(row->nova ? row->nova->name : NULL, ret);
}

static void project_text(const struct list_row *row, char ret[CELL_MAX])
{
    nova_text(row->nova ? row->nova->project : NULL, ret);
}

static const struct list_column columns[] = {
    {"Name", "name, as libvirt has it", true, .text = name_text},
    {"UUID", "UUID of the instance and its domain", true, .text = uuid_text},
    {"State", "see mayfly-states(7)", true, .text = state_text},
    {"Address", "addresses that libvirt knows", true, .addresses = true, .text = address_text},
    {"Disks", "number of disks", true, .number = disks_number},
    {"Open", "number of encrypted disks that are open", .number = open_number},
    {"Size", "size of all disks together", true, .size = true, .number = size_number},
    {"Group", "volume group of the first disk", .text = group_text},
    {"Key", "reference of the first disk's key", .text = key_text},
    {"Server", "name of the server in OpenStack Nova", .nova = true, .text = server_text},
    {"Project", "its project there", .nova = true, .text = project_text},
    {"Protection", "encrypted, plain or mixed", true, .text = protection_text},
    {"Findings", "what was done without Mayfly, see mayfly-states(7)", true, .findings = true,
     .text = findings_text},
};

void list_choice_default(struct list_choice *ret)
{
    *ret = (struct list_choice){.sort = &columns[0]};
    for (size_t i = 0; i < ARRAY_SIZE(columns); i++)
        if (columns[i].by_default)
            ret->column[ret->n++] = &columns[i];
}

static int find_column(const char *name, size_t length, const struct list_column **ret, struct error *e)
{
    for (size_t i = 0; i < ARRAY_SIZE(columns); i++)
        if (strlen(columns[i].name) == length && strncasecmp(columns[i].name, name, length) == 0) {
            *ret = &columns[i];
            return 0;
        }
    return error_set(e, -EINVAL, "'%.*s' is not a column; see mayfly list --output help", (int)length, name);
}

int list_choose(struct list_choice *c, const char *text, struct error *e)
{
    if (*text == '+')
        text++;
    else
        c->n = 0;
    for (;; text++) {
        size_t length = strcspn(text, ",");
        if (c->n == TABLE_COLUMNS)
            return error_set(e, -EINVAL, "there are at most %d columns", TABLE_COLUMNS);
        int r = find_column(text, length, &c->column[c->n], e);
        if (r < 0)
            return r;
        c->n++;
        text += length;
        if (!*text)
            return 0;
    }
}

int list_choose_sort(struct list_choice *c, const char *column, struct error *e)
{
    c->descending = *column == '-';
    column += c->descending;
    return find_column(column, strlen(column), &c->sort, e);
}

void list_print_columns(void)
{
    for (size_t i = 0; i < ARRAY_SIZE(columns); i++)
        printf("%-11s %s\n", columns[i].name, columns[i].help);
}

bool list_wants_findings(const struct list_choice *c)
{
    bool wants = c->sort->findings;
    for (size_t i = 0; i < c->n; i++)
        wants = wants || c->column[i]->findings;
    return wants;
}

bool list_wants_addresses(const struct list_choice *c)
{
    bool wants = c->sort->addresses;
    for (size_t i = 0; i < c->n; i++)
        wants = wants || c->column[i]->addresses;
    return wants;
}

bool list_wants_nova(const struct list_choice *c)
{
    bool wants = c->sort->nova;
    for (size_t i = 0; i < c->n; i++)
        wants = wants || c->column[i]->nova;
    return wants;
}

/* Compares numbers within names by value, so that ci-2 comes before ci-10. Equal rows are sorted by name,
 * then uuid. */
static int compare_names(const struct list_row *a, const struct list_row *b)
{
    int order = strverscmp(a->instance->name, b->instance->name);
    return order ? order : strcmp(a->instance->uuid, b->instance->uuid);
}

static int compare(const void *x, const void *y, void *choice)
{
    const struct list_choice *c = choice;
    const struct list_row *a = x, *b = y;
    char text_a[CELL_MAX], text_b[CELL_MAX];
    int order = 0;
    if (c->sort->number) {
        uint64_t number_a = c->sort->number(a), number_b = c->sort->number(b);
        order = number_a < number_b ? -1 : number_a > number_b;
    } else {
        c->sort->text(a, text_a);
        c->sort->text(b, text_b);
        order = strverscmp(text_a, text_b);
    }
    if (order == 0)
        return compare_names(a, b);
    return c->descending ? -order : order;
}

void list_sort(const struct list_choice *c, struct list_row *rows, size_t n)
{
    if (n > 0)
        qsort_r(rows, n, sizeof *rows, compare, (void *)c);
}

static void fill_cell(const struct list_choice *c, const struct list_column *column,
                      const struct list_row *row, char ret[CELL_MAX])
{
    if (column->text)
        column->text(row, ret);
    else if (column->size && !c->bytes)
        str_from_bytes(column->number(row), ret, CELL_MAX);
    else
        snprintf(ret, CELL_MAX, "%" PRIu64, column->number(row));
}

int list_fill(const struct list_choice *c, const struct list_row *rows, size_t n, struct table *t,
              struct error *e)
{
    char text[TABLE_COLUMNS][CELL_MAX];
    const char *cells[TABLE_COLUMNS];
    int r = 0;
    for (size_t i = 0; i < c->n; i++) {
        t->heading[i] = c->column[i]->name;
        cells[i] = text[i];
    }
    for (size_t row = 0; r == 0 && row < n; row++) {
        for (size_t i = 0; i < c->n; i++)
            fill_cell(c, c->column[i], &rows[row], text[i]);
        r = table_add(t, cells, c->n, e);
    }
    return r;
}
