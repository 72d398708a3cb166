/* SPDX-License-Identifier: Apache-2.0 */
/* Locks in a file of a folder of the test's own: two openings of it exclude each other, in one process too.
 */
#include "base/fd.h"
#include "child.h"
#include "folder.h"
#include "storage/locks.h"

#include <sys/wait.h>
#include <time.h>

#define ONE "11111111-1111-4111-8111-111111111111"
#define TWO "22222222-2222-4222-8222-222222222222" /* its note has the place of ONE's */

/* --wrap: seconds since the machine's start. */
static time_t now_sec;
int __wrap_clock_gettime(clockid_t clock, struct timespec *ret);
int __wrap_clock_gettime(clockid_t clock, struct timespec *ret)
{
    assert_int_equal(clock, CLOCK_BOOTTIME);
    *ret = (struct timespec){.tv_sec = now_sec};
    return 0;
}

static struct locks mine, theirs;
static char path[512];

static int setup(void **state)
{
    if (folder_make(state) < 0)
        return -1;
    snprintf(path, sizeof path, "%s", folder_path(state, "run/locks"));
    mine = theirs = LOCKS_NONE;
    mine.pid = theirs.pid = getpid();
    mine.uid = theirs.uid = 4711;
    return 0;
}

static int teardown(void **state)
{
    locks_drop(&mine);
    locks_drop(&theirs);
    return folder_remove(state);
}

#define TAKES(locks, uuid) OK(locks_take(locks, path, uuid, "start", &e))
#define BUSY(words)        REFUSED_WITH(-EBUSY, words, locks_take(&theirs, path, ONE, "delete", &e))

static void test_one_has_it(void **state)
{
    (void)state;
    TAKES(&mine, ONE);
    TAKES(&mine, ONE); /* again */
    assert_int_equal(mine.n, 1);
    assert_true(locks_held(&mine, ONE));
    BUSY(ONE);
    assert_false(locks_held(&theirs, ONE));
    TAKES(&theirs, TWO); /* another one's */
}

static void test_it_is_given_back(void **state)
{
    (void)state;
    TAKES(&mine, TWO);
    TAKES(&mine, ONE);
    locks_give_back(&theirs, ONE); /* not theirs */
    BUSY(ONE);
    locks_give_back(&mine, ONE);
    assert_false(locks_held(&mine, ONE));
    assert_true(locks_held(&mine, TWO));
    TAKES(&theirs, ONE);
}

static void test_all_go_with_the_file(void **state)
{
    (void)state;
    TAKES(&mine, ONE);
    TAKES(&mine, TWO);
    locks_drop(&mine);
    TAKES(&theirs, ONE);
    TAKES(&theirs, TWO);
}

static void test_all_go_with_the_process(void **state)
{
    (void)state;
    pid_t child = fork();
    if (child == 0) {
        struct error e = ERROR_NONE;
        _exit(locks_take(&mine, path, ONE, "start", &e) < 0);
    }
    assert_int_equal(child_status(child), 0);
    TAKES(&theirs, ONE);
}

static void test_who_has_it_is_told(void **state)
{
    (void)state;
    char words[128];
    now_sec = 1000;
    TAKES(&mine, ONE);
    now_sec = 1042;
    snprintf(words, sizeof words, "mayfly start, process %d of user 4711, for 42 s; try", getpid());
    BUSY(words);
    locks_give_back(&mine, ONE);
    OK(locks_take(&mine, path, ONE, "", &e));
    snprintf(words, sizeof words, "mayfly, process %d of", getpid());
    BUSY(words);
}

static void test_a_holder_that_has_ended_is_told(void **state)
{
    (void)state;
    pid_t child = fork();
    if (child == 0)
        _exit(0);
    assert_int_equal(waitpid(child, NULL, 0), child);
    mine.pid = child;
    TAKES(&mine, ONE);
    BUSY("the process has ended");
}

/* The note of another instance is no evidence of who has this one. */
static void test_a_note_of_another_is_not_told(void **state)
{
    (void)state;
    struct locks third = LOCKS_NONE;
    TAKES(&mine, ONE);
    third.pid = getpid();
    OK(locks_take(&third, path, TWO, "export", &e));
    BUSY("another mayfly works on it; try again");
    locks_drop(&third);
}

static void test_a_damaged_note_is_not_told(void **state)
{
    (void)state;
    TAKES(&mine, ONE);
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(truncate(path, st.st_size - 1), 0);
    BUSY("another mayfly works on it; try again");
    locks_drop(&mine);
    mine.pid = 0; /* no process */
    TAKES(&mine, ONE);
    BUSY("another mayfly works on it; try again");
}

static void test_the_folder_is_ours_alone(void **state)
{
    struct stat st;
    umask(0077);
    TAKES(&mine, ONE);
    assert_int_equal(stat(folder_path(state, "run"), &st), 0);
    assert_int_equal(st.st_mode & 07777, 0755);
    locks_drop(&mine);
    assert_int_equal(unlink(path), 0);
    umask(0);
    TAKES(&mine, ONE);
    umask(0022);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);

    assert_int_equal(chmod(folder_path(state, "run"), 0775), 0);
    REFUSED_WITH(-EPERM, "others may write", locks_take(&theirs, path, TWO, "start", &e));
    assert_int_equal(chmod(folder_path(state, "run"), 0755), 0);
    TAKES(&theirs, TWO);
}

static void test_no_link_is_followed(void **state)
{
    struct stat st;
    assert_int_equal(mkdir(folder_path(state, "real"), 0755), 0);
    assert_int_equal(symlink("real", folder_path(state, "run")), 0);
    REFUSED_WITH(-EPERM, "run: the locks", locks_take(&mine, path, ONE, "start", &e));
    assert_int_equal(unlink(folder_path(state, "run")), 0);
    assert_int_equal(mkdir(folder_path(state, "run"), 0755), 0);
    assert_int_equal(symlink("../real/locks", path), 0);
    REFUSED_WITH(-ELOOP, "cannot be opened", locks_take(&mine, path, ONE, "start", &e));
    assert_int_equal(stat(folder_path(state, "real/locks"), &st), -1);
}

static void test_a_connection_has_its_limit(void **state)
{
    (void)state;
    char uuid[UUID_TEXT];
    for (int i = 0; i < LOCKS_MAX; i++) {
        snprintf(uuid, sizeof uuid, "33333333-3333-4333-8333-33333333%04x", (unsigned)i);
        TAKES(&mine, uuid);
    }
    REFUSED_WITH(-ENOLCK, "4096 locks already", locks_take(&mine, path, ONE, "start", &e));
    TAKES(&theirs, ONE);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_one_has_it),
        T(test_it_is_given_back),
        T(test_all_go_with_the_file),
        T(test_all_go_with_the_process),
        T(test_who_has_it_is_told),
        T(test_a_holder_that_has_ended_is_told),
        T(test_a_note_of_another_is_not_told),
        T(test_a_damaged_note_is_not_told),
        T(test_the_folder_is_ours_alone),
        T(test_no_link_is_followed),
        T(test_a_connection_has_its_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
