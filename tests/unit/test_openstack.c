/* SPDX-License-Identifier: Apache-2.0 */
/* Who asks: variables, clouds.yaml, and what of them is refused. */
#include "barbican/openstack.h"
#include "base/fd.h"
#include "base/str.h"
#include "unit.h"

#include <fcntl.h>
#include <stdio.h>
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
    assert_string_equal(o.user_domain_id, "Default"); /* an id, whatever it looks like */
    assert_string_equal(o.project_domain_id, "Default");
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
        CASE("OS_AUTH_URL=https://k/v3\0OS_PROJECT_ID=p\0OS_PASSWORD=hush", -EACCES, "the user (username"),
        CASE("OS_AUTH_URL=https://k/v3\0OS_USER_ID=a\0OS_PASSWORD=hush", -EACCES,
             "the project (project_name"),
        CASE("OS_AUTH_URL=https://k/v3\0OS_USER_ID=a\0OS_PASSWORD=hush\0OS_PROJECT_NAME=p", -EACCES,
             "the project's domain"),
        CASE("OS_AUTH_URL=https://k/v3\0OS_AUTH_TYPE=v3token", -EACCES, "the token"),
        CASE("OS_AUTH_URL=https://k/v3\0OS_AUTH_TYPE=v3applicationcredential\0"
             "OS_APPLICATION_CREDENTIAL_NAME=n\0OS_APPLICATION_CREDENTIAL_SECRET=hush",
             -EACCES, "the user that application_credential_name"),
        CASE("OS_AUTH_URL=https://k/v3\0OS_AUTH_TYPE=v3applicationcredential\0OS_APPLICATION_CREDENTIAL_ID=i",
             -EACCES, "application_credential_secret"),
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

/* --token-fd: what the other credentials say of a project is no matter, and where to ask may be the host's.
 */
static void a_token_that_is_given(void **state)
{
    (void)state;
    static struct config c;
    config_defaults(&c);
    strcpy(c.host_auth_url, "https://host.test:5000");
    for (int told = 0; told < 2; told++) {
        struct key_context who = KEY_CONTEXT_NONE;
        struct error e = ERROR_NONE;
        struct openstack o;
        assert_ok(secret_new(5, &who.token, &e), e);
        memcpy(secret_bytes(who.token), "gAAAA", 5);
        if (told)
            who.environment = ENVIRONMENT(BASE "OS_PROJECT_ID=p");
        assert_ok(openstack_from_context(&c, &who, &o, &e), e);
        assert_int_equal(o.auth, OPENSTACK_TOKEN);
        assert_secret(o.secret, "gAAAA");
        assert_string_equal(o.source, "--token-fd");
        assert_string_equal(o.auth_url, told ? "https://k/v3" : "https://host.test:5000/v3");
        assert_string_equal(o.project_id, "");
        assert_string_equal(o.project_name, "");
        assert_false(o.is_host);
        assert_null(who.token);
        openstack_end(&o);
        key_context_end(&who);
    }
}

static const char clouds[] = "# ours\n"
                             "clouds:\n"
                             "  other: {auth: {username: eve}}\n"
                             "  lab:\n"
                             "    region_name: R1\n"
                             "    networks: [a, {auth: {username: mallory}}]\n"
                             "    verify: true\n"
                             "    key-manager-endpoint-override: https://b:9311\n"
                             "    auth:\n"
                             "      auth_url: https://k:5000\n"
                             "      username: alice\n"
                             "      project_id: 'p'\n"
                             "      user_domain_name: Default\n";

static int parse(const char *text, const char *file, struct openstack_said *s, struct error *e)
{
    return openstack_parse_clouds(text, strlen(text), file, "lab", "", s, e);
}

static void a_cloud(void **state)
{
    (void)state;
    struct error e = ERROR_NONE;
    static const char secure[] = "clouds:\n  lab:\n    auth:\n      password: \"p\\u00e4 w\"\n";
    _cleanup_(openstack_end) struct openstack o = {.is_host = false};
    static struct openstack_said s;
    assert_ok(parse(clouds, "clouds.yaml", &s, &e), e);
    assert_ok(parse(secure, "secure.yaml", &s, &e), e);
    assert_ok(openstack_merge(&s, true, &o, &e), e);
    openstack_said_end(&s);
    assert_ok(openstack_check(&o, &e), e);
    assert_string_equal(o.username, "alice");
    assert_string_equal(o.region_name, "R1");
    assert_string_equal(o.key_manager_endpoint_override, "https://b:9311");
    assert_secret(o.secret, "p\u00e4 w");
}

