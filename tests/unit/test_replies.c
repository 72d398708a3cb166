/* SPDX-License-Identifier: Apache-2.0 */
/* What Barbican says, read: references, orders, lists, access, errors; and all that is none of these. */
#include "barbican/body.h"
#include "barbican/message.h"
#include "barbican/replies.h"
#include "base/str.h"
#include "unit.h"

#include <stdio.h>

#define ID_1       "6f1e8a8e-0000-4000-8000-000000000001"
#define ID_2       "6f1e8a8e-0000-4000-8000-000000000002"
#define REF(uuid)  "\"https://keys.test:9311/v1/secrets/" uuid "\""
#define HOST       "node-1-0123abcd"
#define NAME(what) "mayfly/" HOST "/" what

/* What no reply may be, whatever it is a reply to. */
static const char *const nonsense[] = {
    "",
    " ",
    "null",
    "7",
    "[]",
    "\"{}\"",
    "<html>{}</html>",
    "{",
    "{}x",
    "{} {}",

    "{\"a\":[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]}",
};

static void references(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "{}",
        "{\"secret_ref\":7}",
        "{\"secret_ref\":\"\"}",
        "{\"secret_ref\":\"" ID_1 "\"}", /* no URL */
        "{\"secret_ref\":" REF(ID_1 "/") "}",
        "{\"secret_ref\":" REF("../secrets") "}",
        "{\"secret_ref\":" REF("6F1E8A8E-0000-4000-8000-000000000001") "}",
        "{\"secret_ref\":" REF(ID_1 "\\u0000") "}",
        "{\"order_ref\":" REF(ID_1) "}",
    };
    static const char good[] = " {\"secret_ref\": " REF(ID_1) "}\r\n";
    char id[UUID_TEXT];
    assert_int_equal(reply_ref(good, strlen(good), "secret_ref", id), 0);
    assert_string_equal(id, ID_1);
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        if (reply_ref(bad[i], strlen(bad[i]), "secret_ref", id) != -ENOENT)
            fail_msg("taken: %s", bad[i]);
    for (size_t i = 0; i < ARRAY_SIZE(nonsense); i++)
        if (reply_ref(nonsense[i], strlen(nonsense[i]), "secret_ref", id) != -EBADMSG)
            fail_msg("taken: %s", nonsense[i]);
}

static void orders(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int r;
        enum order_state state;
        const char *says; /* the id, or the reason */
    } cases[] = {
        {"{\"status\":\"ACTIVE\",\"secret_ref\":" REF(ID_1) "}", 0, ORDER_ACTIVE, ID_1},
        {"{\"status\":\"ACTIVE\"}", -EBADMSG, ORDER_PENDING, NULL},
        {"{\"status\":\"ACTIVE\",\"secret_ref\":\"x\"}", -EBADMSG, ORDER_PENDING, NULL},
        {"{\"status\":\"PENDING\",\"secret_ref\":" REF(ID_1) "}", 0, ORDER_PENDING, NULL},
        {"{\"status\":\"NEW\"}", 0, ORDER_PENDING, NULL},
        {"{\"status\":\"ERROR\",\"error_reason\":\"no HSM\"}", 0, ORDER_ERROR, "no HSM"},
        {"{\"status\":\"ERROR\",\"error_reason\":{}}", 0, ORDER_ERROR, "no reason is given"},
        {"{\"status\":\"ERROR\",\"error_reason\":\"a\\u001b[2J\"}", 0, ORDER_ERROR, "no reason is given"},
        {"{\"status\":1}", -EBADMSG, ORDER_PENDING, NULL},
        {"{}", -EBADMSG, ORDER_PENDING, NULL},
    };
    enum order_state got;
    char id[UUID_TEXT], reason[64];
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        int r = reply_order(cases[i].text, strlen(cases[i].text), &got, id, reason, sizeof reason);
        if (r != cases[i].r || (r == 0 && got != cases[i].state))
            fail_msg("%s: %d", cases[i].text, r);
        if (cases[i].says)
            assert_string_equal(got == ORDER_ACTIVE ? id : reason, cases[i].says);
    }
    for (size_t i = 0; i < ARRAY_SIZE(nonsense); i++)
        assert_int_equal(reply_order(nonsense[i], strlen(nonsense[i]), &got, id, reason, sizeof reason),
                         -EBADMSG);
}

