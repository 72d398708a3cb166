/* SPDX-License-Identifier: Apache-2.0 */
/* mayfly bench without a volume: what fio tells, medians, the chart; and fio itself over a file that was lent
 * to it. Its steps are for the matrix, real volumes for tests/lab/bench.sh. */
#include "bench/fio-json.h"
#include "cli/svg-chart.h"
#include "unit.h"

#include <fcntl.h>
#include <libxml/parser.h>
#include <libxml/xpath.h>
#include <libxml/xpathInternals.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define MIB (1 << 20)

static void medians(void **state)
{
    double odd[] = {3, 1, 2}, even[] = {4, 1, 3, 2}, one[] = {7};
    (void)state;
    assert_true(bench_median(odd, 3) == 2);
    assert_true(bench_median(even, 4) == 2.5);
    assert_true(bench_median(one, 1) == 7);
    assert_true(bench_median(NULL, 0) == 0);
}

/* What fio-3.33 prints, as far as it is read. */
#define REPORT(error, side, ios, percentile)                                                                 \
    "fio: a warning\nand another\n{\"fio version\": \"fio-3.33\", \"jobs\": [{\"error\": " error ", \"" side \
    "\": {\"bw_bytes\": 4096000, \"iops\": 1000.5, \"total_ios\": " ios                                      \
    ", \"lat_ns\": {\"mean\": 1500.0, \"percentile\": {\"50.000000\": 1000, \"" percentile                   \
    "\": 2000, \"99.900000\": 3000}}}}]}\n"

static void a_report_is_read(void **state)
{
    struct fio_result found;
    struct error e = ERROR_NONE;
    (void)state;
    assert_ok(fio_parse(REPORT("0", "write", "3000", "99.000000"), true, &found, &e), e);
    assert_int_equal(found.ios, 3000);
    assert_true(found.figures.iops == 1000.5 && found.figures.bytes_per_sec == 4096000);
    assert_true(found.figures.mean_usec == 1.5 && found.figures.p50_usec == 1);
    assert_true(found.figures.p99_usec == 2 && found.figures.p999_usec == 3);
}

static void what_is_no_report_is_refused(void **state)
{
    static const char *const texts[] = {"",
                                        "fio: no such option",
                                        "{",
                                        "{}",
                                        "[]",
                                        "{\"jobs\": {}}",
                                        "{\"jobs\": []}",
                                        "{\"jobs\": [1]}",
                                        "{\"jobs\": [{\"error\": 0}]}",
                                        REPORT("5", "read", "3000", "99.000000"),
                                        REPORT("0", "write", "3000", "99.000000"),
                                        REPORT("0", "read", "0", "99.000000"),
                                        REPORT("0", "read", "-1", "99.000000"),
                                        REPORT("0", "read", "\"3\"", "99.000000"),
                                        REPORT("0", "read", "1e999", "99.000000"),
                                        REPORT("0", "read", "3000", "98.000000")};
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        struct fio_result found;
        struct error e = ERROR_NONE;
        if (fio_parse(texts[i], false, &found, &e) != -EPROTO)
            fail_msg("taken as a report: %s", texts[i]);
    }
}

/* ------------------------------------------------------------------------- fio */

/* A file without a name, that can be used with O_DIRECT; -1: this folder has no such. */
static int scratch(void)
{
    int fd = open("/tmp", O_TMPFILE | O_RDWR | O_DIRECT | O_CLOEXEC, 0600);
    if (fd >= 0 && ftruncate(fd, 16 * MIB) < 0)
        fail();
    return fd;
}

static bool ready(int fd)
{
    char why_not[BENCH_WHY_MAX];
    return fd >= 0 && bench_look(why_not, NULL) == 0;
}

