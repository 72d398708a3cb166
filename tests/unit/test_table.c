/* SPDX-License-Identifier: Apache-2.0 */
/* Tables line up on a terminal, whatever the names of domains are. */
#include "base/str.h"
#include "cli/table.h"
#include "unit.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* What is printed, as one text. */
static void print(const struct table *t, char *text, size_t size)
{
    FILE *file = tmpfile();
    int saved = dup(STDOUT_FILENO);
    assert_non_null(file);
    fflush(stdout);
    dup2(fileno(file), STDOUT_FILENO);
    table_print(t);
    fflush(stdout);
    dup2(saved, STDOUT_FILENO);
    close(saved);
    rewind(file);
    text[fread(text, 1, size - 1, file)] = '\0';
    fclose(file);
}

static void columns_are_those_of_a_terminal(void **state)
{
    (void)state;
    _cleanup_table_ struct table t = TABLE("Name", "State");
    struct error e = ERROR_NONE;
    char text[500];
    assert_ok(table_row(&t, &e, "abcdef", "one"), e);
    assert_ok(table_row(&t, &e, "größe", "two"), e);
    assert_ok(table_row(&t, &e, "仮想", "three"), e);              /* two columns each */
    assert_ok(table_row(&t, &e, "e\xcc\x81t\xc3\xa9", "four"), e); /* an accent of its own */
    assert_ok(table_row(&t, &e, "\xff\xfe", "five"), e);           /* no UTF-8 */
    print(&t, text, sizeof text);
    assert_string_equal(text, "Name    State\n"
                              "abcdef  one\n"
                              "größe   two\n"
                              "仮想    three\n"
                              "e\xcc\x81t\xc3\xa9     four\n"
                              "\xff\xfe      five\n");
    t.bare = true;
    t.heading[0] = "A heading that is longer than all cells";
    print(&t, text, sizeof text);
    assert_true(str_starts(text, "abcdef  one\n"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(columns_are_those_of_a_terminal)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
