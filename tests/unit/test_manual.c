/* SPDX-License-Identifier: Apache-2.0 */
/* mayfly help: man shows the page that is installed with this program, if there is one. */
#include "unit.h"

#include "build-config.h"
#include "cli/manual.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char *installed; /* the page that is there; NULL: none */
static char command[400];     /* that mayfly became; "": it did not */

int __wrap_access(const char *path, int mode);
int __wrap_access(const char *path, int mode)
{
    assert_int_equal(mode, R_OK);
    return installed && strcmp(path, installed) == 0 ? 0 : -1;
}

int __wrap_execlp(const char *file, const char *first, ...);
int __wrap_execlp(const char *file, const char *first, ...)
{
    va_list ap;
    va_start(ap, first);
    snprintf(command, sizeof command, "%s: %s %s", file, first, va_arg(ap, const char *));
    assert_null(va_arg(ap, const char *));
    va_end(ap);
    errno = ENOENT;
    return -1;
}

static void man_shows_the_page_of_this_program(void **state)
{
    static const struct {
        const char *verb, *page;
    } rows[] = {
        {"add-disk", MAYFLY_MANDIR "/man1/mayfly-add-disk.1"},
        {"list", MAYFLY_MANDIR "/man1/mayfly-list.1.gz"},
        {NULL, MAYFLY_MANDIR "/man1/mayfly.1"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char wanted[400];
        snprintf(wanted, sizeof wanted, "man: man %s", rows[i].page);
        command[0] = '\0';
        installed = rows[i].page;
        manual_show(rows[i].verb); /* returns, as where there is no man */
        assert_string_equal(command, wanted);
    }
}

static void without_a_page_nothing_is_run(void **state)
{
    (void)state;
    command[0] = '\0';
    installed = NULL;
    manual_show("list");
    manual_show(NULL);
    assert_string_equal(command, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(man_shows_the_page_of_this_program),
                                       cmocka_unit_test(without_a_page_nothing_is_run)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