static void names_of_secrets(void **state)
{
    (void)state;
    static const char *const others[] = {
        "",
        "mayfly/",
        "mayfly",
        "mayfly/" HOST,
        NAME(""),
        NAME("vg0/instance/"),
        NAME("vg0/instance/" ID_1 "/"),
        NAME("vg0/instance/x" ID_1),
        NAME("vg0/instance/6F1E8A8E-0000-4000-8000-000000000001"),
        NAME("vg0/host/" ID_1),
        NAME("vg0//" ID_1),
        NAME("/instance/" ID_1),
        NAME("v g/instance/" ID_1),
        NAME("-vg/instance/" ID_1),
        NAME("vg0123456789012345678901234567890123456789012345678901234567890123/instance/" ID_1),
        "mayfly/node-1-0123abc/vg0/instance/" ID_1,
        "mayfly/node-1-0123abcde/vg0/instance/" ID_1,
        "mayfly//vg0/instance/" ID_1,
        "mayfly/-0123abcd/vg0/instance/" ID_1,
        "mayfly/a b-0123abcd/vg0/instance/" ID_1,
        "mayfly/a234567890123456789012345678901234567890123456789012345678901234-0123abcd/vg0/instance/" ID_1,
        "Mayfly/" HOST "/vg0/instance/" ID_1,
        "xmayfly/" HOST "/vg0/instance/" ID_1,
    };
    struct key_info k = {.id = ""};
    assert_true(secret_name_parse(NAME("vg0/instance/" ID_1), HOST, &k));
    assert_string_equal(k.vg, "vg0");
    assert_string_equal(k.owner, ID_1);
    assert_int_equal(k.scope, KEY_SCOPE_INSTANCE);
    assert_true(secret_name_parse(NAME("vg_1.x/batch/" ID_2), HOST, &k));
    assert_string_equal(k.vg, "vg_1.x");
    assert_int_equal(k.scope, KEY_SCOPE_BATCH);
    for (size_t i = 0; i < ARRAY_SIZE(others); i++)
        if (secret_name_parse(others[i], HOST, &k))
            fail_msg("taken: %s", others[i]);

    assert_true(secret_name_parse(NAME("vg:1/instance/" ID_1), HOST, &k));
    assert_string_equal(k.vg, "vg+1");

    assert_string_equal(k.host, "");

    /* the host as it was called before, or a copy of it; and hosts that have but a name */
    assert_true(secret_name_parse("mayfly/localhost-0123abcd/vg0/instance/" ID_1, HOST, &k));
    assert_string_equal(k.host, "localhost");
    assert_true(secret_name_parse("mayfly/a.b.test-0123abcd/vg0/instance/" ID_1, HOST, &k));
    assert_string_equal(k.host, "a.b.test");
    assert_true(secret_name_parse(NAME("vg0/instance/" ID_1), HOST, &k));
    assert_string_equal(k.host, "");
    assert_true(secret_name_parse("mayfly/node_1/vg0/instance/" ID_1, "node_1", &k));
    assert_false(secret_name_parse("mayfly/node_2/vg0/instance/" ID_1, "node_1", &k));
    assert_false(secret_name_parse("mayfly/node_1/vg0/instance/" ID_1, HOST, &k));
    assert_false(secret_name_parse("mayfly/" HOST "/vg0/instance/" ID_1, "node_1", &k));
}

#define SECRET(name, ref, more) "{\"name\":\"" name "\",\"secret_ref\":" ref ",\"bit_length\":" more "}"
#define OURS(uuid, more)        SECRET(NAME("vg0/instance/" ID_2), REF(uuid), more)
#define LIST(secrets)           "{\"secrets\":[" secrets "],\"total\":1}"

