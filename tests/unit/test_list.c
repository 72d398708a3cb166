/* SPDX-License-Identifier: Apache-2.0 */
/* mayfly list: which instances, in which columns, in which order. */
#include "cli/list-filter.h"
#include "instances.h"

#include <stdio.h>

/* The cells of what would be printed: rows separated by '\n', cells by '|'. */
static const char *listed(struct bench *b, const struct list_filter *f, const struct list_choice *c)
{
    static char text[2000];
    _cleanup_model_ struct model *m = NULL;
    _cleanup_free_ struct list_row *rows = NULL;
    _cleanup_table_ struct table t = {.bare = true};
    struct error e = ERROR_NONE;
    size_t n = 0, used = 0;
    assert_ok(model_load(&b->f.context, &m, &e), e);
    assert_ok(list_filter(m, f, &rows, &n, &e), e);
    list_sort(c, rows, n);
    assert_ok(list_fill(c, rows, n, &t, &e), e);
    text[0] = '\0';
    for (size_t i = 0; i < t.n_cells; i++)
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%c", t.cells[i],
                                 (i + 1) % c->n ? '|' : '\n');
    return text;
}

static struct list_choice chosen(const char *columns, const char *sort)
{
    struct list_choice c;
    struct error e = ERROR_NONE;
    list_choice_default(&c);
    assert_ok(list_choose(&c, columns, &e), e);
    if (sort)
        assert_ok(list_choose_sort(&c, sort, &e), e);
    return c;
}

static void make_some(struct bench *b)
{
    static const struct launch_request big = {.name = "big", .count = 1, .disks.root_bytes = 4 * GIB};
    struct error e = ERROR_NONE;
    bench_make(b, "ci-10", true);
    bench_make(b, "ci-9", false);
    assert_ok(bench_launch(b, &big, &e), e);
}

static void columns_are_chosen(void **state)
{
    struct bench *b = *state;
    const struct list_filter all = {.states = NULL};
    make_some(b);
    struct list_choice c = chosen("name,State,SIZE,disks,open,group,protection", NULL);
    assert_string_equal(listed(b, &all, &c), "big|running|4 GiB|1|1|vg0|encrypted\n"
                                             "ci-9|running|2 GiB|2|2|vg0|encrypted\n"
                                             "ci-10|shut off|2 GiB|2|0|vg0|encrypted\n");
    assert_false(list_wants_findings(&c));
    assert_false(list_wants_addresses(&c));
    c = chosen("size", NULL);
    c.bytes = true;
    assert_string_equal(listed(b, &all, &c), "4294967296\n2147483648\n2147483648\n");
    c = chosen("+Key", NULL);
    assert_int_equal(c.n, 9);
    assert_true(list_wants_findings(&c));
    assert_true(list_wants_addresses(&c));
    assert_non_null(strstr(listed(b, &all, &c), "|local:"));
}

/* Nova's names and projects; an instance of nobody's has none. A terminal obeys nothing of them. */
static void novas_names_are_columns(void **state)
{
    struct bench *b = *state;
    struct nova_server web = {.name = (char *)"web\033[2J", .project = (char *)"shop"};
    struct error e = ERROR_NONE;
    make_some(b);
    _cleanup_model_ struct model *m = NULL;
    _cleanup_table_ struct table t = {.bare = true};
    struct list_choice c = chosen("server,project", "-server");
    assert_true(list_wants_nova(&c));
    assert_false(list_wants_findings(&c));
    assert_ok(model_load(&b->f.context, &m, &e), e);
    struct list_row rows[] = {{.model = m, .instance = &m->instances[0]},
                              {.model = m, .instance = &m->instances[1], .nova = &web}};
    list_sort(&c, rows, 2);
    assert_ok(list_fill(&c, rows, 2, &t, &e), e);
    assert_int_equal(t.n_cells, 4);
    assert_string_equal(t.cells[0], "web?[2J");
    assert_string_equal(t.cells[1], "shop");
    assert_string_equal(t.cells[2], "-");
    assert_string_equal(t.cells[3], "-");
}

