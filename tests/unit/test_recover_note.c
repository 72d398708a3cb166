/* SPDX-License-Identifier: Apache-2.0 */
/* The note of the last recover: in the current folder here. */
#include "unit.h"

#include "cli/recover-note.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static void test_written_and_read(void **state)
{
    (void)state;
    struct recover_note note = {.at_sec = 1}, wanted = {1796000000, 9, 3}, shorter = {1796000001, 0, 0};
    struct stat st;
    assert_int_equal(recover_note_read(&note), -ENOENT);
    umask(077);
    recover_note_write(recover_note_open(), &wanted);
    assert_int_equal(recover_note_read(&note), 0);
    assert_memory_equal(&note, &wanted, sizeof note);
    assert_int_equal(stat("last-recover", &st), 0);
    assert_int_equal(st.st_mode & 0777, 0644);
    recover_note_write(recover_note_open(), &shorter);
    assert_int_equal(recover_note_read(&note), 0);
    assert_memory_equal(&note, &shorter, sizeof note);
}

static void test_who_may_not_write_it_does_not_fail(void **state)
{
    (void)state;
    const struct recover_note note = {1, 2, 3};
    recover_note_write(-1, &note);
    unlink("last-recover");
    assert_int_equal(symlink("elsewhere", "last-recover"), 0);
    assert_true(recover_note_open() < 0); /* nothing is written through a link */
    unlink("last-recover");
}

static void test_nonsense_is_none(void **state)
{
    (void)state;
    struct recover_note note;
    int fd = open("last-recover", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    assert_int_equal(write(fd, "x", 1), 1);
    close(fd);
    assert_int_equal(recover_note_read(&note), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_written_and_read),
        cmocka_unit_test(test_who_may_not_write_it_does_not_fail),
        cmocka_unit_test(test_nonsense_is_none),
    };
    char folder[] = "/tmp/recover-note.XXXXXX";
    if (!mkdtemp(folder) || chdir(folder) < 0)
        return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    unlink("last-recover");
    rmdir(folder);
    return failed;
}
