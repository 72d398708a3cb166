/* SPDX-License-Identifier: Apache-2.0 */
/* What Keystone says, read: the token's body, and which of a catalog's endpoints is Barbican. */
#include "barbican/barbican-internal.h"
#include "base/str.h"
#include "unit.h"

#include <stdio.h>

#define TOKEN(members) "{\"token\":{" members "}}"
#define USER           "\"user\":{\"id\":\"u1\",\"name\":\"alice\"}"

static int parse_token(const char *text, struct keystone_facts *ret, struct error *e)
{
    *ret = (struct keystone_facts){.user_id = ""};
    return keystone_parse_token(text, strlen(text), ret, e);
}

static void a_token(void **state)
{
    (void)state;
    struct error e = ERROR_NONE;
    struct keystone_facts f;
    assert_ok(
        parse_token(TOKEN(USER ",\"project\":{\"id\":\"p1\",\"name\":\"tenant-a\"},\"roles\":[{\"name\":"
                               "\"member\"},{\"id\":\"r\"},7,{\"name\":\"creator\"}],"
                               "\"expires_at\":\"2026-11-22T21:05:48.000000Z\""),
                    &f, &e),
        e);
    assert_string_equal(f.user_id, "u1");
    assert_string_equal(f.user_name, "alice");
    assert_string_equal(f.project_id, "p1");
    assert_string_equal(f.project_name, "tenant-a");
    assert_string_equal(f.roles, "member, creator");
    assert_int_equal(f.expires_sec, 1795381548);

    /* as an application credential cuts it; and of what is not said nothing is made up */
    assert_ok(parse_token(TOKEN(USER ",\"expires_at\":\"2026-11-22T21:05:48\""), &f, &e), e);
    assert_int_equal(f.expires_sec, 1795381548);
    assert_string_equal(f.project_id, "");
    assert_string_equal(f.roles, "");
    assert_ok(parse_token(TOKEN(USER ",\"expires_at\":\"soon\",\"roles\":{}"), &f, &e), e);
    assert_int_equal(f.expires_sec, 0);
}

static void what_is_no_token(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        "[]",
        "null",
        "<html>",
        "{}",
        "{\"token\":[]}",
        TOKEN(""),
        TOKEN("\"user\":\"u1\""),
        TOKEN("\"user\":{\"id\":1}"),
        TOKEN("\"user\":{\"id\":\"a\\nb\"}"),
        TOKEN("\"user\":{\"id\":\"a\\u0000b\"}"),
        TOKEN("\"user\":{\"id\":\"0123456789012345678901234567890123456789012345678901234567890123x5\"}"),
        TOKEN(USER) "x",
        TOKEN(USER) "{}",
        ("{\"token\":{" USER),
    };
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        struct error e = ERROR_NONE;
        struct keystone_facts f;
        if (parse_token(texts[i], &f, &e) != -EHOSTUNREACH || !strstr(e.text, "auth_url"))
            fail_msg("%s: %s", texts[i], e.text);
    }
}

static void a_role_without_a_name_hides_no_other(void **state)
{
    (void)state;
    struct error e = ERROR_NONE;
    struct keystone_facts f;
    assert_ok(parse_token(TOKEN(USER ",\"roles\":[{\"name\":\"\"},{\"name\":\"member\"}]"), &f, &e), e);
    assert_string_equal(f.roles, "member");
}

static void roles_without_end(void **state)
{
    (void)state;
    struct error e = ERROR_NONE;
    struct keystone_facts f;
    char text[4096] = "{\"token\":{" USER ",\"roles\":[{\"name\":\"r\"}";
    for (int i = 0; i < 100; i++)
        strcat(text, ",{\"name\":\"a-role-of-some-length\"}");
    strcat(text, "]}}");
    assert_ok(parse_token(text, &f, &e), e);
    assert_true(str_starts(f.roles, "r, a-role-of-some-length, "));
    assert_true(strlen(f.roles) < sizeof f.roles);
}

/* --- the catalog --- */

#define ENDPOINT(interface, region, url)                                                                     \
    "{\"interface\":\"" interface "\",\"region_id\":\"" region "\",\"url\":\"" url "\"}"
