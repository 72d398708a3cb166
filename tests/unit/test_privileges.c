/* SPDX-License-Identifier: Apache-2.0 */
/* What mayfly gives up: root for good, core dumps, and what root's environment says. In a child, since there
 * is no way back. */
#include "base/str.h"
#include "build-config.h"
#include "child.h"
#include "cli/privileges.h"
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

struct passwd *__real_getpwnam(const char *name);
struct passwd *__wrap_getpwnam(const char *name);

static struct passwd *other; /* who the user mayfly is said to be; */
static bool nobody_of_it;    /* or there is none */

struct passwd *__wrap_getpwnam(const char *name)
{
    if (streq(name, MAYFLY_USER) && (other || nobody_of_it))
        return other;
    return __real_getpwnam(streq(name, MAYFLY_USER) ? "nobody" : name);
}

int __real_setresuid(uid_t real, uid_t effective, uid_t saved);
int __wrap_setresuid(uid_t real, uid_t effective, uid_t saved);

int __wrap_setresuid(uid_t real, uid_t effective, uid_t saved)
{
    int r = __real_setresuid(real, effective, saved);
    prctl(PR_SET_DUMPABLE, 1);
    return r;
}

static int in_a_child(int (*try)(void))
{
    pid_t pid = fork();
    if (pid == 0)
        _exit(try());
    int status = child_status(pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static int try_hardened(void)
{
    struct rlimit core = {1, 1};
    umask(0);
    prctl(PR_SET_DUMPABLE, 1);
    privileges_harden();
    if (getrlimit(RLIMIT_CORE, &core) < 0 || core.rlim_cur != 0 || core.rlim_max != 0)
        return 1;
    if (prctl(PR_GET_DUMPABLE) != 0)
        return 2;
    return umask(0) == 077 ? 0 : 3;
}

static void no_core_is_dumped_and_no_file_is_for_others(void **state)
{
    (void)state;
    assert_int_equal(in_a_child(try_hardened), 0);
}

static bool ids_are(uid_t uid, gid_t gid)
{
    uid_t r, e, s;
    gid_t rg, eg, sg;
    return getresuid(&r, &e, &s) == 0 && r == uid && e == uid && s == uid && getresgid(&rg, &eg, &sg) == 0 &&
           rg == gid && eg == gid && sg == gid;
}

/* Only those that the user itself is in. */
static bool groups_are_those_of(const struct passwd *user)
{
    gid_t have[64], wanted[64];
    int n = getgroups(64, have), n_wanted = 64;
    if (getgrouplist(user->pw_name, user->pw_gid, wanted, &n_wanted) < 0 || n < 0 || n > n_wanted)
        return false;
    for (int i = 0; i < n; i++) {
        bool is = false;
        for (int j = 0; j < n_wanted; j++)
            is = is || have[i] == wanted[j];
        if (!is)
            return false;
    }
    return true;
}

static int try_drop(void)
{
    static const char *const gone[] = {"XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "TMPDIR"};
    const gid_t roots[] = {0, 4, 6};
    struct error e = ERROR_NONE;
    const struct passwd *user = getpwnam(MAYFLY_USER);
    if (setgroups(ARRAY_SIZE(roots), roots) < 0)
        return 1;
    for (size_t i = 0; i < ARRAY_SIZE(gone); i++)
        setenv(gone[i], "/root/x", 1);
    setenv("HOME", "/root", 1);
    setenv("USER", "root", 1);
    setenv("LOGNAME", "root", 1);
    if (privileges_drop(&e) < 0)
        return dprintf(STDERR_FILENO, "%s\n", e.text), 2;
    if (!ids_are(user->pw_uid, user->pw_gid) || setuid(0) == 0 || seteuid(0) == 0)
        return 3;
    if (!groups_are_those_of(user))
        return 4;
    for (size_t i = 0; i < ARRAY_SIZE(gone); i++)
        if (getenv(gone[i]))
            return 5;
    if (!streq(getenv("HOME"), user->pw_dir) || !streq(getenv("USER"), user->pw_name) ||
        !streq(getenv("LOGNAME"), user->pw_name))
        return 6;
    return prctl(PR_GET_DUMPABLE) == 0 ? 0 : 7;
}

static void root_is_given_up_for_good(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip();
    assert_int_equal(in_a_child(try_drop), 0);
}

static int wrong_user(int wanted, const char *words)
{
    struct error e = ERROR_NONE;
    uid_t uid = 7;
    if (privileges_drop(&e) != wanted || !strstr(e.text, words))
        return dprintf(STDERR_FILENO, "%s\n", e.text), 1;
    e = ERROR_NONE;
    if (nobody_of_it && (privileges_user(&uid, &e) != wanted || uid != 7))
        return 2;
    return geteuid() == 0 ? 0 : 3;
}

static int try_without_user(void)
{
    nobody_of_it = true;
    return wrong_user(-ENOENT, "there is no such user; run systemd-sysusers");
}

static int try_with_root(void)
{
    static struct passwd root = {.pw_name = (char *)MAYFLY_USER, .pw_dir = (char *)"/"};
    other = &root;
    return wrong_user(-EPERM, "make it an ordinary user");
}

static int try_as_nobody(void)
{
    struct error e = ERROR_NONE;
    uid_t uid = 0;
    if (__real_setresuid(65534, 65534, 65534) < 0 || privileges_user(&uid, &e) < 0 || uid == 0)
        return 1;
    return privileges_drop(&e) == -EPERM && strstr(e.text, "cannot give up root") ? 0 : 2;
}

static void nobody_goes_on_as_root(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip();
    assert_int_equal(in_a_child(try_without_user), 0);
    assert_int_equal(in_a_child(try_with_root), 0);
    assert_int_equal(in_a_child(try_as_nobody), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_core_is_dumped_and_no_file_is_for_others),
        cmocka_unit_test(root_is_given_up_for_good),
        cmocka_unit_test(nobody_goes_on_as_root),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
