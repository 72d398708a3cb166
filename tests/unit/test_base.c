/* SPDX-License-Identifier: Apache-2.0 */
#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/place.h"
#include "base/process.h"
#include "base/str.h"
#include "unit.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* Does this part of the sentence say that? NULL: there is none. */
static void part_is(const struct error *e, enum error_part part, const char *wanted)
{
    size_t size = 0;
    const char *text = error_part(e, part, &size);
    if (!wanted) {
        assert_null(text);
        return;
    }
    assert_non_null(text);
    assert_int_equal(size, strlen(wanted));
    assert_memory_equal(text, wanted, size);
}

static void parts_are(const struct error *e, const char *object, const char *action, const char *reason,
                      const char *way_out)
{
    part_is(e, ERROR_OBJECT, object);
    part_is(e, ERROR_ACTION, action);
    part_is(e, ERROR_REASON, reason);
    part_is(e, ERROR_WAY_OUT, way_out);
}

/* They follow from the format, whatever its arguments say. */
static void a_sentence_has_parts(void **state)
{
    (void)state;
    struct error e = ERROR_NONE, copy = ERROR_NONE;
    error_set(&e, -EIO, "volume %s: cannot be opened: %s; see %s", "a: b; c", "x: y; z", "lvs; vgs");
    parts_are(&e, "volume a: b; c", "cannot be opened", "x: y; z", "see lvs; vgs");
    assert_int_equal(error_pass(&copy, -ENOENT, &e), -ENOENT);
    parts_are(&copy, "volume a: b; c", "cannot be opened", "x: y; z", "see lvs; vgs");

    error_prefix(&e, "instance %s: ", "web");
    parts_are(&e, "instance web", NULL, "volume a: b; c: cannot be opened: x: y; z", "see lvs; vgs");
    error_append(&e, "; then it could not be undone: %s; run %s", "busy; held", "recover");
    parts_are(
        &e, "instance web", NULL,
        "volume a: b; c: cannot be opened: x: y; z; see lvs; vgs; then it could not be undone: busy; held",
        "run recover");

    e = ERROR_NONE;
    error_set(&e, -EBUSY, "instance %s: it runs; stop it: say %s", "web", "stop");
    parts_are(&e, "instance web", NULL, "it runs", "stop it: say stop");
    e = ERROR_NONE;
    error_set(&e, -EIO, "no verb given; see %s", "--help");
    parts_are(&e, NULL, NULL, "no verb given", "see --help");
    e = ERROR_NONE;
    error_set(&e, -EIO, "%s", "volume a: cannot be read: why; see lvs");
    parts_are(&e, NULL, NULL, "volume a: cannot be read: why; see lvs", NULL);
    error_append(&e, "; %s", "try again");
    parts_are(&e, NULL, NULL, "volume a: cannot be read: why; see lvs", "try again");
    error_prefix(&e, "key %s: cannot be destroyed: ", "local:1");
    parts_are(&e, "key local:1", "cannot be destroyed", "volume a: cannot be read: why; see lvs",
              "try again");
}

/* What does not fit has no parts beyond its end, and what another process says of parts is not believed. */
static void parts_lie_within_the_text(void **state)
{
    (void)state;
    char longer[2000];
    memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    struct error e = ERROR_NONE;
    error_set(&e, -EIO, "%s: cannot be read: why; see lvs", longer);
    parts_are(&e, NULL, NULL, e.text, NULL);
    e = ERROR_NONE;
    error_set(&e, -EIO, "disk: %s; see lvs", longer);
    parts_are(&e, "disk", NULL, e.text + 6, NULL);

    static const struct error_parts wrong[] = {{600, 0, 0}, {4, 3, 0}, {4, 60000, 0},
                                               {0, 4, 0},   {4, 0, 5}, {4, 0, 40}};
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        e = ERROR_NONE;
        assert_int_equal(error_receive(&e, -EIO, "disk: is away", &wrong[i]), -EIO);
        for (enum error_part p = ERROR_OBJECT; p <= ERROR_WAY_OUT; p++) {
            size_t size = 0;
            const char *text = error_part(&e, p, &size);
            assert_true(!text || text + size <= e.text + strlen(e.text));
        }
        part_is(&e, ERROR_ACTION, NULL);
        part_is(&e, ERROR_WAY_OUT, NULL);
    }
}

static void first_error_stays(void **state)
{
    (void)state;
    struct error e = ERROR_NONE;
    assert_int_equal(error_set(&e, ENOENT, "disk %s: is not there", "a"), -ENOENT);
    assert_int_equal(error_set(&e, -EIO, "later"), -EIO);
    assert_string_equal(e.text, "disk a: is not there");
    error_prefix(&e, "instance %d: ", 7);
    error_append(&e, "; run %s", "recover");
    assert_string_equal(e.text, "instance 7: disk a: is not there; run recover");
    assert_int_equal(exit_code(e.errnum), EXIT_MISSING);
}