static int list(const char *text, struct key_info **keys, size_t *n, size_t *page)
{
    size_t total = 0;
    return reply_list(text, strlen(text), HOST, keys, n, page, &total);
}

static void lists(void **state)
{
    (void)state;
    _cleanup_free_ struct key_info *keys = NULL;
    size_t n = 0, page = 77;
    assert_int_equal(list(LIST(OURS(ID_1, "512,\"status\":\"ACTIVE\",\"created\":\"2026-11-22T21:05:48.1\"")),
                          &keys, &n, &page),
                     0);
    assert_int_equal(n, 1);
    assert_int_equal(page, 1);
    assert_string_equal(keys[0].id, ID_1);
    assert_string_equal(keys[0].owner, ID_2);
    assert_int_equal(keys[0].bits, 512);
    assert_int_equal(keys[0].created_sec, 1795381548);

    /* the next page: one that moved there, and a fresh one */
    assert_int_equal(list(LIST(OURS(ID_1, "512") "," OURS(ID_2, "256")), &keys, &n, &page), 0);
    assert_int_equal(n, 3);
    assert_int_equal(page, 2);
    assert_string_equal(keys[2].id, ID_2);
    assert_int_equal(keys[2].created_sec, 0);

    assert_int_equal(list(LIST(""), &keys, &n, &page), 0);
    assert_int_equal(page, 0);
    assert_int_equal(n, 3);
}

/* They count for the page, and are passed over. */
static void secrets_of_others(void **state)
{
    (void)state;
    static const char *const others[] = {
        SECRET("mayfly/other-host/vg0/instance/" ID_2, REF(ID_1), "512"),
        SECRET("a name", REF(ID_1), "512"),
        OURS("x", "512"),
        OURS(ID_1, "\"512\""),
        OURS(ID_1, "null"),
        OURS(ID_1, "127"),
        OURS(ID_1, "513"),
        OURS(ID_1, "-1"),
        OURS(ID_1, "4294967808"), /* 2^32 + 512 */
        OURS(ID_1, "512,\"status\":\"ERROR\""),
        "7",
        "null",
        "{}",
    };
    for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
        _cleanup_free_ struct key_info *keys = NULL;
        _cleanup_free_ char *text = str_format("{\"secrets\":[%s]}", others[i]);
        size_t n = 0, page = 0;
        assert_int_equal(list(text, &keys, &n, &page), 0);
        assert_int_equal(page, 1);
        if (n != 0)
            fail_msg("taken: %s", others[i]);
    }
}

static void what_is_no_list(void **state)
{
    (void)state;
    static const char *const bad[] = {"{}", "{\"secrets\":{}}", "{\"secrets\":null}", "{\"total\":0}"};
    _cleanup_free_ struct key_info *keys = NULL;
    char ids[2][UUID_TEXT];
    size_t n = 0, page = 77;
    for (size_t i = 0; i < ARRAY_SIZE(bad) + ARRAY_SIZE(nonsense); i++) {
        const char *text = i < ARRAY_SIZE(bad) ? bad[i] : nonsense[i - ARRAY_SIZE(bad)];
        assert_int_equal(list(text, &keys, &n, &page), -EBADMSG);
        assert_int_equal(reply_named(text, strlen(text), "a", ids, 2), -EBADMSG);
    }
    assert_int_equal(n, 0);
    assert_int_equal(page, 77);
}

static void a_page_without_end(void **state)
{
    (void)state;
    _cleanup_free_ struct key_info *keys = NULL;
    size_t n = 0, page = 0;
    char text[2048] = "{\"secrets\":[7";
    for (int i = 1; i < REPLY_PAGE; i++)
        strcat(text, ",7");
    size_t end = strlen(text);
    memcpy(text + end, "]}", sizeof "]}");
    assert_int_equal(list(text, &keys, &n, &page), 0);
    assert_int_equal(page, REPLY_PAGE);
    memcpy(text + end, ",7]}", sizeof ",7]}");
    assert_int_equal(list(text, &keys, &n, &page), -EBADMSG);
}

