/* SPDX-License-Identifier: Apache-2.0 */
/* Who gets a pool of his own: nobody for whom the host has something, and never root. */
#include "cli/own.h"
#include "folder.h"

#include "base/str.h"

static uid_t user = 1000;

uid_t __wrap_geteuid(void);
uid_t __wrap_geteuid(void)
{
    return user;
}

static struct config fresh(void)
{
    struct config c;
    config_defaults(&c);
    user = 1000;
    setenv("XDG_DATA_HOME", "/home/me/data", 1);
    return c;
}

static void who_has_nothing_gets_a_pool(void **state)
{
    (void)state;
    struct config c = fresh();
    OK(own_complete(&c, "/nonexistent/socket", &e));
    assert_true(own_has_pool(&c));
    assert_string_equal(c.pool_path, "/home/me/data/mayfly/disks");
    assert_string_equal(c.connection_uri, "qemu:///session");
    assert_true(c.encryption_enabled);
}

static void who_may_reach_the_broker_does_not(void **state)
{
    struct config c = fresh();
    folder_write(state, "socket", "");
    OK(own_complete(&c, folder_path(state, "socket"), &e));
    assert_false(own_has_pool(&c));
    assert_string_equal(c.connection_uri, "qemu:///system");
    assert_false(c.encryption_enabled);
}

static void nor_does_a_user_of_volume_groups(void **state)
{
    (void)state;
    struct config c = fresh();
    c.volume_groups.n = 1;
    strcpy(c.volume_groups.item[0], "vg0");
    OK(own_complete(&c, "/nonexistent/socket", &e));
    assert_false(own_has_pool(&c));
}

static void what_is_configured_stays(void **state)
{
    (void)state;
    struct config c = fresh();
    strcpy(c.pool_path, "/srv/disks");
    OK(own_complete(&c, "/nonexistent/socket", &e));
    assert_string_equal(c.pool_path, "/srv/disks");
    assert_string_equal(c.connection_uri, "qemu:///session");
    assert_false(c.encryption_enabled);
    strcpy(c.connection_uri, "qemu+unix:///session?socket=/x");
    OK(own_complete(&c, "/nonexistent/socket", &e));
    assert_string_equal(c.connection_uri, "qemu+unix:///session?socket=/x");
}

static void root_has_none(void **state)
{
    (void)state;
    struct config c = fresh();
    user = 0;
    OK(own_complete(&c, "/nonexistent/socket", &e));
    assert_false(own_has_pool(&c));
    assert_string_equal(c.connection_uri, "qemu:///system");
    strcpy(c.pool_path, "/srv/disks");
    REFUSED_WITH(-EINVAL, "not for root", own_complete(&c, "/nonexistent/socket", &e));
}

static void a_folder_whose_name_is_too_long_is_told(void **state)
{
    (void)state;
    char path[CONFIG_TEXT_MAX + 2];
    struct config c = fresh();
    memset(path, 'x', sizeof path);
    path[0] = '/';
    path[sizeof path - 1] = '\0';
    setenv("XDG_DATA_HOME", path, 1);
    REFUSED_WITH(-ENAMETOOLONG, "[pool] path", own_complete(&c, "/nonexistent/socket", &e));
    assert_false(own_has_pool(&c));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_has_nothing_gets_a_pool),
        cmocka_unit_test_setup_teardown(who_may_reach_the_broker_does_not, folder_make, folder_remove),
        cmocka_unit_test(nor_does_a_user_of_volume_groups),
        cmocka_unit_test(what_is_configured_stays),
        cmocka_unit_test(root_has_none),
        cmocka_unit_test(a_folder_whose_name_is_too_long_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