#define TEN "a,a,a,a,a,a,a,a,a,a,"

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
        {"clouds:\n  lab:\n    auth: [a]\n", -EINVAL, "below auth"},
        {"clouds:\n  lab:\n    auth:\n      password: {a: hush}\n", -EINVAL, "c.yaml:4: a text is expected"},
        {"clouds:\n  lab:\n    regions: [{values: {}}]\n", -EINVAL, "not a region"},
        {"clouds:\n  lab:\n    auth:\n      trust_id: t\n", -EINVAL, "c.yaml:4: asks for a token of a trust"},
        {"clouds:\n  lab: *a\n", -EINVAL, "undefined alias"},
        {"clouds:\n  lab:\n    regions: {a: b}\n", -EINVAL, "a list of regions is expected"},
        {"clouds:\n  lab:\n    regions: " TEN TEN TEN TEN TEN TEN TEN "\n", -EINVAL, "too many regions"},
        {"clouds:\n  other: {}\n", -ENOENT, "no cloud lab"},
        {"", -ENOENT, "no cloud lab"},
        {"clouds: lab", -ENOENT, "no cloud lab"},
        {"clouds:\n\t- x", -EINVAL, "c.yaml:2"},
        {"[[[[[[[[[[[[[[[[[[[[[", -EINVAL, "c.yaml:"},
        {"? {a: b} : c\n", -ENOENT, "no cloud lab"},
        {"clouds: &a\n  <<: *a\n", -ENOENT, "no cloud lab"}, /* it merges itself */
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct error e = ERROR_NONE;
        struct openstack_said s = {.n_regions = 0};
        assert_error(parse(cases[i].text, "c.yaml", &s, &e), cases[i].errnum, e);
        if (!strstr(e.text, cases[i].words))
            fail_msg("no \"%s\" in: %s", cases[i].words, e.text);
        openstack_said_end(&s);
    }
}

static void no_secret_that_was_said_is_kept(void **state)
{
    (void)state;
    struct openstack_said s = {.n_regions = 0};
    struct openstack *each[] = {&s.cloud, &s.auth, &s.variables};
    for (size_t i = 0; i < ARRAY_SIZE(each); i++) {
        struct error e = ERROR_NONE;
        assert_ok(secret_random(16, &each[i]->password, &e), e);
        assert_ok(secret_random(16, &each[i]->token, &e), e);
        assert_ok(secret_random(16, &each[i]->application_credential_secret, &e), e);
    }
    openstack_said_end(&s);
    for (size_t i = 0; i < ARRAY_SIZE(each); i++) {
        assert_null(each[i]->password);
        assert_null(each[i]->token);
        assert_null(each[i]->application_credential_secret);
    }
}

/* Merges of merges, which are more than can be followed. */
static void too_many_merges(void **state)
{
    (void)state;
    char text[8192] = "a0: &a0 {x: y}\n";
    struct error e = ERROR_NONE;
    struct openstack_said s = {.n_regions = 0};
    size_t n = strlen(text);
    for (int i = 1; i < 12; i++) {
        n += (size_t)snprintf(text + n, sizeof text - n, "a%d: &a%d {<<: [", i, i);
        for (int k = 0; k < 10; k++)
            n += (size_t)snprintf(text + n, sizeof text - n, "%s*a%d", k ? ", " : "", i - 1);
        n += (size_t)snprintf(text + n, sizeof text - n, "]}\n");
    }
    snprintf(text + n, sizeof text - n, "clouds:\n  lab: {<<: *a11}\n");
    assert_error(parse(text, "c.yaml", &s, &e), -EINVAL, e);
    assert_non_null(strstr(e.text, "merges"));
    openstack_said_end(&s);
}

