/* SPDX-License-Identifier: Apache-2.0 */
/* mayfly bench without a volume: what fio tells, medians, the chart; and fio itself over a file that was lent
 * to it, and servers of vhost-user over the same. Its steps are for the matrix, real volumes for
 * tests/lab/bench.sh. */
#include "base/fd.h"
#include "bench/fio-json.h"
#include "bench/load.h"
#include "bench/vhost-server.h"
#include "cli/svg-chart.h"
#include "image/qemu.h"
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <liburing.h>
#include <libxml/parser.h>
#include <libxml/xpath.h>
#include <libxml/xpathInternals.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
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

static void assert_near(uint64_t found, uint64_t wanted)
{
    if (found > wanted || (wanted - found) * 64 > wanted)
        fail_msg("%" PRIu64 " is not %" PRIu64 ", nor a 64th less", found, wanted);
}

static void latencies_are_summed_up(void **state)
{
    static struct latencies l, more;
    (void)state;
    assert_int_equal(latencies_percentile_nsec(&l, 0.5), 0);
    assert_true(latencies_mean_nsec(&l) == 0);
    for (uint64_t i = 1; i <= 1000; i++)
        latencies_add(i % 2 ? &l : &more, i * 1000);
    latencies_join(&l, &more);
    assert_int_equal(l.n, 1000);
    assert_true(latencies_mean_nsec(&l) == 500500);
    assert_near(latencies_percentile_nsec(&l, 0.5), 500000);
    assert_near(latencies_percentile_nsec(&l, 0.99), 990000);
    assert_near(latencies_percentile_nsec(&l, 0.999), 999000);
    latencies_add(&l, 0);
    latencies_add(&l, UINT64_MAX);
    assert_near(latencies_percentile_nsec(&l, 1), UINT64_MAX);
    assert_int_equal(latencies_percentile_nsec(&l, 0), 64);
}

/* What fio-3.33 prints, as far as it is read. */
#define REPORT(error, side, ios, percentile)                                                                 \
    "fio: a warning\nand another\n{\"fio version\": \"fio-3.33\", \"jobs\": [{\"error\": " error ", \"" side \
    "\": {\"bw_bytes\": 4096000, \"iops\": 1000.5, \"total_ios\": " ios                                      \
    ", \"lat_ns\": {\"mean\": 1500.0, \"percentile\": {\"50.000000\": 1000, \"" percentile                   \
    "\": 2000, \"99.900000\": 3000}}}}]}\n"

static void a_report_is_read(void **state)
{
    struct measured found;
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
        struct measured found;
        struct error e = ERROR_NONE;
        if (fio_parse(texts[i], false, &found, &e) != -EPROTO)
            fail_msg("taken as a report: %s", texts[i]);
    }
}

/* ---------------------------------------------------------------------- fio */

/* A file without a name, that can be used with O_DIRECT; -1: this folder has no such. */
static int scratch(void)
{
    int fd = open("/tmp", O_TMPFILE | O_RDWR | O_DIRECT | O_CLOEXEC, 0600);
    if (fd >= 0 && ftruncate(fd, 16 * MIB) < 0)
        fail();
    return fd;
}

/* The same, where fio can use it; elsewhere the test is skipped. */
static int scratch_for_fio(void)
{
    char why_not[BENCH_PAIRS][BENCH_WHY_MAX];
    int fd = scratch();
    if (fd < 0 || bench_look(why_not, NULL) < 0) {
        close(fd);
        skip();
    }
    return fd;
}

static void fio_measures_what_is_lent_to_it(void **state)
{
    const struct bench_cell cell = {
        .job = &bench_jobs[3], .column = BENCH_RAW, .size_bytes = 16 * MIB, .runtime_sec = 1};
    struct bench_figures figures;
    struct error e = ERROR_NONE;
    int fd = scratch_for_fio();
    (void)state;
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
    int fd = scratch_for_fio();
    (void)state;
    assert_error(bench_measure(fd, &cell, &figures, &e), -ECANCELED, e);
    assert_null(strstr(e.text, bench_jobs[0].title)); /* it is nothing of this job's */
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* there is no child any more */
    close(fd);
}