static void long_texts_are_cut_not_spilled(void **state)
{
    (void)state;
    char longer[2000];
    memset(longer, 'x', sizeof longer);
    longer[sizeof longer - 1] = '\0';
    struct error e = ERROR_NONE;
    error_set(&e, -EIO, "%s", longer);
    error_prefix(&e, "%s", longer);
    error_append(&e, "%s", longer);
    assert_true(strlen(e.text) < sizeof e.text);
}

/* As mayfly(1) has it, EXIT STATUS; the names are those of the object `error` in JSON. */
static void exit_codes_follow_errno(void **state)
{
    (void)state;
    static const struct {
        int errnum, status;
        const char *name;
    } all[] = {
        {0, 0, "OK"},
        {EINVAL, 1, "USAGE"},
        {EACCES, 2, "DENIED"},
        {EPERM, 2, "DENIED"},
        {EKEYREJECTED, 2, "DENIED"},
        {ENOMEM, 3, "MEMORY"},
        {ENOENT, 4, "MISSING"},
        {ENODEV, 4, "MISSING"},
        {ENXIO, 4, "MISSING"},
        {EEXIST, 5, "BUSY"},
        {EBUSY, 5, "BUSY"},
        {EHOSTUNREACH, 6, "UNREACHABLE"},
        {ENOKEY, 7, "KEY_GONE"},
        {EUNSAFE, 8, "UNSAFE"},
        {ENEEDSRECOVER, 9, "NEEDS_RECOVER"},
        {EIO, 10, "FAILED"},
        {ENOSPC, 10, "FAILED"},
        {ETIMEDOUT, 10, "FAILED"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(all); i++)
        for (int sign = -1; sign <= 1; sign += 2) {
            enum exit_code code = exit_code(sign * all[i].errnum);
            assert_int_equal(code, all[i].status);
            assert_string_equal(exit_code_name(code), all[i].name);
            assert_string_not_equal(exit_code_meaning(code), "unknown");
        }
}

static void sizes_are_read(void **state)
{
    (void)state;
    uint64_t n = 0;
    assert_int_equal(str_to_bytes("4096", &n), 0);
    assert_int_equal(n, 4096);
    assert_int_equal(str_to_bytes("20G", &n), 0);
    assert_int_equal(n, UINT64_C(20) << 30);
    assert_int_equal(str_to_bytes("1t", &n), 0);
    assert_int_equal(n, UINT64_C(1) << 40);
    assert_int_equal(str_to_bytes("10.0 GiB", &n), 0);
    assert_int_equal(n, UINT64_C(10) << 30);
    assert_int_equal(str_to_bytes("1.5g", &n), 0);
    assert_int_equal(n, UINT64_C(3) << 29);
    assert_int_equal(str_to_bytes("0.999999999EiB", &n), 0);
    assert_int_equal(n, UINT64_C(1152921503453925471));
    static const char *const bad[] = {
        "",    "G",     "-1",    "1GB",  " 1",    "0x10",          "1.5",  "1.5B", "1.G",
        ".5G", "1.5Gi", "1Gib ", "1  G", "1..5G", "1.0000000001G", "1Bib", "1 "};
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        assert_int_equal(str_to_bytes(bad[i], &n), -EINVAL);
    assert_int_equal(str_to_bytes("99999999999999999999", &n), -ERANGE);
    assert_int_equal(str_to_bytes("18446744073709551615T", &n), -ERANGE);
}

static void sizes_are_written(void **state)
{
    (void)state;
    char field[32];
    assert_string_equal(str_from_bytes(512, field, sizeof field), "512 B");
    assert_string_equal(str_from_bytes(UINT64_C(20) << 30, field, sizeof field), "20 GiB");
    assert_string_equal(str_from_bytes(4608 * 1024, field, sizeof field), "4.5 MiB");
    assert_string_equal(str_from_bytes(UINT64_C(2252) << 20, field, sizeof field), "2252 MiB");
    assert_string_equal(str_from_bytes(UINT64_C(99999) << 20, field, sizeof field), "99999 MiB");
    assert_string_equal(str_from_bytes(UINT64_C(100001) << 20, field, sizeof field), "97.7 GiB");
    assert_string_equal(str_from_room(UINT64_C(100001) << 20, field, sizeof field), "97.6 GiB");
    assert_string_equal(str_from_room(UINT64_C(2252) << 20, field, sizeof field), "2.1 GiB");
    assert_string_equal(str_from_bytes((UINT64_C(1) << 40) - 1, field, sizeof field), "1 TiB");
    assert_string_equal(str_from_room((UINT64_C(1) << 40) - 1, field, sizeof field), "1023.9 GiB");
    assert_string_equal(str_from_bytes(UINT64_MAX, field, sizeof field), "16 EiB");
    static const uint64_t sizes[] = {
        0, 1, 1023, 1536, UINT64_C(9) << 19, UINT64_C(2252) << 20, UINT64_C(20) << 30, UINT64_C(15) << 60};
    for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) { /* and read as they are written */
        uint64_t n = 1;
        assert_int_equal(str_to_bytes(str_from_bytes(sizes[i], field, sizeof field), &n), 0);
        assert_int_equal(n, sizes[i]);
    }
}

