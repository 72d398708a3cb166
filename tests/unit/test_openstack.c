/* SPDX-License-Identifier: Apache-2.0 */
/* Who asks: variables, clouds.yaml, and what of them is refused. */
#include "barbican/openstack.h"
#include "base/fd.h"
#include "base/str.h"
#include "unit.h"

#include <unistd.h>

/* Variables behind each other, as in struct key_context. */
#define ENVIRONMENT(text) an_environment(text, sizeof text)

static struct secret *an_environment(const char *text, size_t size)
{
    struct error e = ERROR_NONE;
    struct secret *s = NULL;
    assert_ok(secret_new(size, &s, &e), e);
    memcpy(secret_bytes(s), text, size);
    return s;
}

static void assert_secret(const struct secret *s, const char *wanted)
{
    assert_non_null(s);
    assert_int_equal(secret_size(s), strlen(wanted));
    assert_memory_equal(secret_peek(s), wanted, strlen(wanted));
}

/* The openstack that the variables make, which the caller ends. */
static int from_environment(struct secret *environment, struct openstack *ret, struct error *e)
{
    static struct config c;
    config_defaults(&c);
    struct key_context who = KEY_CONTEXT_NONE;
    who.environment = environment;
    int r = openstack_from_context(&c, &who, ret, e);
    key_context_end(&who);
    return r;
}

static void a_password_of_an_openrc(void **state)
{
    (void)state;
    struct error e = ERROR_NONE;
    _cleanup_(openstack_end) struct openstack o;
    assert_ok(
        from_environment(
            ENVIRONMENT("OS_AUTH_URL=https://k.test:5000/\0OS_USERNAME=alice\0OS_PASSWORD=p\"w=\0"
                        "OS_TENANT_NAME=tenant-a\0OS_DEFAULT_DOMAIN=Default\0OS_ENDPOINT_TYPE=internalURL\0"
                        "OS_REGION_NAME=R\0OS_UNKNOWN=1"),
            &o, &e),
        e);
    assert_int_equal(o.auth, OPENSTACK_PASSWORD);
    assert_string_equal(o.auth_url, "https://k.test:5000/v3");
    assert_string_equal(o.project_name, "tenant-a");
    assert_string_equal(o.user_domain_name, "Default");
    assert_string_equal(o.project_domain_name, "Default");
    assert_string_equal(o.interface, "internal");
    assert_false(o.is_host);
    assert_secret(o.secret, "p\"w=");
}

static void other_kinds(void **state)
{
    (void)state;
    struct error e = ERROR_NONE;
    struct openstack o;
    assert_ok(from_environment(ENVIRONMENT("OS_AUTH_URL=https://k/v3\0OS_APPLICATION_CREDENTIAL_ID=i\0"
                                           "OS_APPLICATION_CREDENTIAL_SECRET=s"),
                               &o, &e),
              e);
    assert_int_equal(o.auth, OPENSTACK_APPLICATION_CREDENTIAL);
    assert_secret(o.secret, "s");
    openstack_end(&o);
    assert_ok(from_environment(ENVIRONMENT("OS_AUTH_URL=https://k/v3\0OS_TOKEN=gAAAA"), &o, &e), e);
    assert_int_equal(o.auth, OPENSTACK_TOKEN);
    assert_secret(o.secret, "gAAAA");
    openstack_end(&o);
}

#define BASE                                                                                                 \
    "OS_AUTH_URL=https://k/v3\0OS_USERNAME=a\0OS_PASSWORD=hush\0OS_PROJECT_NAME=p\0OS_DEFAULT_DOMAIN=d\0"

static void what_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t size;
        int errnum;
        const char *words;
    } cases[] = {
#define CASE(text, errnum, words) {text, sizeof text, errnum, words}
        CASE(BASE "OS_INSECURE=true", -EINVAL, "OS_INSECURE"),
        CASE(BASE "OS_CERT=/c", -EINVAL, "client certificate"),
        CASE(BASE "OS_AUTH_TYPE=v3kerberos", -EINVAL, "v3kerberos"),
        CASE(BASE "OS_IDENTITY_API_VERSION=2.0", -EINVAL, "version 3 alone"),
        CASE(BASE "OS_INTERFACE=secret", -EINVAL, "interface"),
        CASE(BASE "OS_REGION_NAME=a\nb", -EINVAL, "OS_REGION_NAME"),
        CASE("OS_AUTH_URL=https://k/v2.0\0OS_TOKEN=t", -EINVAL, "version 2"),
        CASE("OS_USERNAME=a\0OS_PASSWORD=hush", -EACCES, "auth_url"),
        CASE("OS_AUTH_URL=https://k/v3\0OS_USERNAME=a\0OS_PASSWORD=hush", -EACCES, "domain"),
        CASE("OS_AUTH_URL=https://k/v3\0OS_USER_ID=a\0OS_PROJECT_ID=p", -EACCES, "the password"),
        CASE("OS_REGION_NAME=only", -EACCES, "no credentials"),
#undef CASE
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct error e = ERROR_NONE;
        struct openstack o;
        assert_error(from_environment(an_environment(cases[i].text, cases[i].size), &o, &e), cases[i].errnum,
                     e);
        if (!strstr(e.text, cases[i].words))
            fail_msg("no \"%s\" in: %s", cases[i].words, e.text);
        assert_null(strstr(e.text, "hush"));
        openstack_end(&o);
    }
}

