/* SPDX-License-Identifier: Apache-2.0 */
/* Documents for programs: any bytes become UTF-8 (RFC 3629), and what does not get in is told of. */
#include "cli/json.h"
#include "unit.h"

#define NONE "\xef\xbf\xbd"

static void assert_text(const char *text, const char *wanted)
{
    struct json_object *object = json_object_new_object(), *value = NULL;
    assert_true(json_put_text(object, "x", text));
    assert_true(json_object_object_get_ex(object, "x", &value));
    assert_string_equal(json_object_get_string(value), wanted);
    json_object_put(object);
}

static void characters_stay(void **state)
{
    static const char *const texts[] = {"",
                                        "a\x7f",
                                        "\xc2\x80",
                                        "\xdf\xbf",
                                        "\xe0\xa0\x80",
                                        "\xed\x9f\xbf",
                                        "\xee\x80\x80",
                                        "\xef\xbf\xbf",
                                        "\xf0\x90\x80\x80",
                                        "\xf4\x8f\xbf\xbf",
                                        "na\xc3\xafve \xe2\x82\xac"};
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
        assert_text(texts[i], texts[i]);
}

static void other_bytes_become_the_replacement(void **state)
{
    static const struct {
        const char *text, *wanted;
    } cases[] = {
        {"a\x80z", "a" NONE "z"},
        {"\xc1\xbf", NONE NONE}, /* longer than need be */
        {"\xe0\x9f\xbf", NONE NONE NONE},
        {"\xf0\x8f\xbf\xbf", NONE NONE NONE NONE},
        {"\xed\xa0\x80", NONE NONE NONE},          /* half of a pair of UTF-16 */
        {"\xf4\x90\x80\x80", NONE NONE NONE NONE}, /* beyond the last */
        {"\xf5\x80\x80\x80", NONE NONE NONE NONE},
        {"\xff", NONE},
        {"\xe2\x82", NONE NONE}, /* cut off */
        {"\xe2\x82z", NONE NONE "z"},
        {"\xe2z\xac", NONE "z" NONE},
        {"\xc3", NONE},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        assert_text(cases[i].text, cases[i].wanted);
}

/* Builders look once, at the end: so each refuses what is not there, and frees what it was given. */
static void what_is_missing_is_told(void **state)
{
    struct json_object *object = json_object_new_object(), *array = json_object_new_array();
    (void)state;
    assert_false(json_put(NULL, "x", json_object_new_boolean(1)));
    assert_false(json_put(object, "x", NULL));
    assert_false(json_append(NULL, json_object_new_boolean(1)));
    assert_false(json_append(array, NULL));
    assert_true(json_append(array, json_object_new_boolean(1)));
    assert_int_equal(json_object_array_length(array), 1);
    assert_int_equal(json_object_object_length(object), 0);
    json_object_put(object);
    json_object_put(array);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(characters_stay),
        cmocka_unit_test(other_bytes_become_the_replacement),
        cmocka_unit_test(what_is_missing_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