static bool as_device;

/* --wrap: QEMU takes a file for a device only where it is told that it is a file. */
int __real_qemu_view_make(const struct qemu_file *f, struct qemu_view *ret, struct error *e);
int __wrap_qemu_view_make(const struct qemu_file *f, struct qemu_view *ret, struct error *e);
int __wrap_qemu_view_make(const struct qemu_file *f, struct qemu_view *ret, struct error *e)
{
    struct qemu_file file = *f;
    file.device = as_device;
    return __real_qemu_view_make(&file, ret, e);
}

static bool no_folder;

char *__real_mkdtemp(char *path);
char *__wrap_mkdtemp(char *path);
char *__wrap_mkdtemp(char *path)
{
    errno = ENOSPC;
    return no_folder ? NULL : __real_mkdtemp(path);
}

static bool speaks_nbd(int fd)
{
    char why_not[BENCH_PAIRS][BENCH_WHY_MAX];
    return fd >= 0 && bench_look(why_not, NULL) == 0 && !why_not[BENCH_PAIR_NBD][0];
}

/* Over the file as it is, and as LUKS, whose header is then where no other cell writes. */
static void qemu_is_measured_too(void **state)
{
    static const enum bench_column columns[] = {BENCH_NBD, BENCH_QEMU_LUKS};
    int fd = scratch();
    (void)state;
    if (!speaks_nbd(fd)) {
        close(fd);
        skip();
    }
    for (size_t i = 0; i < ARRAY_SIZE(columns); i++) {
        static uint8_t edge[4096] __attribute__((aligned(4096)));
        const struct bench_cell cell = {
            .job = &bench_jobs[4], .column = columns[i], .size_bytes = 16 * MIB, .runtime_sec = 1};
        struct bench_figures figures;
        struct error e = ERROR_NONE;
        assert_ok(bench_measure(fd, &cell, &figures, &e), e);
        assert_true(figures.iops > 0 && figures.bytes_per_sec > figures.iops && figures.cpu_usec >= 0);
        assert_int_equal(pread(fd, edge, sizeof edge, 0), sizeof edge);
        assert_int_equal(memcmp(edge, "LUKS\xba\xbe", 6) == 0, columns[i] == BENCH_QEMU_LUKS);
    }
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    close(fd);
}

