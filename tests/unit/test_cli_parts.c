/* SPDX-License-Identifier: Apache-2.0 */
/* What verbs share and no host is needed for: signals, progress on a terminal and for programs, keys that are
 * typed, files that are replaced as a whole. */
#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"
#include "cli/key-read.h"
#include "cli/output-file.h"
#include "cli/progress.h"
#include "cli/signals.h"
#include "fail-once.h"
#include "folder.h"
#include "unit.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

WRAP(ssize_t, read, (errno = EINTR, -1), (int fd, void *data, size_t size), (fd, data, size))
WRAP(int, mlock, IO_ERROR, (const void *map, size_t size), (map, size))
WRAP(pid_t, fork, (errno = EAGAIN, -1), (void), ())
WRAP(int, pipe2, (errno = EMFILE, -1), (int ends[2], int flags), (ends, flags))

/* ------------------------------------------------------------------ signals */

/* What the child says on standard error goes to `said`; returns its status as waitpid() has it. */
static int in_a_child(void (*act)(void), char *said, size_t size)
{
    int ends[2], status = -1;
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    pid_t pid = fork();
    if (pid == 0) {
        dup2(ends[1], STDERR_FILENO);
        act();
        _exit(0);
    }
    close(ends[1]);
    size_t n = 0;
    for (ssize_t got; (got = read(ends[0], said + n, size - 1 - n)) > 0;)
        n += (size_t)got;
    said[n] = '\0';
    close(ends[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

static void check(bool good)
{
    if (!good)
        _exit(1);
}

static void two_signals(void)
{
    signals_install(false);
    check(!signals_stopped() && signals_caught() == 0);
    raise(SIGTERM);
    check(signals_stopped() && signals_caught() == SIGTERM);
    raise(SIGINT);
    _exit(2); /* it has ended us */
}

static void signal_when_it_is_too_late(void)
{
    signals_install(false);
    signals_hold(true);
    raise(SIGINT);
    check(!signals_stopped() && signals_caught() == SIGINT);
    signals_hold(false);
    check(signals_stopped());
}

static void quiet_signal(void)
{
    signal(SIGHUP, SIG_DFL); /* as it is where nobody ran us by nohup */
    signals_install(true);
    raise(SIGHUP);
    check(signals_stopped());
}

static void ignored_signals(void)
{
    signal(SIGHUP, SIG_IGN); /* nohup */
    signals_install(false);
    raise(SIGHUP);
    raise(SIGPIPE);
    check(!signals_stopped() && signals_caught() == 0);
}

static void signals_stop_and_end(void **state)
{
    (void)state;
    char said[400];
    int status = in_a_child(two_signals, said, sizeof said);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGINT);
    assert_string_equal(said,
                        "mayfly: stopping: what was begun is undone. A second signal ends mayfly at once; "
                        "then run mayfly recover.\n");
    assert_int_equal(in_a_child(signal_when_it_is_too_late, said, sizeof said), 0);
    assert_memory_equal(said, "mayfly: this can no longer be undone and is finished first.", 59);
    assert_int_equal(in_a_child(quiet_signal, said, sizeof said), 0);
    assert_string_equal(said, "");
    assert_int_equal(in_a_child(ignored_signals, said, sizeof said), 0);
    assert_string_equal(said, "");
}

/* ----------------------------------------------------------------- progress */

static int terminal = -1, its_end = -1;

/* A terminal in place of standard error; *ret: the old one. */
static void begin_terminal(int *ret)
{
    terminal = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    assert_true(terminal >= 0 && grantpt(terminal) == 0 && unlockpt(terminal) == 0);
    its_end = open(ptsname(terminal), O_RDWR | O_NOCTTY | O_CLOEXEC);
    assert_true(its_end >= 0);
    *ret = dup(STDERR_FILENO);
    fflush(stderr);
    dup2(its_end, STDERR_FILENO);
}

/* What was written to it. The kernel brings that over piece by piece, and tells when all is read. */
static void end_terminal(int old, char *text, size_t size)
{
    size_t used = 0;
    ssize_t n;
    fflush(stderr);
    dup2(old, STDERR_FILENO);
    close(old);
    close(its_end);
    while ((n = read(terminal, text + used, size - 1 - used)) > 0)
        used += (size_t)n;
    assert_int_equal(errno, EIO);
    close(terminal);
    text[used] = '\0';
}

static void a_bar_is_drawn_and_wiped(void **state)
{
    (void)state;
    struct progress p;
    char text[2000];
    int old = -1;
    begin_terminal(&old);
    progress_init(&p, -1);
    p.reporter.progress(&p, 512 << 20, 1 << 30);
    p.reporter.progress(&p, (512 << 20) + 1, 1 << 30); /* the same percent is drawn once */
    p.reporter.progress(&p, 0, 0);                     /* of nothing all is there */
    p.reporter.count(&p, 1, 4);
    p.reporter.warning(&p, "beware");
    progress_waiting(&p, "CREATE", 30);
    p.reporter.progress(&p, 1 << 30, 1 << 30);
    progress_end(&p);
    progress_end(&p);
    end_terminal(old, text, sizeof text);
    assert_string_equal(
        text,
        "\r[####################                    ]  50% of 1 GiB"
        "\r[########################################] 100% of 0 B"
        "\r[##########                              ]  25% of 4 measurements"
        "\r\033[Kmayfly: warning: beware\r\n"
        "mayfly: warning: still waiting after 30 seconds for mayfly-broker to end CREATE; is a disk slow or "
        "stuck? see dmesg. Ctrl-C stops waiting; LVM then goes on by itself\r\n"
        "\r[########################################] 100% of 1 GiB\r\033[K");
}

static void nothing_is_drawn_with_quiet(void **state)
{
    (void)state;
    struct progress p;
    char text[100];
    int old = -1;
    begin_terminal(&old);
    log_set_level(LOG_LEVEL_ERROR);
    progress_init(&p, -1);
    p.reporter.progress(&p, 1, 2);
    p.reporter.count(&p, 1, 2);
    p.reporter.step(&p, "a step");
    p.reporter.warning(&p, "beware");
    progress_end(&p);
    log_set_level(LOG_LEVEL_WARNING);
    fputs(".", stderr);
    end_terminal(old, text, sizeof text);
    assert_string_equal(text, ".");
}

static void programs_get_lines(void **state)
{
    (void)state;
    struct progress p;
    char text[300] = "";
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    progress_init(&p, ends[1]);
    p.terminal = false;
    p.reporter.step(&p, "create a volume");
    p.reporter.progress(&p, 5, 10);
    progress_waiting(&p, "REMOVE", 90);
    progress_end(&p);
    close(ends[1]);
    assert_true(read(ends[0], text, sizeof text - 1) > 0);
    assert_string_equal(text, "step create a volume\nprogress 5 10\nwaiting 90 REMOVE\n");
    close(ends[0]);
}

/* --------------------------------------------------------------------- keys */

static unsigned fail_reading; /* which call */

static int key_of(const char *text, struct secret **ret, struct error *e)
{
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    assert_int_equal(write(ends[1], text, strlen(text)), strlen(text));
    close(ends[1]);
    fail_at = fail_reading;
    int r = key_read_hex(ends[0], ret, e);
    fail_at = 0;
    close(ends[0]);
    return r;
}

#define HEX_128 "000102030405060708090a0b0c0d0eFf"

static void a_typed_key_is_read(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      "\n",
                                      HEX_128 "0",
                                      HEX_128 " ",
                                      " " HEX_128,
                                      HEX_128 "\n\n",
                                      "0001",
                                      "g" HEX_128 "0",
                                      HEX_128 HEX_128 HEX_128 HEX_128 "00"};
    struct error e = ERROR_NONE;
    struct secret *key = NULL;
    assert_ok(key_of(HEX_128 "\n", &key, &e), e);
    assert_int_equal(secret_size(key), 16);
    assert_memory_equal(secret_peek(key), "\0\1\2\3\4\5\6\7\x8\x9\xa\xb\xc\xd\xe\xff", 16);
    key = secret_free(key);
    assert_ok(key_of(HEX_128 HEX_128 HEX_128 HEX_128, &key, &e), e);
    assert_int_equal(secret_size(key), 64);
    key = secret_free(key);
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        e = ERROR_NONE;
        assert_error(key_of(bad[i], &key, &e), -EINVAL, e);
        assert_null(key);
        assert_null(strstr(e.text, "0001")); /* nothing of it is said */
    }
    e = ERROR_NONE;
    assert_error(key_read_hex(9999, &key, &e), -EBADF, e);
    assert_non_null(strstr(e.text, "cannot be read from standard input"));

    unsigned n = 0;
    do {
        e = ERROR_NONE;
        calls = 0;
        failed = NULL;
        fail_reading = ++n;
        int r = key_of(HEX_128, &key, &e);
        assert_true(r == 0 || (e.errnum == r && failed));
        assert_true(r == 0 ? secret_size(key) == 16 : key == NULL);
        key = secret_free(key);
    } while (failed);
    fail_reading = 0;
    assert_true(n > 3);
}