/* What is printed may be given back: as a size it has room, of what is free it has it. */
static void rounded_sizes_have_room(void **state)
{
    (void)state;
    char field[32];
    uint64_t up = 0, down = 0;
    for (uint64_t bytes = UINT64_C(100001) << 20; bytes < UINT64_C(1) << 60; bytes = bytes * 3 + 1) {
        assert_int_equal(str_to_bytes(str_from_bytes(bytes, field, sizeof field), &up), 0);
        assert_int_equal(str_to_bytes(str_from_room(bytes, field, sizeof field), &down), 0);
        assert_true(down <= bytes && bytes <= up);
        assert_true(str_bytes_same(up, bytes) && !str_bytes_same(bytes - 1, bytes));
    }
}

static void fields_are_never_cut(void **state)
{
    (void)state;
    char field[4];
    assert_int_equal(str_copy(field, sizeof field, "abc"), 0);
    assert_string_equal(field, "abc");
    assert_int_equal(str_copy(field, sizeof field, "abcd"), -ENAMETOOLONG);
    assert_string_equal(field, "");
}

/* A terminal obeys none of it: neither ESC nor the one-character forms of ESC [ and its like. */
static void controls_are_tamed(void **state)
{
    (void)state;
    char text[] = "a\033[2Jb\177c\xC2\x9B"
                  "2Jd\xC2\xA0\xC3\x84\n",
         cut[] = "a\xC2";
    str_tame(text);
    assert_string_equal(text, "a?[2Jb?c??2Jd\xC2\xA0\xC3\x84?");
    str_tame(cut);
    assert_string_equal(cut, "a\xC2");
}

static void uuids_are_strict(void **state)
{
    (void)state;
    char uuid[UUID_TEXT];
    uuid_make(uuid);
    assert_true(uuid_valid(uuid));
    assert_false(uuid_valid("6F1E8A8E-0000-4000-8000-000000000000"));
    assert_false(uuid_valid("6f1e8a8e-0000-4000-8000-00000000000"));
    assert_false(uuid_valid(""));

    static const char *const same[] = {"6f1e8a8e-0000-4000-8000-00000000000a",
                                       "6F1E8A8E-0000-4000-8000-00000000000A",
                                       "6f1e8a8e00004000800000000000000a"};
    char read[UUID_TEXT];
    for (size_t i = 0; i < ARRAY_SIZE(same); i++) {
        assert_true(uuid_read(same[i], read));
        assert_string_equal(read, same[0]);
    }
    assert_false(uuid_read("6f1e8a8e00004000800000000000000", read));
    assert_false(uuid_read("6f1e8a8e00004000800000000000000a0", read));
    assert_false(uuid_read("web-6f1e8a8e000040008000000000000", read));
    assert_false(uuid_read("", read));
}

static void text_comes_back_from_a_memfd(void **state)
{
    (void)state;
    _cleanup_close_ int fd = -1;
    _cleanup_free_ char *text = NULL;
    size_t size = 0;
    assert_int_equal(fd_memfd("t", "hello", 5, &fd), 0);
    assert_int_equal(fd_read_text(fd, 100, &text, &size), 0);
    assert_int_equal(size, 5);
    assert_string_equal(text, "hello");
    char *none = NULL;
    assert_int_equal(fd_read_text(fd, 4, &none, NULL), -EFBIG);
}

/* Where the kernel can (Linux 6.3): it may be told to make no other (vm.memfd_noexec = 2). */
static void a_memfd_is_no_program(void **state)
{
    (void)state;
    struct stat st;
    _cleanup_close_ int fd = fd_memfd_empty("t", 0), probe = memfd_create("t", 8 /* MFD_NOEXEC_SEAL */);
    if (probe < 0)
        skip();
    assert_int_equal(fstat(fd, &st), 0);
    assert_int_equal(st.st_mode & 0111, 0);
    assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
}