static void fio_measures_what_is_lent_to_it(void **state)
{
    const struct bench_cell cell = {
        .job = &bench_jobs[3], .column = BENCH_RAW, .size_bytes = 16 * MIB, .runtime_sec = 1};
    struct bench_figures figures;
    struct error e = ERROR_NONE;
    int fd = scratch();
    (void)state;
    if (!ready(fd)) {
        close(fd);
        skip();
    }
    assert_ok(bench_measure(fd, &cell, &figures, &e), e);
    assert_string_equal(e.text, "");
    assert_true(figures.iops > 0 && figures.p50_usec > 0 && figures.p50_usec <= figures.p999_usec);

    static uint8_t edge[BENCH_EDGE_BYTES] __attribute__((aligned(4096))), zeros[BENCH_EDGE_BYTES];
    assert_int_equal(pread(fd, edge, sizeof edge, 0), sizeof edge);
    assert_memory_equal(edge, zeros, sizeof edge); /* not where the header of LUKS is */
    bool written = false;
    for (off_t at = BENCH_EDGE_BYTES; !written && at < 16 * MIB; at += (off_t)sizeof edge)
        written =
            pread(fd, edge, sizeof edge, at) == (ssize_t)sizeof edge && memcmp(edge, zeros, sizeof edge) != 0;
    assert_true(written);
    close(fd);
}

static bool at_once(void *context)
{
    return *(unsigned *)context += 1;
}

static void fio_is_stopped(void **state)
{
    unsigned asked = 0;
    const struct bench_cell cell = {.job = &bench_jobs[0],
                                    .column = BENCH_RAW,
                                    .size_bytes = 16 * MIB,
                                    .runtime_sec = 3600,
                                    .stopped = at_once,
                                    .context = &asked};
    struct bench_figures figures;
    struct error e = ERROR_NONE;
    int fd = scratch();
    (void)state;
    if (!ready(fd)) {
        close(fd);
        skip();
    }
    assert_error(bench_measure(fd, &cell, &figures, &e), -ECANCELED, e);
    assert_null(strstr(e.text, bench_jobs[0].title)); /* it is nothing of this job's */
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* there is no child any more */
    close(fd);
}

/* ----------------------------------------------------------------------- chart */

static char *chart_of(const char *title, const struct chart_bar bars[], size_t n)
{
    char *text = NULL;
    size_t size = 0;
    struct error e = ERROR_NONE;
    FILE *file = open_memstream(&text, &size);
    assert_ok(chart_write(file, title, bars, n, &e), e);
    fclose(file);
    return text;
}

static int count(xmlDocPtr document, const char *path)
{
    xmlXPathContextPtr context = xmlXPathNewContext(document);
    xmlXPathRegisterNs(context, BAD_CAST "s", BAD_CAST "http://www.w3.org/2000/svg");
    xmlXPathObjectPtr found = xmlXPathEvalExpression(BAD_CAST path, context);
    int n = found && found->nodesetval ? found->nodesetval->nodeNr : 0;
    xmlXPathFreeObject(found);
    xmlXPathFreeContext(context);
    return n;
}

static void a_chart_is_well_formed(void **state)
{
    const struct chart_bar bars[] = {
        {.group = "read", .name = "raw", .text = "100 IOPS", .colour = "#888888", .length = 1},
        {.group = "read", .name = "a<b>&\"c\"", .text = "\x01", .colour = "#118811", .length = 0.5},
        {.group = "write", .name = "raw", .text = "7 IOPS", .colour = "#888888", .length = 1e9},
        {.group = "write", .name = "none", .text = "0 IOPS", .colour = "#888888", .length = -1},
    };
    (void)state;
    char *text = chart_of("Title & more", bars, ARRAY_SIZE(bars));
    xmlDocPtr document = xmlReadMemory(text, (int)strlen(text), "chart", NULL, XML_PARSE_NONET);
    assert_non_null(document);
    assert_int_equal(count(document, "//s:rect[@fill]"), 4);
    assert_int_equal(count(document, "//s:text[@class='group']"), 2);
    assert_int_equal(count(document, "//s:text[.='a<b>&\"c\"']"), 1);
    assert_int_equal(count(document, "//s:title[.='Title & more']"), 1);
    assert_int_equal(count(document, "//s:rect[@fill and @width > //s:svg/@width - @x]"), 0); /* within */
    xmlFreeDoc(document);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(medians),
        cmocka_unit_test(a_report_is_read),
        cmocka_unit_test(what_is_no_report_is_refused),
        cmocka_unit_test(fio_measures_what_is_lent_to_it),
        cmocka_unit_test(fio_is_stopped),
        cmocka_unit_test(a_chart_is_well_formed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