/* -------------------------------------------------------------------- files */

static void assert_file_is(const char *path, const char *wanted)
{
    char text[100] = "";
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_true(read(fd, text, sizeof text - 1) >= 0);
    close(fd);
    assert_string_equal(text, wanted);
}

static int write_all(const char *path, const char *text, bool whole, struct error *e)
{
    struct output_file o;
    int r = output_file_begin(path, &o, e);
    if (r < 0)
        return r;
    fputs(text, o.text);
    return output_file_end(&o, whole, e);
}

/* Others see the old one or the new one; what did not come about changes nothing. */
static void a_file_is_replaced_as_a_whole(void **state)
{
    struct error e = ERROR_NONE;
    struct stat st;
    const char *path = folder_path(state, "figures");
    assert_ok(write_all(path, "one\n", true, &e), e);
    assert_file_is(path, "one\n");
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0644);
    assert_ok(write_all(path, "two", false, &e), e);
    assert_file_is(path, "one\n");
    assert_ok(write_all(path, "", true, &e), e);
    assert_file_is(path, "");
    assert_error(write_all(folder_path(state, "none/figures"), "x", true, &e), -ENOENT, e);
    assert_non_null(strstr(e.text, "none/figures: cannot be written"));
    e = ERROR_NONE;
    assert_int_equal(mkdir(folder_path(state, "folder"), 0700), 0);
    assert_error(write_all(folder_path(state, "folder"), "x", true, &e), -EISDIR,
                 e); /* what was beside it is gone */
    assert_int_equal(rmdir(folder_path(state, "folder")), 0);
    assert_ok(output_file_end(&(struct output_file){.text = NULL}, true, &e), e);

    for (fail_at = 1; fail_at <= 2; fail_at++) {
        struct output_file o;
        e = ERROR_NONE;
        calls = 0;
        assert_error(output_file_begin(path, &o, &e), fail_at == 1 ? -EMFILE : -EAGAIN, e);
    }
    fail_at = 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(signals_stop_and_end),
        cmocka_unit_test(a_bar_is_drawn_and_wiped),
        cmocka_unit_test(nothing_is_drawn_with_quiet),
        cmocka_unit_test(programs_get_lines),
        cmocka_unit_test(a_typed_key_is_read),
        cmocka_unit_test_setup_teardown(a_file_is_replaced_as_a_whole, folder_make, folder_remove),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