#define SERVICE(type, endpoints) "{\"type\":\"" type "\",\"endpoints\":[" endpoints "]}"
#define CATALOG(services)        "{\"token\":{\"catalog\":[" services "]}}"

#define PUBLIC_1   ENDPOINT("public", "R1", "https://public-1///")
#define INTERNAL_1 ENDPOINT("internal", "R1", "https://internal-1")
#define PUBLIC_2   ENDPOINT("public", "R2", "https://public-2/v1/")
#define ADMIN_2    ENDPOINT("admin", "R2", "https://admin-2")
#define NO_URL     "{\"interface\":\"public\",\"region_id\":\"R2\"}"
#define IDENTITY   SERVICE("identity", ENDPOINT("public", "R1", "https://identity/v3"))
#define REGION_1   SERVICE("key-manager", INTERNAL_1 "," PUBLIC_1)
#define REGION_2   SERVICE("key-manager", "\"x\"," NO_URL "," PUBLIC_2 "," ADMIN_2)

static const char catalog[] = CATALOG(IDENTITY ",7,{\"type\":\"key-manager\"}," REGION_1 "," REGION_2);

static void assert_endpoint(const char *text, const char *region, const char *interface, const char *wanted)
{
    struct error e = ERROR_NONE;
    struct keystone_endpoint found = {.url = ""};
    assert_ok(keystone_parse_endpoint(text, strlen(text), region, interface, &found, &e), e);
    assert_string_equal(found.url, wanted);
}

static void the_endpoint_that_was_asked_for(void **state)
{
    (void)state;
    assert_endpoint(catalog, "R1", "", "https://public-1");
    assert_endpoint(catalog, "", "internal", "https://internal-1");
    assert_endpoint(catalog, "R2", "", "https://public-2/v1");
    assert_endpoint(catalog, "R2", "admin", "https://admin-2");
    assert_endpoint(catalog, "", "admin", "https://admin-2");
    /* GET /v3/auth/catalog has no token around it; old catalogs have a region without an id */
    assert_endpoint(
        "{\"catalog\":[{\"type\":\"key-manager\",\"endpoints\":[{\"interface\":\"public\",\"region\":"
        "\"old\",\"url\":\"https://b/\"}]}]}",
        "old", "public", "https://b");
}