/* What cannot be measured is told with the cell. */
static void assert_not_measured(int fd, enum bench_column column, unsigned job, int wanted, const char *why)
{
    const struct bench_cell cell = {
        .job = &bench_jobs[job], .column = column, .size_bytes = 16 * MIB, .runtime_sec = 1};
    struct bench_figures figures;
    struct error e = ERROR_NONE;
    assert_error(bench_measure(fd, &cell, &figures, &e), wanted, e);
    if (!strstr(e.text, why) || !strstr(e.text, bench_jobs[job].title) ||
        !strstr(e.text, bench_column_name(column)))
        fail_msg("'%s' does not say '%s' of its cell", e.text, why);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

static void what_cannot_be_measured_is_told(void **state)
{
    char name[64];
    int fd = scratch(), memory = memfd_create("no-direct", MFD_CLOEXEC);
    (void)state;
    if (!speaks_nbd(fd)) {
        close(fd);
        skip();
    }
    snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
    int read_only = open(name, O_RDONLY | O_CLOEXEC);
    assert_true(memory >= 0 && read_only >= 0);
    if (fcntl(memory, F_SETFL, O_DIRECT) < 0)
        assert_not_measured(memory, BENCH_RAW, 0, -EINVAL, "without the page cache");
    assert_not_measured(read_only, BENCH_RAW, 1, -EIO, "fio: exited with status 1: ");
    assert_not_measured(read_only, BENCH_QEMU_LUKS, 0, -EBADF, "a LUKS header cannot be written");
    no_folder = true;
    assert_not_measured(fd, BENCH_NBD, 0, -ENOSPC, "a folder for its socket cannot be made in TMPDIR");
    assert_not_measured(fd, BENCH_QEMU_LUKS, 0, -ENOSPC, "a file for its LUKS header cannot be made");
    no_folder = false;
    as_device = true; /* which it is not */
    assert_not_measured(fd, BENCH_NBD, 0, -EIO, "(qemu-nbd: ");
    as_device = false;
    close(read_only);
    close(memory);
    close(fd);
}

/* --------------------------------------------------------------- vhost-user */

static int ring_result;

int __real_io_uring_queue_init(unsigned entries, struct io_uring *ring, unsigned flags);
int __wrap_io_uring_queue_init(unsigned entries, struct io_uring *ring, unsigned flags);
int __wrap_io_uring_queue_init(unsigned entries, struct io_uring *ring, unsigned flags)
{
    return ring_result < 0 ? ring_result : __real_io_uring_queue_init(entries, ring, flags);
}

static unsigned late_sec;

int __real_clock_gettime(clockid_t clock, struct timespec *t);
int __wrap_clock_gettime(clockid_t clock, struct timespec *t);
int __wrap_clock_gettime(clockid_t clock, struct timespec *t)
{
    int r = __real_clock_gettime(clock, t);
    t->tv_sec += late_sec;
    return r;
}

static void a_pair_that_is_left_out_has_its_reason(void **state)
{
    char why_not[BENCH_PAIRS][BENCH_WHY_MAX];
    const struct {
        int result;
        const char *why;
    } cases[] = {{-EPERM, "kernel.io_uring_disabled"}, {-ENOSYS, "io_uring cannot be used here: Function"}};
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        ring_result = cases[i].result;
        if (bench_look(why_not, NULL) < 0 || strstr(why_not[BENCH_PAIR_VHOST], "there is no"))
            skip();
        assert_non_null(strstr(why_not[BENCH_PAIR_VHOST], cases[i].why));
        assert_null(strstr(why_not[BENCH_PAIR_NBD], "io_uring"));
    }
    ring_result = 0;
}

/* A scratch file, where servers of vhost-user-blk can be measured; elsewhere the test is skipped. */
static int scratch_for_vhost(void)
{
    char why_not[BENCH_PAIRS][BENCH_WHY_MAX];
    int fd = scratch();
    if (fd < 0 || bench_look(why_not, NULL) < 0 || why_not[BENCH_PAIR_VHOST][0]) {
        close(fd);
        skip();
    }
    assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0); /* a worker that is left would be our child */
    return fd;
}

static void assert_nobody_is_left(void)
{
    while (waitpid(-1, NULL, WNOHANG) > 0)
        continue; /* what has ended */
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

static const enum bench_column vhost_columns[] = {BENCH_VHOST, BENCH_OURS_USER};

static struct bench_cell vhost_cell(enum bench_column column, unsigned job, const struct secret *key)
{
    return (struct bench_cell){.job = &bench_jobs[job],
                               .column = column,
                               .size_bytes = 16 * MIB,
                               .runtime_sec = 1,
                               .volume_key = key,
                               .sector_bytes = 4096};
}

/* Fills the file, so that one can see where it was written to. */
static void fill(int fd)
{
    static uint8_t block[MIB] __attribute__((aligned(4096)));
    memset(block, 'f', sizeof block);
    for (off_t at = 0; at < 16 * MIB; at += MIB)
        assert_int_equal(pwrite(fd, block, sizeof block, at), sizeof block);
}

/* Returns how many blocks of the range are not as they were filled. */
static unsigned changed(int fd, off_t from, off_t to)
{
    static uint8_t block[4096] __attribute__((aligned(4096)));
    unsigned n = 0;
    for (off_t at = from; at < to; at += (off_t)sizeof block) {
        assert_int_equal(pread(fd, block, sizeof block, at), sizeof block);
        n += block[0] != 'f' || memcmp(block, block + 1, sizeof block - 1) != 0;
    }
    return n;
}

static void servers_of_vhost_user_are_measured(void **state)
{
    static const unsigned jobs[] = {0, 3, 4, 5};
    _cleanup_secret_ struct secret *key = NULL;
    struct error e = ERROR_NONE;
    int fd = scratch_for_vhost();
    (void)state;
    assert_ok(secret_random(64, &key, &e), e);
    for (size_t i = 0; i < ARRAY_SIZE(vhost_columns); i++)
        for (size_t j = 0; j < ARRAY_SIZE(jobs); j++) {
            const struct bench_cell cell = vhost_cell(vhost_columns[i], jobs[j], key);
            struct bench_figures f;
            fill(fd);
            assert_ok(bench_measure(fd, &cell, &f, &e), e);
            assert_true(f.iops > 0 && f.cpu_usec >= 0 && f.mean_usec > 0);
            assert_true(f.bytes_per_sec > f.iops * 4095);
            assert_true(f.p50_usec > 0 && f.p50_usec <= f.p99_usec && f.p99_usec <= f.p999_usec);
            assert_int_equal(changed(fd, 0, BENCH_EDGE_BYTES), 0);
            assert_int_equal(changed(fd, BENCH_EDGE_BYTES, 16 * MIB) > 0, bench_jobs[jobs[j]].writes);
            assert_nobody_is_left();
        }
    close(fd);
}

/* ...while it is measured, the server has this happen to it. */
struct accident {
    unsigned asked;
    int signal; /* 0: the user stops the measurement */
    unsigned late_sec;
};

static pid_t only_child(void)
{
    char path[64], text[32] = "";
    snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)getpid(), (int)getpid());
    file_line(path, text, sizeof text);
    return atoi(text);
}

