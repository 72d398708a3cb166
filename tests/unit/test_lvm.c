/* SPDX-License-Identifier: Apache-2.0 */
/* The rows of LVM's reports; LVM itself is for the lab. */
#include "storage/lvm-filter.h"
#include "storage/lvm-shell.h"
#include "unit.h"

#include <stdio.h>
#include <unistd.h>

static const char row[] = "          {\"lv_name\":\"a_disk\", \"lv_size\":\"4194304\", \"lv_tags\":\"\"},\n"
                          "          {\"vg_name\":\"vg0\"}\n";

static void fields_are_found(void **state)
{
    (void)state;
    char field[16];
    assert_int_equal(lvm_row_field(row, "lv_name", field, sizeof field), 0);
    assert_string_equal(field, "a_disk");
    assert_int_equal(lvm_row_field(row, "lv_size", field, sizeof field), 0);
    assert_string_equal(field, "4194304");
    assert_int_equal(lvm_row_field(row, "lv_tags", field, sizeof field), 0);
    assert_string_equal(field, "");
}

static void a_row_ends_with_its_line(void **state)
{
    (void)state;
    char field[16];
    assert_int_equal(lvm_row_field(row, "vg_name", field, sizeof field), -ENOENT);
    assert_int_equal(lvm_row_field("{\"a\":\"x\n\"b\":\"y\"}", "a", field, sizeof field), -EINVAL);
    assert_int_equal(lvm_row_field("{\"a\":\"x\\\n\"}", "a", field, sizeof field), -EINVAL);
    assert_int_equal(lvm_row_field("{\"a\":\"x", "a", field, sizeof field), -EINVAL);
    assert_int_equal(lvm_row_field("{\"a\":\"x\\", "a", field, sizeof field), -EINVAL);
}

static void a_part_of_a_name_is_no_name(void **state)
{
    (void)state;
    char field[16];
    assert_int_equal(lvm_row_field("{\"lv_name\":\"x\"}", "name", field, sizeof field), -ENOENT);
    assert_int_equal(lvm_row_field("{\"lv_name\":\"x\"}", "lv", field, sizeof field), -ENOENT);
}

static void what_does_not_fit_is_refused(void **state)
{
    (void)state;
    char field[4];
    assert_int_equal(lvm_row_field("{\"a\":\"xyz\"}", "a", field, sizeof field), 0);
    assert_string_equal(field, "xyz");
    assert_int_equal(lvm_row_field("{\"a\":\"wxyz\"}", "a", field, sizeof field), -ENAMETOOLONG);
}

static void messages_lose_their_backslashes(void **state)
{
    (void)state;
    char field[64];
    assert_int_equal(
        lvm_row_field("{\"log_message\":\"group \\\"vg\\\" not found\"}", "log_message", field, sizeof field),
        0);
    assert_string_equal(field, "group \"vg\" not found");
}

/* report/quoted=0 takes closing quotes out of the log. */
static void a_log_is_read_with_and_without_quotes(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "{\"log_type\":\"error\", \"log_message\":\"group \\\"a, b\\\" not found\", "
        "\"log_ret_code\":\"0\"},\n{}",
        "{\"log_type\":\"error, \"log_message\":\"group \\\"a, b\\\" not found, \"log_ret_code\":\"0},\n{}",
        "{\"log_type\":\"error, \"log_message\":\"group \\\"a, b\\\" not found, \"log_ret_code\":\"0}",
        "{\"log_type\":\"error', \"log_message\":\"group \\\"a, b\\\" not found', "
        "\"log_ret_code\":\"0'},\n{}",
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        char field[64];
        assert_int_equal(lvm_log_field(rows[i], "log_type", field, sizeof field), 0);
        assert_string_equal(field, "error");
        assert_int_equal(lvm_log_field(rows[i], "log_message", field, sizeof field), 0);
        assert_string_equal(field, "group \"a, b\" not found");
        assert_int_equal(lvm_log_field(rows[i], "log_ret_code", field, sizeof field), 0);
        assert_string_equal(field, "0");
        assert_int_equal(lvm_log_field(rows[i], "log_errno", field, sizeof field), -ENOENT);
        assert_int_equal(lvm_log_field(rows[i], "log_message", field, 4), -ENAMETOOLONG);
    }
}

/* What lvm_filter_may_be_set() says of a folder with that one file. */
static bool may_be_set(const char *name, const char *text)
{
    char folder[] = "/tmp/mayfly-test-XXXXXX", path[64];
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
    bool answer = lvm_filter_may_be_set(folder);
    unlink(path);
    rmdir(folder);
    return answer;
}

static void lvm_is_asked_where_a_filter_may_be_set(void **state)
{
    (void)state;
    assert_false(may_be_set("lvm.conf", "devices {\n\t# filter = [ \"a|.*|\" ]\n    #filter\n}\n"));
    assert_false(may_be_set("lvm.conf.dpkg-old", "devices/filter = [ \"a|.*|\" ]\n"));
    assert_false(may_be_set("lvmlocal.conf", "devices {\n\tglobal_filter = [ \"r|x|\" ]\n}\n"));
    assert_true(
        may_be_set("lvmlocal.conf", "devices { global_filter = [ \"r|x|\" ] filter = [ \"a|y|\" ] }\n"));
    assert_false(lvm_filter_may_be_set("/nonexistent"));
    assert_true(may_be_set("lvm.conf", "devices {\n\tfilter = [ \"a|.*|\" ]\n}\n"));
    assert_true(may_be_set("lvm_db.conf", "devices/filter=[ \"a|.*|\" ]"));
    assert_true(may_be_set("lvmlocal.conf", "devices { dir = \"/dev\" filter = [ \"r|.*|\" ] }\n"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_are_found),
        cmocka_unit_test(a_row_ends_with_its_line),
        cmocka_unit_test(a_part_of_a_name_is_no_name),
        cmocka_unit_test(what_does_not_fit_is_refused),
        cmocka_unit_test(messages_lose_their_backslashes),
        cmocka_unit_test(a_log_is_read_with_and_without_quotes),
        cmocka_unit_test(lvm_is_asked_where_a_filter_may_be_set),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