static void endpoints_that_are_not_there(void **state)
{
    (void)state;
    static const struct {
        const char *text, *region, *interface, *words;
    } cases[] = {
        {catalog, "R3", "", "R1/internal, R1/public, R2/public, R2/public, R2/admin"},
        {catalog, "R1", "admin", "region R1 and interface admin"},
        {catalog, "", "secret", "region (any)"},
        {CATALOG(SERVICE("identity", "")), "", "", "no service of type key-manager"},
        {CATALOG(SERVICE("key-manager", "")), "", "", "no service of type key-manager"},
        {CATALOG(""), "", "", "no service of type key-manager"},
        {CATALOG(SERVICE("key-manager", ENDPOINT("public", "R1", ""))), "", "", "R1/public"},
        {CATALOG(SERVICE("key-manager", ENDPOINT("public", "R1", "https://a\\nb"))), "", "", "R1/public"},
        {CATALOG("{\"type\":7,\"endpoints\":{}}"), "", "", "no service"},
        {"{\"token\":{}}", "", "", "catalog is empty"},
        {"{\"token\":{\"catalog\":{}}}", "", "", "catalog is empty"},
        {"{}", "", "", "catalog is empty"},
        {"[]", "", "", "not a Keystone token"},
        {"<html>", "", "", "not a Keystone token"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct error e = ERROR_NONE;
        struct keystone_endpoint found;
        int r = keystone_parse_endpoint(cases[i].text, strlen(cases[i].text), cases[i].region,
                                        cases[i].interface, &found, &e);
        if (r != -EHOSTUNREACH || !strstr(e.text, cases[i].words))
            fail_msg("%zu: %d, no \"%s\" in: %s", i, r, cases[i].words, e.text);
    }
}

/* None is guessed. */
static void several_that_may_be_meant(void **state)
{
    (void)state;
    static const char in_one_region[] = CATALOG(
        SERVICE("key-manager", PUBLIC_1) "," SERVICE("key-manager", ENDPOINT("public", "R1", "https://x")));
    static const char twice[] =
        CATALOG("{\"type\":\"key-manager\",\"id\":\"b\",\"endpoints\":[" PUBLIC_1 "]},"
                "{\"type\":\"key-manager\",\"id\":\"a\",\"endpoints\":[" PUBLIC_1 "," INTERNAL_1 "]}");
    struct keystone_endpoint found = {.url = ""};
    struct error e = ERROR_NONE;
    assert_error(keystone_parse_endpoint(catalog, strlen(catalog), "", "", &found, &e), -EINVAL, e);
    assert_non_null(strstr(e.text, "several regions: R1, R2; choose one by OS_REGION_NAME"));
    e = ERROR_NONE;
    assert_error(keystone_parse_endpoint(in_one_region, strlen(in_one_region), "R1", "", &found, &e), -EINVAL,
                 e);
    assert_non_null(strstr(e.text, "several key managers in region R1 (https://public-1, https://x)"));
    assert_ok(keystone_parse_endpoint(twice, strlen(twice), "", "", &found, &e), e);
    assert_string_equal(found.service_id, "a");
    assert_string_equal(found.region, "R1");

    /* which one an address is of, however it is written */
    assert_true(keystone_parse_url(twice, strlen(twice), "HTTPS://internal-1:443/v1/", &found));
    assert_string_equal(found.service_id, "a");
    assert_false(keystone_parse_url(twice, strlen(twice), "https://internal-1:444", &found));
    assert_false(keystone_parse_url(twice, strlen(twice), "https://internal-1/path", &found));
    assert_false(keystone_parse_url(twice, strlen(twice), "", &found));
    static const char below[] =
        CATALOG(SERVICE("key-manager", ENDPOINT("public", "R1", "https://b/keys/v1")));
    assert_true(keystone_parse_url(below, strlen(below), "https://b/keys", &found));
    assert_false(keystone_parse_url(below, strlen(below), "https://b/key", &found));
}

/* Many regions: those that the sentence has no room for are left out, whole. */
static void regions_without_end(void **state)
{
    (void)state;
    struct error e = ERROR_NONE;
    char text[8192] = "{\"catalog\":[{\"type\":\"key-manager\",\"endpoints\":[{}";
    struct keystone_endpoint found;
    for (int i = 0; i < 50; i++)
        strcat(text, "," ENDPOINT("public", "a-region-of-a-name", "https://b"));
    strcat(text, "]}]}");
    assert_error(keystone_parse_endpoint(text, strlen(text), "R", "", &found, &e), -EHOSTUNREACH, e);
    assert_non_null(strstr(e.text, "a-region-of-a-name/public; set "));
}

/* With or without /v1, from the configuration or the caller. */
static void where_barbican_is(void **state)
{
    (void)state;
    static const char *const given[] = {"https://b:9311", "https://b:9311/", "https://b:9311/v1",
                                        "https://b:9311/v1//"};
    for (size_t i = 0; i < 2 * ARRAY_SIZE(given); i++) {
        static struct barbican b;
        struct error e = ERROR_NONE;
        b = (struct barbican){.endpoint = ""};
        snprintf(b.configured_endpoint, sizeof b.configured_endpoint, "%s",
                 i % 2 ? "https://other" : given[i / 2]);
        if (i % 2)
            snprintf(b.who.key_manager_endpoint_override, sizeof b.who.key_manager_endpoint_override, "%s",
                     given[i / 2]);
        assert_ok(barbican_find(&b, &e), e);
        assert_string_equal(b.endpoint, "https://b:9311/v1");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_token),
        cmocka_unit_test(what_is_no_token),
        cmocka_unit_test(a_role_without_a_name_hides_no_other),
        cmocka_unit_test(roles_without_end),
        cmocka_unit_test(the_endpoint_that_was_asked_for),
        cmocka_unit_test(endpoints_that_are_not_there),
        cmocka_unit_test(several_that_may_be_meant),
        cmocka_unit_test(regions_without_end),
        cmocka_unit_test(where_barbican_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