static bool have_accident(void *context)
{
    struct accident *a = context;
    if (++a->asked < 5)
        return false;
    late_sec = a->late_sec;
    if (a->asked == 5 && a->signal)
        kill(only_child(), a->signal);
    return !a->signal;
}

static void assert_fails(int fd, struct bench_cell cell, int wanted, const char *why)
{
    struct bench_figures figures;
    struct error e = ERROR_NONE;
    assert_error(bench_measure(fd, &cell, &figures, &e), wanted, e);
    late_sec = 0;
    if (!strstr(e.text, why) || (wanted != -ECANCELED && !strstr(e.text, bench_column_name(cell.column))))
        fail_msg("'%s' does not say '%s' of its cell", e.text, why);
    assert_nobody_is_left();
}

static void what_happens_to_a_server_of_vhost_user_is_told(void **state)
{
    const struct {
        enum bench_column column;
        struct accident accident;
        int wanted;
        const char *why;
    } cases[] = {
        {BENCH_VHOST, {.signal = 0}, -ECANCELED, "stopped"},
        {BENCH_OURS_USER, {.signal = 0}, -ECANCELED, "stopped"},
        {BENCH_VHOST, {.asked = 9, .signal = 0}, -ECANCELED, "stopped"}, /* before it begins */
        {BENCH_OURS_USER, {.asked = 9, .signal = 0}, -ECANCELED, "stopped"},
        {BENCH_VHOST,
         {.signal = SIGKILL},
         -ECONNRESET,
         "(qemu-storage-daemon was killed by signal 9 (Killed))"},
        {BENCH_OURS_USER, {.signal = SIGKILL}, -ECONNRESET, "(mayfly-disks was killed by signal 9 (Killed))"},
        {BENCH_OURS_USER, {.signal = SIGTERM}, -ECONNRESET, "(mayfly-disks exited with status 0)"},
        {BENCH_VHOST,
         {.signal = SIGSTOP, .late_sec = 31},
         -ETIMEDOUT,
         "did not answer a request within 30 s"},
    };
    _cleanup_secret_ struct secret *key = NULL;
    struct error e = ERROR_NONE;
    int fd = scratch_for_vhost();
    (void)state;
    assert_ok(secret_random(64, &key, &e), e);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct accident accident = cases[i].accident;
        struct bench_cell cell = vhost_cell(cases[i].column, 3, key);
        cell.runtime_sec = 3600;
        cell.stopped = have_accident;
        cell.context = &accident;
        assert_fails(fd, cell, cases[i].wanted, cases[i].why);
    }
    close(fd);
}