static void secrets_of_one_name(void **state)
{
    (void)state;
    static const char text[] = LIST(SECRET("a", REF(ID_1), "1") "," SECRET("ab", REF(ID_1), "1") ",7," SECRET(
        "a", "\"x\"", "1") "," SECRET("a", REF(ID_2), "1"));
    char ids[2][UUID_TEXT];
    assert_int_equal(reply_named(text, strlen(text), "a", ids, 2), 2);
    assert_string_equal(ids[0], ID_1);
    assert_string_equal(ids[1], ID_2);
    assert_int_equal(reply_named(text, strlen(text), "a", ids, 1), 1);
    assert_int_equal(reply_named(text, strlen(text), "b", ids, 2), 0);
}

static void access_lists(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int r;
        size_t n;
        bool project;
    } cases[] = {
        {"{\"read\":{\"project-access\":true}}", 0, 0, true}, /* what Barbican says before any was set */
        {"{\"read\":{\"users\":[],\"project-access\":false}}", 0, 0, false},
        {"{\"read\":{\"users\":[\"u1\",\"u-2_x\"]}}", 0, 2, true},
        {"{\"read\":{\"users\":[\"u1\",\"u2\",\"u3\"]}}", -E2BIG, 0, false},
        {"{\"read\":{\"users\":[\"u1\",7]}}", -EBADMSG, 0, false},
        {"{\"read\":{\"users\":[\"\"]}}", -EBADMSG, 0, false},
        {"{\"read\":{\"users\":[\"a\\\"b\"]}}", -EBADMSG, 0, false},
        {"{\"read\":{\"users\":[\"0123456789012345678901234567890123456789012345678901234567890123x5\"]}}",
         -EBADMSG, 0, false},
        /* half understood, it would be written back without the rest */
        {"{\"read\":{\"users\":\"u1\"}}", -EBADMSG, 0, false},
        {"{\"read\":{\"project-access\":\"false\"}}", -EBADMSG, 0, false},
        {"{\"read\":[]}", -EBADMSG, 0, false},
        {"{}", -EBADMSG, 0, false},
    };
    char users[2][KEY_USER_MAX];
    size_t n;
    bool project;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        n = 0;
        int r = reply_acl(cases[i].text, strlen(cases[i].text), users, ARRAY_SIZE(users), &n, &project);
        if (r != cases[i].r || (r == 0 && (n != cases[i].n || project != cases[i].project)))
            fail_msg("%s: %d, %zu users", cases[i].text, r, n);
    }
    assert_int_equal(reply_acl(cases[2].text, strlen(cases[2].text), users, 2, &n, &project), 0);
    assert_string_equal(users[1], "u-2_x");
    for (size_t i = 0; i < ARRAY_SIZE(nonsense); i++)
        assert_int_equal(reply_acl(nonsense[i], strlen(nonsense[i]), users, 2, &n, &project), -EBADMSG);
}

static void only_barbican_says_gone(void **state)
{
    (void)state;
    static const char *const gone[] = {
        "{\"code\": 404, \"title\": \"Not Found\", \"description\": \"Secret not found.\"}",
        "{\"error\": {\"code\": 404, \"title\": \"Not Found\", \"message\": \"no\"}}",
    };
    static const char *const other[] = {
        "{}",
        "{\"code\": 403}",
        "{\"code\": \"404\"}",
        "{\"code\": 404.0}",
        "{\"error\": {\"code\": 500}, \"code\": 404}",
        "<title>404 Not Found</title>",
        "404 page not found",
    };
    for (size_t i = 0; i < ARRAY_SIZE(gone); i++)
        assert_true(reply_says_404(gone[i], strlen(gone[i])));
    for (size_t i = 0; i < ARRAY_SIZE(other); i++)
        if (reply_says_404(other[i], strlen(other[i])))
            fail_msg("taken for gone: %s", other[i]);
    for (size_t i = 0; i < ARRAY_SIZE(nonsense); i++) {
        assert_false(reply_says_404(nonsense[i], strlen(nonsense[i])));
        assert_false(reply_is_object(nonsense[i], strlen(nonsense[i])));
    }
}