static void they_are_sorted(void **state)
{
    struct bench *b = *state;
    const struct list_filter all = {.states = NULL};
    make_some(b);
    struct list_choice c = chosen("name", "size");
    assert_string_equal(listed(b, &all, &c), "ci-9\nci-10\nbig\n");
    c = chosen("name", "-size");
    assert_string_equal(listed(b, &all, &c), "big\nci-9\nci-10\n");
    c = chosen("name", "-name");
    assert_string_equal(listed(b, &all, &c), "ci-10\nci-9\nbig\n");
}

static void what_is_no_column_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"", "nam", "names", "name,", ",name", "+", "name,,size", "name size"};
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        struct list_choice c;
        struct error e = ERROR_NONE;
        list_choice_default(&c);
        assert_error(list_choose(&c, bad[i], &e), -EINVAL, e);
        e = ERROR_NONE;
        assert_error(list_choose_sort(&c, bad[i], &e), -EINVAL, e);
    }
}

static const char *fitting(struct bench *b, const char *states, const char *pattern)
{
    char word[64] = "";
    char *patterns[] = {word};
    snprintf(word, sizeof word, "%s", pattern ? pattern : "");
    const struct list_filter f = {.states = states, .patterns = patterns, .n_patterns = pattern ? 1 : 0};
    struct list_choice c = chosen("name", NULL);
    return listed(b, &f, &c);
}

static void some_are_chosen(void **state)
{
    struct bench *b = *state;
    make_some(b);
    assert_string_equal(fitting(b, "running", NULL), "big\nci-9\n");
    assert_string_equal(fitting(b, "shut-off", NULL), "ci-10\n");
    assert_string_equal(fitting(b, "shut off,running", NULL), "big\nci-9\nci-10\n");
    assert_string_equal(fitting(b, "open,paused", NULL), "");
    assert_string_equal(fitting(b, NULL, "ci-*"), "ci-9\nci-10\n");
    assert_string_equal(fitting(b, "running", "ci-*"), "ci-9\n");
    assert_string_equal(fitting(b, NULL, "nobody*"), "");
    assert_string_equal(fitting(b, NULL, "big"), "big\n");
    assert_string_equal(fitting(b, NULL, b->w->host.volumes[0].v.instance), "ci-10\n");

    const struct list_filter elsewhere = {.volume_group = "vg1"};
    struct list_choice c = chosen("name", NULL);
    assert_string_equal(listed(b, &elsewhere, &c), "");
}

/* It would look as if there were none. */
static void slips_are_refused(void **state)
{
    struct bench *b = *state;
    _cleanup_model_ struct model *m = NULL;
    struct list_row *rows = NULL;
    struct error e = ERROR_NONE;
    size_t n = 0;
    static const char *const bad[] = {"",         "runing", "running,",
                                      "shut_off", "run",    "shut off please, and a long word"};
    make_some(b);
    assert_ok(list_check_states("running,in-rescue,no domain,shut-off", &e), e);
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        e = ERROR_NONE;
        assert_error(list_check_states(bad[i], &e), -EINVAL, e);
    }
    e = ERROR_NONE;
    assert_ok(list_check_group(b->f.context.config, "vg0", &e), e);
    assert_error(list_check_group(b->f.context.config, "vg00", &e), -EINVAL, e);

    e = ERROR_NONE;
    assert_ok(model_load(&b->f.context, &m, &e), e);
    char big[] = "big", nobody[] = "ci-1", *patterns[] = {big, nobody};
    assert_error(list_filter(m, &(struct list_filter){.patterns = patterns, .n_patterns = 2}, &rows, &n, &e),
                 -ENOENT, e);
    assert_non_null(strstr(e.text, "ci-1"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        bench_test(columns_are_chosen),      bench_test(they_are_sorted),
        bench_test(novas_names_are_columns), cmocka_unit_test(what_is_no_column_is_refused),
        bench_test(some_are_chosen),         bench_test(slips_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
