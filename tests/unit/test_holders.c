/* SPDX-License-Identifier: Apache-2.0 */
/* Maps, swap and loop devices need a real device-mapper: tests/lab/storage-dmcrypt.sh. */
#include "storage/holders.h"
#include "unit.h"

#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

static void a_mount_is_named(void **state)
{
    (void)state;
    struct stat st;
    char text[200], few[16];
    assert_int_equal(stat("/proc", &st), 0);
    holders_name(st.st_dev, text, sizeof text);
    assert_non_null(strstr(text, " by mount /proc"));
    holders_name(st.st_dev, few, sizeof few);
    assert_int_equal(strlen(few), sizeof few - 1);
    assert_memory_equal(few, text, sizeof few - 1);
}

static void nobody_is_nobody(void **state)
{
    (void)state;
    char text[200];
    holders_name(makedev(4095, 77), text, sizeof text);
    assert_string_equal(text, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_mount_is_named),
        cmocka_unit_test(nobody_is_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