static void a_server_of_vhost_user_that_cannot_serve_is_told(void **state)
{
    _cleanup_secret_ struct secret *key = NULL;
    struct error e = ERROR_NONE;
    char name[64];
    int fd = scratch_for_vhost();
    (void)state;
    assert_ok(secret_random(64, &key, &e), e);
    snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
    int read_only = open(name, O_RDONLY | O_CLOEXEC);
    assert_true(read_only >= 0);
    assert_fails(read_only, vhost_cell(BENCH_OURS_USER, 1, key), -EIO, "says that a request failed");
    struct bench_cell odd = vhost_cell(BENCH_OURS_USER, 0, key);
    odd.sector_bytes = 100;
    assert_fails(fd, odd, -ECONNRESET, "(mayfly-disks: --disk: not understood: sector-size");
    as_device = true; /* which it is not */
    assert_fails(fd, vhost_cell(BENCH_VHOST, 0, key), -ECONNRESET, "(qemu-storage-daemon: ");
    as_device = false;
    no_folder = true;
    assert_fails(fd, vhost_cell(BENCH_VHOST, 0, key), -ENOSPC, "storage-daemon: a folder for its socket");
    no_folder = false;
    close(read_only);
    close(fd);
}

static int load_of(struct front *f, enum load_order order, unsigned write_percent, struct error *e)
{
    static struct load l;
    l = (struct load){.front = f,
                      .size_bytes = 16 * MIB,
                      .request_bytes = 64 << 10,
                      .depth = 8,
                      .write_percent = write_percent,
                      .order = order,
                      .marks = true,
                      .runtime_sec = 1,
                      .answer_limit_sec = 30};
    int r = load_prepare(&l, e);
    if (r == 0)
        r = load_run(&l, e);
    assert_true(r < 0 || l.latencies.n >= 16 * MIB / l.request_bytes);
    return r;
}

static void what_a_load_reads_is_looked_at(void **state)
{
    _cleanup_secret_ struct secret *key = NULL;
    struct vhost_server server = VHOST_SERVER_NONE;
    static struct front f;
    struct error e = ERROR_NONE;
    char name[64];
    int fd = scratch_for_vhost();
    (void)state;
    assert_ok(secret_random(64, &key, &e), e);
    const struct bench_cell cell = vhost_cell(BENCH_OURS_USER, 0, key);
    assert_ok(vhost_server_start(fd, &cell, &server, &e), e);
    snprintf(name, sizeof name, "/proc/self/fd/%d", server.socket);
    const struct front_options o = {
        .queues = 1, .size = 128, .memory_bytes = 3 * load_memory_bytes(1, 8, 64 << 10)};
    int r = front_open(&f, front_connect(name, 30), &o);
    if (r < 0) {
        error_set(&e, r, "the server does not begin");
        vhost_server_explain(&server, &e);
    }
    assert_ok(r, e);
    assert_ok(load_of(&f, LOAD_ONCE, 100, &e), e);
    assert_ok(load_of(&f, LOAD_RANDOM, 50, &e), e);
    fill(fd);
    assert_error(load_of(&f, LOAD_RANDOM, 0, &e), -EBADMSG, e);
    front_close(&f);
    vhost_server_end(&server);
    assert_nobody_is_left();
    close(fd);
}

/* -------------------------------------------------------------------- chart */

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
        cmocka_unit_test(latencies_are_summed_up),
        cmocka_unit_test(a_report_is_read),
        cmocka_unit_test(what_is_no_report_is_refused),
        cmocka_unit_test(fio_measures_what_is_lent_to_it),
        cmocka_unit_test(fio_is_stopped),
        cmocka_unit_test(qemu_is_measured_too),
        cmocka_unit_test(what_cannot_be_measured_is_told),
        cmocka_unit_test(a_pair_that_is_left_out_has_its_reason),
        cmocka_unit_test(servers_of_vhost_user_are_measured),
        cmocka_unit_test(what_happens_to_a_server_of_vhost_user_is_told),
        cmocka_unit_test(a_server_of_vhost_user_that_cannot_serve_is_told),
        cmocka_unit_test(what_a_load_reads_is_looked_at),
        cmocka_unit_test(a_chart_is_well_formed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