static void messages_of_errors(void **state)
{
    (void)state;
    static const struct {
        const char *body, *line;
    } cases[] = {
        {"{\"code\": 403, \"title\": \"Forbidden\", \"description\": \"Not  allowed,\\n sorry\"}",
         "Not allowed, sorry"},
        {"{\"code\": 403, \"title\": \"Forbidden\", \"description\": \"\"}", "Forbidden"},
        {"{\"error\": {\"code\": 401, \"title\": \"Unauthorized\", \"message\": \"Who?\"}}", "Who?"},
        {"{\"error\": \"down\", \"message\": \"later\"}", "later"},
        {"{\"description\": {\"a\": 1}}", ""},
        {"{\"description\": \"\\u001b[2Jp\\u00e4\"}", "?[2Jp??"},
        {"{}", ""},
        {"", ""},
        {"<html><head><TITLE>503 Service\n Unavailable</title></head></html>", "503 Service Unavailable"},
        {"<title></title>", ""},
        {"<title>unclosed", ""},
        {"</title><title>a</title>", "a"},
        {"<html>words</html>", ""},
        {" upstream\r\n\x1b is down ", "upstream ? is down"},
        {"[1, 2]", "[1, 2]"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        char line[MESSAGE_MAX];
        reply_message(cases[i].body, strlen(cases[i].body), line, sizeof line);
        assert_string_equal(line, cases[i].line);
    }
    char line[8];
    reply_message("0123456789", 10, line, sizeof line);
    assert_string_equal(line, "0123456");
    reply_message("{\"title\": \"012345 789\"}", 23, line, sizeof line);
    assert_string_equal(line, "012345");
}

/* A password, say, as it goes into a request: JSON or an error. */
static void a_body_is_json(void **state)
{
    (void)state;
    static char longer[BODY_MAX + 1];
    memset(longer, 'x', BODY_MAX);
    static const struct {
        const char *text, *json; /* NULL: it is refused */
        int r;
        const char *words;
    } cases[] = {
        {"p\"\\w", "\"p\\\"\\\\w\"", 0, ""},
        {"a\n\001", "\"a\\u000a\\u0001\"", 0, ""},
        {"a b\037", "\"a b\\u001f\"", 0, ""},
        {"\303\244\360\237\224\221", "\"\303\244\360\237\224\221\"", 0, ""},
        {"\377", NULL, -EINVAL, "not UTF-8"},
        {"a\303", NULL, -EINVAL, "not UTF-8"},
        {"\303(", NULL, -EINVAL, "not UTF-8"},
        {"\200", NULL, -EINVAL, "not UTF-8"},
        {longer, NULL, -E2BIG, "too long"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct body b = {0};
        struct error e = ERROR_NONE;
        _cleanup_secret_ struct secret *made = NULL;
        body_string(&b, cases[i].text);
        assert_error(body_take(&b, &made, &e), cases[i].r, e);
        body_end(&b);
        if (!strstr(e.text, cases[i].words))
            fail_msg("%zu: no \"%s\" in: %s", i, cases[i].words, e.text);
        assert_true((made != NULL) == (cases[i].json != NULL));
        if (made) {
            assert_int_equal(secret_size(made), strlen(cases[i].json));
            assert_memory_equal(secret_peek(made), cases[i].json, secret_size(made));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_body_is_json),
        cmocka_unit_test(references),
        cmocka_unit_test(orders),
        cmocka_unit_test(names_of_secrets),
        cmocka_unit_test(lists),
        cmocka_unit_test(secrets_of_others),
        cmocka_unit_test(what_is_no_list),
        cmocka_unit_test(a_page_without_end),
        cmocka_unit_test(secrets_of_one_name),
        cmocka_unit_test(access_lists),
        cmocka_unit_test(only_barbican_says_gone),
        cmocka_unit_test(messages_of_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