/* What another openrc has left is no part of the host's own credentials. */
/* A file in memory; text NULL: none. */
static int file_of(const char *text)
{
    int fd = -1;
    if (text)
        assert_int_equal(fd_memfd("file", text, strlen(text), &fd), 0);
    return fd;
}

/* What is said by these two files of cloud lab; the caller ends *ret. */
static int from_files(const char *clouds_yaml, const char *secure_yaml, struct openstack *ret,
                      struct error *e)
{
    static struct config c;
    config_defaults(&c);
    struct key_context who = KEY_CONTEXT_NONE;
    strcpy(who.cloud, "lab");
    who.clouds_fd = file_of(clouds_yaml);
    who.secure_fd = file_of(secure_yaml);
    int r = openstack_from_context(&c, &who, ret, e);
    key_context_end(&who);
    return r;
}

/* The cloud has to be in one of the two files. */
static void a_cloud_that_is_nowhere(void **state)
{
    (void)state;
    static const char password[] = "clouds:\n  lab:\n    auth:\n      password: p\n";
    static const struct {
        const char *clouds, *secure;
        int r;
        const char *words;
    } cases[] = {
        {NULL, NULL, -ENOENT, "cloud lab: there is no clouds.yaml, neither here"},
        {"clouds:\n  other: {}\n", NULL, -ENOENT, "clouds.yaml: has no cloud lab"},
        {NULL, "clouds:\n  other: {}\n", -ENOENT, "secure.yaml: has no cloud lab"},
        {"clouds:\n  other: {}\n", password, -EACCES, "auth_url"}, /* it is there, and not enough */
        {clouds, "clouds: [", -EINVAL, "secure.yaml"},
        {clouds, "clouds:\n  other: {}\n", -EACCES, "password"},
        {clouds, password, 0, ""},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct error e = ERROR_NONE;
        _cleanup_(openstack_end) struct openstack o;
        assert_error(from_files(cases[i].clouds, cases[i].secure, &o, &e), cases[i].r, e);
        if (!strstr(e.text, cases[i].words))
            fail_msg("%zu: not \"%s\", but: %s", i, cases[i].words, e.text);
    }
}

static void configure_host(struct config *c, const char *user)
{
    config_defaults(c);
    assert_int_equal(str_copy(c->host_auth_url, sizeof c->host_auth_url, "https://k/v3"), 0);
    assert_int_equal(str_copy(c->host_username, sizeof c->host_username, user), 0);
}

/* The host itself, which has its secret in this file; -1: it has none. The caller ends *ret. */
static int from_host(const struct config *c, int secret_fd, struct openstack *ret, struct error *e)
{
    struct key_context who = KEY_CONTEXT_NONE;
    who.host_secret_fd = secret_fd;
    *e = ERROR_NONE;
    int r = openstack_from_context(c, &who, ret, e);
    key_context_end(&who);
    return r;
}

static void leftovers_beside_the_host(void **state)
{
    (void)state;
    struct error e = ERROR_NONE;
    static struct config c;
    configure_host(&c, "compute");
    struct key_context who = KEY_CONTEXT_NONE;
    struct openstack o;
    who.environment =
        ENVIRONMENT("OS_PROJECT_ID=alien\0OS_USER_DOMAIN_ID=alien\0OS_REGION_NAME=alien\0"
                    "OS_CACERT=alien\0OS_INTERFACE=admin\0OS_KEY_MANAGER_ENDPOINT_OVERRIDE=https://alien");
    assert_int_equal(fd_memfd("password", "pw\n", 3, &who.host_secret_fd), 0);
    assert_ok(openstack_from_context(&c, &who, &o, &e), e);
    assert_true(o.is_host);
    assert_string_equal(o.project_id, "");
    assert_string_equal(o.user_domain_id, "");
    assert_string_equal(o.region_name, "");
    assert_string_equal(o.cacert, "");
    assert_string_equal(o.interface, "");
    assert_string_equal(o.key_manager_endpoint_override, "");
    openstack_end(&o);
    key_context_end(&who);
}