static const char clouds[] = "# ours\n"
                             "clouds:\n"
                             "  other: {auth: {username: eve}}\n"
                             "  lab:\n"
                             "    region_name: R1\n"
                             "    regions: [a, {auth: {username: mallory}}]\n"
                             "    verify: true\n"
                             "    key-manager-endpoint-override: https://b:9311\n"
                             "    auth:\n"
                             "      auth_url: https://k:5000\n"
                             "      username: alice\n"
                             "      project_id: 'p'\n"
                             "      user_domain_name: Default\n";

static void a_cloud(void **state)
{
    (void)state;
    struct error e = ERROR_NONE;
    static const char secure[] = "clouds:\n  lab:\n    auth:\n      password: \"p\\u00e4 w\"\n";
    _cleanup_(openstack_end) struct openstack o = {.is_host = false};
    assert_ok(openstack_parse_clouds(clouds, sizeof clouds - 1, "clouds.yaml", "lab", &o, &e), e);
    assert_ok(openstack_parse_clouds(secure, sizeof secure - 1, "secure.yaml", "lab", &o, &e), e);
    assert_ok(openstack_check(&o, &e), e);
    assert_string_equal(o.username, "alice");
    assert_string_equal(o.region_name, "R1");
    assert_string_equal(o.key_manager_endpoint_override, "https://b:9311");
    assert_secret(o.secret, "p\u00e4 w");
}

static void clouds_that_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int errnum;
        const char *words;
    } cases[] = {
        {"clouds:\n  lab:\n    verify: false\n", -EINVAL, "c.yaml:3"},
        {"clouds:\n  lab:\n    profile: vendor\n", -EINVAL, "profile"},
        {"clouds:\n  lab: &a\n    auth: {username: u}\n  x: *a\n", -EINVAL, "alias"},
        {"clouds:\n  other: {}\n", -ENOENT, "no cloud lab"},
        {"", -ENOENT, "no cloud lab"},
        {"clouds: lab", -ENOENT, "no cloud lab"},
        {"clouds:\n\t- x", -EINVAL, "c.yaml:2"},
        {"[[[[[[[[[[[[[[[[[[[[[", -EINVAL, "nested"},
        {"? {a: b} : c\n", -EINVAL, "name is expected"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct error e = ERROR_NONE;
        struct openstack o = {.is_host = false};
        assert_error(openstack_parse_clouds(cases[i].text, strlen(cases[i].text), "c.yaml", "lab", &o, &e),
                     cases[i].errnum, e);
        if (!strstr(e.text, cases[i].words))
            fail_msg("no \"%s\" in: %s", cases[i].words, e.text);
        openstack_end(&o);
    }
}

static void the_host_itself(void **state)
{
    (void)state;
    struct error e = ERROR_NONE;
    static struct config c;
    config_defaults(&c);
    assert_int_equal(str_copy(c.host_auth_url, sizeof c.host_auth_url, "https://k/v3"), 0);
    assert_int_equal(str_copy(c.host_username, sizeof c.host_username, "compute"), 0);
    struct key_context who = KEY_CONTEXT_NONE;
    struct openstack o;
    assert_error(openstack_from_context(&c, &who, &o, &e), -EACCES, e); /* its password is not to be had */
    openstack_end(&o);

    e = ERROR_NONE;
    assert_int_equal(fd_memfd("password", "pw\n", 3, &who.host_secret_fd), 0);
    assert_ok(openstack_from_context(&c, &who, &o, &e), e);
    assert_true(o.is_host);
    assert_string_equal(o.project_name, "service");
    assert_secret(o.secret, "pw");
    openstack_end(&o);
    key_context_end(&who);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_password_of_an_openrc), cmocka_unit_test(other_kinds),
        cmocka_unit_test(what_is_refused),         cmocka_unit_test(a_cloud),
        cmocka_unit_test(clouds_that_are_refused), cmocka_unit_test(the_host_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