static void programs_are_run(void **state)
{
    (void)state;
    struct error e = ERROR_NONE;
    _cleanup_free_ char *output = NULL;
    const char *env[] = {"env", NULL};
    assert_ok(process_run(env, 10, &output, &e), e);
    assert_string_equal(output, "PATH=/usr/sbin:/usr/bin:/sbin:/bin\nLC_ALL=C\n");
}

static unsigned long signals_in(const char *status, const char *field)
{
    const char *line = strstr(status, field);
    assert_non_null(line);
    return strtoul(line + strlen(field), NULL, 16);
}

/* Blocked and ignored here, as in the broker: a stop would not reach a mkfs, nor a broken pipe end it.
 * Signals 32 and 33 are the C library's own. Its posix_spawn(), which make uses, ignores them, and no program
 * can change that through it. */
static void programs_get_their_signals(void **state)
{
    (void)state;
    _cleanup_free_ char *status = NULL;
    struct error e = ERROR_NONE;
    sigset_t set, before;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigprocmask(SIG_BLOCK, &set, &before);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* as Python does */
    const char *argv[] = {"grep", "-E", "^Sig(Blk|Ign)", "/proc/self/status", NULL};
    int r = process_run(argv, 10, &status, &e);
    signal(SIGPIPE, SIG_DFL);
    signal(SIGXFSZ, SIG_DFL);
    sigprocmask(SIG_SETMASK, &before, NULL);
    assert_ok(r, e);
    const unsigned long of_libc = 3UL << 31;
    assert_int_equal(signals_in(status, "SigBlk:") & ~of_libc, 0);
    assert_int_equal(signals_in(status, "SigIgn:") & ~of_libc, 0);
}

static void failing_programs_are_told(void **state)
{
    (void)state;
    struct error e = ERROR_NONE;
    const char *ls[] = {"ls", "/nowhere", NULL};
    assert_error(process_run(ls, 10, NULL, &e), -EIO, e);
    assert_string_equal(e.text,
                        "ls exited with status 2: ls: cannot access '/nowhere': No such file or directory");
    e = ERROR_NONE;
    const char *none[] = {"no-such-program", NULL};
    assert_error(process_run(none, 10, NULL, &e), -ENOENT, e);
    e = ERROR_NONE;
    const char *slow[] = {"sleep", "60", NULL}, *silent[] = {"sh", "-c", "exec >&- 2>&-; sleep 1.5", NULL};
    assert_error(process_run(slow, 1, NULL, &e), -ETIMEDOUT, e);
    e = ERROR_NONE;
    assert_error(process_run(silent, 1, NULL, &e), -ETIMEDOUT, e); /* whether it is read from or not */
}

/* In the build folder, as here, the other parts are those of that folder. */
static void parts_are_found(void **state)
{
    (void)state;
    char path[PATH_MAX];
    place_find("src/base", "libbase.a", path);
    assert_true(str_ends(path, "/src/base/libbase.a"));
    assert_int_equal(access(path, R_OK), 0);
}

/* Errors of a program name it, since they go to others, too. */
static void a_line_names_its_program_once(void **state)
{
    (void)state;
    char said[100] = "";
    int ends[2], before = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    dup2(ends[1], STDERR_FILENO);
    log_set_program("part");
    log_error("part: is full");
    log_warning("part %s", "of it");
    log_set_program("mayfly");
    dup2(before, STDERR_FILENO);
    assert_true(read(ends[0], said, sizeof said - 1) > 0);
    assert_string_equal(said, "part: is full\npart: warning: part of it\n");
    fd_close(before);
    fd_close(ends[0]);
    fd_close(ends[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_error_stays),
        cmocka_unit_test(a_sentence_has_parts),
        cmocka_unit_test(parts_lie_within_the_text),
        cmocka_unit_test(long_texts_are_cut_not_spilled),
        cmocka_unit_test(exit_codes_follow_errno),
        cmocka_unit_test(sizes_are_read),
        cmocka_unit_test(sizes_are_written),
        cmocka_unit_test(rounded_sizes_have_room),
        cmocka_unit_test(fields_are_never_cut),
        cmocka_unit_test(controls_are_tamed),
        cmocka_unit_test(uuids_are_strict),
        cmocka_unit_test(text_comes_back_from_a_memfd),
        cmocka_unit_test(a_memfd_is_no_program),
        cmocka_unit_test(programs_are_run),
        cmocka_unit_test(programs_get_their_signals),
        cmocka_unit_test(failing_programs_are_told),
        cmocka_unit_test(parts_are_found),
        cmocka_unit_test(a_line_names_its_program_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