static void the_host_itself(void **state)
{
    (void)state;
    struct error e;
    static struct config c;
    configure_host(&c, "compute");
    struct openstack o;
    assert_error(from_host(&c, -1, &o, &e), -EACCES, e); /* its password is not to be had */
    openstack_end(&o);

    assert_ok(from_host(&c, file_of("pw\n"), &o, &e), e);
    assert_true(o.is_host);
    assert_string_equal(o.project_name, "service");
    assert_secret(o.secret, "pw");
    openstack_end(&o);
}

/* What of the host's own credentials is no use, and what is told of it. */
static void the_host_is_not_told_wrong(void **state)
{
    (void)state;
    static struct config good, c;
    static char long_secret[5000];
    memset(long_secret, 'x', sizeof long_secret - 1);
    config_defaults(&good);
    strcpy(good.host_auth_url, "https://k.test:5000");
    strcpy(good.host_username, "host");
    strcpy(good.host_user_domain_name, "Default");
    struct {
        const char *secret;
        int r;
        const char *words;
    } cases[] = {
        {"\n", -EINVAL, "is empty"},
        {long_secret, -EINVAL, "too long for one"},
        {NULL, -EACCES, "there are no credentials, and the host's password or secret cannot be read here"},
        {"hush\r\n", 0, ""},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct error e;
        struct openstack o;
        assert_error(from_host(&good, file_of(cases[i].secret), &o, &e), cases[i].r, e);
        if (!strstr(e.text, cases[i].words))
            fail_msg("%zu: not \"%s\", but: %s", i, cases[i].words, e.text);
        if (cases[i].r == 0)
            assert_secret(o.secret, "hush");
        openstack_end(&o);
    }
    for (int i = 0; i < 3; i++) {
        static const char *const words[] = {"application_credential_id: has no effect",
                                            "application_credential_name: has no effect", "cannot be read"};
        struct error e;
        struct openstack o;
        c = good;
        strcpy(i == 0 ? c.host_application_credential_id : c.host_application_credential_name,
               i < 2 ? "i" : "");
        assert_true(from_host(&c, i < 2 ? file_of("hush") : open("/", O_RDONLY), &o, &e) < 0);
        if (!strstr(e.text, words[i]))
            fail_msg("not \"%s\", but: %s", words[i], e.text);
        openstack_end(&o);
    }
}

static void the_host_by_application_credential(void **state)
{
    (void)state;
    struct error e;
    static struct config c;
    struct openstack o;
    configure_host(&c, "");

    const char *id = "5e1c";
    assert_int_equal(str_copy(c.host_application_credential_id, sizeof c.host_application_credential_id, id),
                     0);
    assert_error(from_host(&c, file_of("hush\n"), &o, &e), -EINVAL, e); /* it would have no effect */
    assert_non_null(strstr(e.text, "[barbican_service_user] application_credential_id"));
    openstack_end(&o);

    assert_int_equal(str_copy(c.host_auth_type, sizeof c.host_auth_type, "v3applicationcredential"), 0);
    assert_ok(from_host(&c, file_of("hush\n"), &o, &e), e);
    assert_true(o.is_host);
    assert_int_equal(o.auth, OPENSTACK_APPLICATION_CREDENTIAL);
    assert_string_equal(o.application_credential_id, id);
    assert_secret(o.secret, "hush");
    assert_null(o.password);
    openstack_end(&o);

    c.host_application_credential_id[0] = '\0';
    assert_error(from_host(&c, file_of("hush\n"), &o, &e), -EACCES, e);
    assert_non_null(strstr(e.text, "application_credential_id is missing"));
    openstack_end(&o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_password_of_an_openrc),
        cmocka_unit_test(other_kinds),
        cmocka_unit_test(what_is_refused),
        cmocka_unit_test(a_token_that_is_given),
        cmocka_unit_test(a_cloud),
        cmocka_unit_test(clouds_that_are_refused),
        cmocka_unit_test(a_cloud_that_is_nowhere),
        cmocka_unit_test(the_host_itself),
        cmocka_unit_test(the_host_is_not_told_wrong),
        cmocka_unit_test(the_host_by_application_credential),
        cmocka_unit_test(no_secret_that_was_said_is_kept),
        cmocka_unit_test(too_many_merges),
        cmocka_unit_test(leftovers_beside_the_host),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
