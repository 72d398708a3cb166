/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP against a server that fails in every way: result, sentence, how often it was asked, and that it ends.
 */
#include "barbican/http.h"
#include "base/clock.h"
#include "base/str.h"
#include "http-server.h"
#include "unit.h"

#include <stdio.h>
#include <string.h>

#define SLOW_MSEC                                                                                            \
    15000 /* generous: what ends at a deadline of 1 or 2 s has ended by then, on any machine                 \
           */

struct fixture {
    struct server *server;
    struct http *http;
    char url[HTTP_URL_MAX];
};

static const struct http_settings usual = {
    .connect_sec = 5, .request_sec = 10, .total_sec = 20, .retries = 0};

static void begin(struct fixture *f, const struct server_options *o, struct http_settings s)
{
    struct error e = ERROR_NONE;
    f->server = server_start(o);
    if (o->tls && !s.ca_file)
        s.ca_file = server_ca(f->server);
    assert_ok(http_open(&s, &f->http, &e), e);
}

static void end(struct fixture *f)
{
    http_close(f->http);
    server_stop(f->server);
}
#define _cleanup_fixture_ _cleanup_(end)

static struct http_request ask(struct fixture *f, const char *method, const char *path)
{
    snprintf(f->url, sizeof f->url, "%s%s", server_url(f->server), path);
    return (struct http_request){.method = method, .url = f->url};
}

static struct secret *secret_of(const char *text)
{
    struct secret *s = NULL;
    struct error e = ERROR_NONE;
    assert_ok(secret_new(strlen(text), &s, &e), e);
    memcpy(secret_bytes(s), text, strlen(text));
    return s;
}

/* One request that gets no whole answer; its sentence begins with the server and has `words`. */
static void assert_unreachable(struct fixture *f, const struct http_request *q, bool sent, const char *words)
{
    struct error e = ERROR_NONE;
    struct http_reply reply;
    uint64_t begun = clock_msec();
    assert_error(http_do(f->http, q, &reply, &e), -EHOSTUNREACH, e);
    assert_true(clock_msec() - begun < SLOW_MSEC);
    if (!strstr(e.text, words) || !str_starts(e.text, server_url(f->server)))
        fail_msg("%s: no \"%s\" in: %s", q->url, words, e.text);
    assert_int_equal(reply.outcome, sent ? HTTP_PERHAPS : HTTP_NOT_SENT);
    assert_null(reply.text);
    assert_null(reply.secret);
    http_reply_end(&reply);
}

static void assert_status(struct fixture *f, const struct http_request *q, long status, const char *text)
{
    struct error e = ERROR_NONE;
    _cleanup_(http_reply_end) struct http_reply reply = {0};
    assert_ok(http_do(f->http, q, &reply, &e), e);
    assert_int_equal(reply.status, status);
    assert_string_equal(reply.text, text);
    assert_int_equal(reply.size, strlen(text));
    assert_int_equal(reply.outcome, status / 100 == 2 ? HTTP_DONE
                                    : status >= 500   ? HTTP_PERHAPS
                                                      : HTTP_REFUSED);
}

static void any_status_is_an_answer(void **state)
{
    (void)state;
    static const int statuses[] = {200, 201, 202, 400, 401, 403, 404, 406,
                                   409, 413, 429, 500, 501, 502, 503, 504};
    for (int tls = 0; tls < 2; tls++) {
        _cleanup_fixture_ struct fixture f = {0};
        begin(&f, &(struct server_options){.tls = tls}, usual);
        for (size_t i = 0; i < ARRAY_SIZE(statuses); i++) {
            char path[32];
            snprintf(path, sizeof path, "/status/%d", statuses[i]);
            struct http_request q = ask(&f, "GET", path);
            assert_status(&f, &q, statuses[i], "<h1>words</h1>");
        }
        struct http_request q = ask(&f, "DELETE", "/empty");
        assert_status(&f, &q, 204, "");
        assert_int_equal(server_connections(f.server), 1); /* kept alive */
    }
}

/* What mayfly has read before it gave root up. */
static void a_certificate_that_was_read_before(void **state)
{
    (void)state;
    static char ca[65536];
    _cleanup_fixture_ struct fixture f = {0}, one = {0};
    begin(&f, &(struct server_options){.tls = true}, usual);
    FILE *file = fopen(server_ca(f.server), "re");
    assert_non_null(file);
    struct http_settings s = usual;
    s.ca_file = server_ca(f.server);
    s.ca = ca;
    s.ca_size = fread(ca, 1, sizeof ca, file);
    fclose(file);
    f.http = http_close(f.http);
    struct error e = ERROR_NONE;
    assert_ok(http_open(&s, &f.http, &e), e);
    struct http_request q = ask(&f, "GET", "/status/200");
    assert_status(&f, &q, 200, "<h1>words</h1>");
    begin(&one, &(struct server_options){.tls = true}, s); /* another's */
    one.http = http_close(one.http);
    assert_ok(http_open(&s, &one.http, &e), e);
    q = ask(&one, "GET", "/status/200");
    assert_unreachable(&one, &q, false, "certificate");
}

/* One that cannot be reached at all. */
static void what_kept_from_the_server(void **state)
{
    (void)state;
    _cleanup_fixture_ struct fixture f = {0};
    static const struct {
        const char *url, *words[2];
    } urls[] = {{"http://127.0.0.1:1/v3", {"cannot connect: Connection refused", NULL}},
                {"http://nowhere.invalid:5000/v3", {"no host of this name", "its name was not looked up"}}};
    struct http_settings s = usual;
    s.connect_sec = 2;
    s.allow_plain = true;
    begin(&f, &(struct server_options){0}, s);
    for (size_t i = 0; i < ARRAY_SIZE(urls); i++) {
        struct error e = ERROR_NONE;
        struct http_reply reply;
        const struct http_request q = {.method = "GET", .url = urls[i].url};
        http_begin(f.http);
        assert_error(http_do(f.http, &q, &reply, &e), -EHOSTUNREACH, e);
        if (!strstr(e.text, urls[i].words[0]) && !(urls[i].words[1] && strstr(e.text, urls[i].words[1])))
            fail_msg("%s: no \"%s\" in: %s", q.url, urls[i].words[0], e.text);
        assert_int_equal(reply.outcome, HTTP_NOT_SENT);
        http_reply_end(&reply);
    }
}

static void what_is_sent_is_as_asked(void **state)
{
    (void)state;
    static const char *const methods[] = {"GET", "POST", "PUT", "PATCH", "DELETE"};
    static char text[SERVER_HEAD], first[64];
    _cleanup_fixture_ struct fixture f = {0};
    _cleanup_secret_ struct secret *token = secret_of("to-ken"), *body = secret_of("{\"a\":1}");
    begin(&f, &(struct server_options){0}, usual);
    setenv("http_proxy", "http://127.0.0.1:1", 1);
    for (size_t i = 0; i < 2 * ARRAY_SIZE(methods); i++) {
        const char *method = methods[i / 2];
        struct http_request q = ask(&f, method, "/status/200?a=b");
        q.token = token;
        q.body = i % 2 ? body : NULL;
        q.accept = i % 2 ? "text/plain" : NULL;
        assert_status(&f, &q, 200, "<h1>words</h1>");
        server_last(f.server, text);
        snprintf(first, sizeof first, "%s /status/200?a=b HTTP/1.1\r\n", method);
        assert_true(str_starts(text, first));
        assert_non_null(strstr(text, "\r\nX-Auth-Token: to-ken\r\n"));
        assert_non_null(
            strstr(text, i % 2 ? "\r\nAccept: text/plain\r\n" : "\r\nAccept: application/json\r\n"));
        assert_true(str_ends(text, i % 2 ? "\r\n\r\n{\"a\":1}" : "\r\n\r\n"));
        assert_int_equal(!!strstr(text, "Content-Type: application/json\r\n"), i % 2);
        assert_int_equal(!!strstr(text, "Content-Length: "), i % 2 || method[0] == 'P');
        assert_null(strstr(text, "Expect"));
    }
    unsetenv("http_proxy");
}

static void headers_are_understood(void **state)
{
    (void)state;
    _cleanup_fixture_ struct fixture f = {0};
    struct error e = ERROR_NONE;
    struct http_reply reply;
    begin(&f, &(struct server_options){.tls = true}, usual);
    struct http_request q = ask(&f, "POST", "/token");
    assert_ok(http_do(f.http, &q, &reply, &e), e);
    _cleanup_secret_ struct secret *wanted = secret_of("gAAAAtoken");
    assert_true(secret_equal(reply.subject_token, wanted));
    assert_int_equal(reply.date_sec, 1795381548);
    http_reply_end(&reply);

    q = ask(&f, "GET", "/status/404");
    assert_ok(http_do(f.http, &q, &reply, &e), e);
    assert_string_equal(reply.type, "text/html");
    assert_null(reply.subject_token);
    http_reply_end(&reply);

    q = ask(&f, "GET", "/redirect"); /* not followed */
    assert_ok(http_do(f.http, &q, &reply, &e), e);
    assert_int_equal(reply.status, 302);
    assert_string_equal(reply.location, "https://evil.test:443");
    http_reply_end(&reply);

    q = ask(&f, "POST", "/token-bad");
    assert_unreachable(&f, &q, true, "token that cannot be one");
    q = ask(&f, "POST", "/token-long");
    assert_unreachable(&f, &q, true, "token that cannot be one");
}

static void a_secret_goes_into_secret_memory(void **state)
{
    (void)state;
    _cleanup_fixture_ struct fixture f = {0};
    struct error e = ERROR_NONE;
    struct http_reply reply;
    begin(&f, &(struct server_options){.tls = true}, usual);
    struct http_request q = ask(&f, "GET", "/secret");
    for (q.secret_max = 16; q.secret_max <= 64; q.secret_max += 48) {
        assert_ok(http_do(f.http, &q, &reply, &e), e);
        assert_int_equal(secret_size(reply.secret), 16);
        assert_memory_equal(secret_peek(reply.secret), "0123456789abcdef", 16);
        assert_string_equal(reply.text, "");
        http_reply_end(&reply);
    }
    q.secret_max = 15;
    assert_unreachable(&f, &q, true, "longer than any");

    q = ask(&f, "GET", "/status/404"); /* no secret: text */
    q.secret_max = 4;
    assert_status(&f, &q, 404, "<h1>words</h1>");
    q = ask(&f, "GET", "/empty");
    q.secret_max = 4;
    assert_ok(http_do(f.http, &q, &reply, &e), e);
    assert_null(reply.secret);
    http_reply_end(&reply);
}

static void what_may_pass_is_tried_again(void **state)
{
    (void)state;
    static const int statuses[] = {429, 500, 502, 503, 504};
    struct http_settings s = usual;
    s.retries = 2;
    for (size_t i = 0; i < ARRAY_SIZE(statuses); i++) {
        _cleanup_fixture_ struct fixture f = {0};
        begin(&f, &(struct server_options){0}, s);
        char path[32];
        snprintf(path, sizeof path, "/twice/%d", statuses[i]);
        struct http_request q = ask(&f, "GET", path);
        assert_status(&f, &q, 200, "third");
        assert_int_equal(server_requests(f.server), 3);
    }
    _cleanup_fixture_ struct fixture f = {0};
    begin(&f, &(struct server_options){0}, s);
    struct http_request q = ask(&f, "GET", "/status/503");
    assert_status(&f, &q, 503, "<h1>words</h1>");
    assert_int_equal(server_requests(f.server), 3);
    q = ask(&f, "GET", "/status/403"); /* never passes */
    assert_status(&f, &q, 403, "<h1>words</h1>");
    assert_int_equal(server_requests(f.server), 4);
    q = ask(&f, "GET", "/truncated");
    assert_unreachable(&f, &q, true, "(3 attempts)");
    assert_int_equal(server_requests(f.server), 7);
}

static void retry_after_is_honoured(void **state)
{
    (void)state;
    struct http_settings s = usual;
    s.retries = 2;
    _cleanup_fixture_ struct fixture f = {0};
    begin(&f, &(struct server_options){0}, s);
    struct http_request q = ask(&f, "GET", "/retry-after");
    uint64_t begun = clock_msec();
    assert_status(&f, &q, 200, "later");
    assert_true(clock_msec() - begun >= 1000);
    q = ask(&f, "GET", "/retry-far"); /* beyond the deadline: not waited for */
    begun = clock_msec();
    assert_status(&f, &q, 503, "");
    assert_true(clock_msec() - begun < SLOW_MSEC);
    assert_int_equal(server_requests(f.server), 3);
}

/* `requests`: how often the server was asked by a request that must not be carried out twice; `outcome`: what
 * is known of it then. */
static void assert_once(const char *path, const char *body, int requests, enum http_outcome outcome)
{
    struct http_settings s = usual;
    s.retries = 2;
    _cleanup_fixture_ struct fixture f = {0};
    _cleanup_secret_ struct secret *json = body ? secret_of(body) : NULL;
    _cleanup_(http_reply_end) struct http_reply reply = {0};
    struct error e = ERROR_NONE;
    begin(&f, &(struct server_options){0}, s);
    struct http_request q = ask(&f, "POST", path);
    q.body = json;
    q.not_idempotent = true;
    int r = http_do(f.http, &q, &reply, &e);
    assert_true(r == 0 || r == -EHOSTUNREACH);
    assert_int_equal(reply.outcome, outcome);
    if (server_requests(f.server) != requests)
        fail_msg("%s: %d requests, not %d", path, server_requests(f.server), requests);
}

static void once_is_once(void **state)
{
    (void)state;
    assert_once("/status/400", "{}", 1, HTTP_REFUSED);
    assert_once("/status/408", "{}", 1, HTTP_PERHAPS);
    assert_once("/status/500", "{}", 1, HTTP_PERHAPS);
    assert_once("/status/502", "{}", 1, HTTP_PERHAPS);
    assert_once("/status/503", "{}", 1, HTTP_PERHAPS); /* gateways say so too when the server has begun */
    assert_once("/status/504", NULL, 1, HTTP_PERHAPS);
    assert_once("/drop", "{}", 1, HTTP_PERHAPS);
    assert_once("/truncated", "{}", 1, HTTP_PERHAPS);
    assert_once("/twice/429", "{}", 3, HTTP_DONE); /* certainly not carried out before */
}

/* A connection that was kept, and breaks when the request was sent: libcurl by itself would ask again. */
static void once_is_once_on_a_kept_connection(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        _cleanup_fixture_ struct fixture f = {0};
        _cleanup_secret_ struct secret *body = secret_of("{}");
        begin(&f, &(struct server_options){0}, usual);
        struct http_request q = ask(&f, "POST", "/die-after-one");
        q.body = i == 0 ? NULL : body;
        q.not_idempotent = i < 2;
        assert_status(&f, &q, 200, "one");
        assert_unreachable(&f, &q, true, "broke before an answer came");
        assert_int_equal(server_requests(f.server), i < 2 ? 2 : 3); /* 3: so the test can fail */
    }
}

static void everything_ends_at_a_deadline(void **state)
{
    (void)state;
    static const char *const paths[] = {"/hang", "/hang-body"};
    struct http_settings s = usual;
    s.request_sec = 4; /* on a loaded machine there is a connection by then */
    {
        _cleanup_fixture_ struct fixture f = {0};
        begin(&f, &(struct server_options){.tls = true}, s);
        for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
            struct http_request q = ask(&f, "GET", paths[i]);
            assert_unreachable(&f, &q, true, "within the 4 s of request_timeout");
        }
    }
    s.request_sec = 1;
    {
        _cleanup_fixture_ struct fixture f = {0};
        begin(&f, &(struct server_options){.tls = true, .silent = true}, s);
        struct http_request q = ask(&f, "GET", "/");
        assert_unreachable(&f, &q, false, "within the 1 s of request_timeout");
    }
    s = (struct http_settings){.connect_sec = 1, .request_sec = 10, .total_sec = 20};
    {
        _cleanup_fixture_ struct fixture f = {0};
        begin(&f, &(struct server_options){.tls = true, .silent = true}, s);
        struct http_request q = ask(&f, "GET", "/");
        assert_unreachable(&f, &q, false, "within the 1 s of connect_timeout");
    }
    s = (struct http_settings){.connect_sec = 10, .request_sec = 10, .total_sec = 1, .retries = 100};
    _cleanup_fixture_ struct fixture f = {0};
    begin(&f, &(struct server_options){0}, s);
    struct http_request q = ask(&f, "GET", "/hang");
    assert_unreachable(&f, &q, true, "within the 1 s of deadline");
    q = ask(&f, "GET", "/status/200"); /* too late for any other */
    assert_unreachable(&f, &q, false, "within the 1 s of deadline");
    assert_int_equal(server_requests(f.server), 1);
    http_begin(f.http);
    assert_status(&f, &q, 200, "<h1>words</h1>");
}

static void no_answer_breaks_it(void **state)
{
    (void)state;
    static const struct {
        const char *path, *words;
    } faults[] = {
        {"/drop", "broke before an answer came"},
        {"/truncated", "in the middle of the answer"},
        {"/headers-cut", "in the middle of the answer"},
        {"/chunks-cut", "in the middle of the answer"},
        {"/garbage", "not HTTP/1.1"},
        {"/interim", "headers of its answer do not end"},
        {"/headers", "headers of its answer do not end"},
        {"/header", "header that is too long"},
        {"/first-line", "header that is too long"},
        {"/endless", "longer than any"},
        {"/huge", "longer than any"},
    };
    for (int tls = 0; tls < 2; tls++)
        for (size_t i = 0; i < ARRAY_SIZE(faults); i++) {
            _cleanup_fixture_ struct fixture f = {0};
            begin(&f, &(struct server_options){.tls = tls}, usual);
            struct http_request q = ask(&f, "GET", faults[i].path);
            assert_unreachable(&f, &q, true, faults[i].words);
            q.secret_max = 64;
            assert_unreachable(&f, &q, true, faults[i].words);
        }
}

static void assert_certificate(const struct server_options *o, const char *ca_file, const char *words)
{
    struct http_settings s = usual;
    s.ca_file = ca_file;
    s.retries = 3;
    _cleanup_fixture_ struct fixture f = {0};
    _cleanup_secret_ struct secret *token = secret_of("secret-token");
    begin(&f, o, s);
    struct http_request q = ask(&f, "GET", "/status/200");
    q.token = token;
    assert_unreachable(&f, &q, false, words);
    assert_int_equal(server_requests(f.server), 0);
    assert_true(server_connections(f.server) <= 1); /* not tried again; the server may not have seen it yet */
}

static void a_wrong_certificate_is_refused(void **state)
{
    (void)state;
    assert_certificate(&(struct server_options){.tls = true}, "", "verify_ssl_path");
    assert_certificate(&(struct server_options){.tls = true, .certificate_for = "DNS:other.test"}, NULL,
                       "for another host");
    assert_certificate(&(struct server_options){.tls = true, .expired = true}, NULL, "not valid now");
    assert_certificate(&(struct server_options){.tls = true}, "/nonexistent/ca.pem", "/nonexistent/ca.pem");

    /* the CA of another server */
    struct server *other = server_start(&(struct server_options){.tls = true});
    assert_certificate(&(struct server_options){.tls = true}, server_ca(other), "verify_ssl_path");
    server_stop(other);
}

static void many_share_few_connections(void **state)
{
    (void)state;
    enum { MANY = 10 };
    _cleanup_fixture_ struct fixture f = {0};
    struct http_request q[MANY];
    struct http_reply replies[MANY];
    int results[MANY];
    char urls[MANY][HTTP_URL_MAX];
    struct error e = ERROR_NONE;
    begin(&f, &(struct server_options){.tls = true}, usual);
    for (int i = 0; i < MANY; i++) {
        q[i] = ask(&f, "GET", i == 3 ? "/garbage" : i == 7 ? "/truncated" : "/slow");
        strcpy(urls[i], q[i].url);
        q[i].url = urls[i];
    }
    assert_error(http_do_many(f.http, q, MANY, replies, results, &e), -EHOSTUNREACH, e);
    assert_non_null(strstr(e.text, "not HTTP/1.1")); /* the first, by index */
    for (int i = 0; i < MANY; i++) {
        assert_int_equal(results[i], i == 3 || i == 7 ? -EHOSTUNREACH : 0);
        if (results[i] == 0)
            assert_string_equal(replies[i].text, "slow");
        http_reply_end(&replies[i]);
    }
    /* libcurl sends a GET again by itself when a connection that was used before is closed */
    assert_in_range(server_requests(f.server), MANY, MANY + 1);
    assert_true(server_at_a_time(f.server) <= HTTP_CONNECTIONS_MAX);
    assert_true(server_connections(f.server) <=
                HTTP_CONNECTIONS_MAX + 3); /* two were broken, one of them twice */
    assert_ok(http_do_many(f.http, NULL, 0, NULL, NULL, &e), e);
}

static void what_may_not_be_asked(void **state)
{
    (void)state;
    static const char *const urls[] = {"http://192.0.2.1:5000/v3",
                                       "http://keys.test/v3",
                                       "http://127.0.0.1.test/",
                                       "ftp://127.0.0.1/",
                                       "https://me:pw@127.0.0.1:1/",
                                       "not a url",
                                       "",
                                       "file:///etc/passwd"};
    struct error e = ERROR_NONE;
    _cleanup_http_ struct http *h = NULL;
    assert_ok(http_open(&usual, &h, &e), e);
    struct http_reply reply;
    for (size_t i = 0; i < ARRAY_SIZE(urls); i++) {
        e = ERROR_NONE;
        struct http_request q = {.method = "GET", .url = urls[i]};
        assert_error(http_do(h, &q, &reply, &e), -EINVAL, e);
        assert_null(strstr(e.text, "pw"));
        assert_int_equal(!!strstr(e.text, "allow_http"), i < 3);
    }
    static const char *const tokens[] = {"", "a\r\nX-Evil: 1", "a b"};
    for (size_t i = 0; i < ARRAY_SIZE(tokens); i++) {
        e = ERROR_NONE;
        _cleanup_secret_ struct secret *token = secret_of(tokens[i]);
        struct http_request q = {.method = "GET", .url = "https://127.0.0.1:1/", .token = token};
        assert_error(http_do(h, &q, &reply, &e), -EINVAL, e);
    }
    e = ERROR_NONE;
    struct http_request q = {.method = "BREW", .url = "https://127.0.0.1:1/"};
    assert_error(http_do(h, &q, &reply, &e), -EINVAL, e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_status_is_an_answer),
        cmocka_unit_test(a_certificate_that_was_read_before),
        cmocka_unit_test(what_kept_from_the_server),
        cmocka_unit_test(what_is_sent_is_as_asked),
        cmocka_unit_test(headers_are_understood),
        cmocka_unit_test(a_secret_goes_into_secret_memory),
        cmocka_unit_test(what_may_pass_is_tried_again),
        cmocka_unit_test(retry_after_is_honoured),
        cmocka_unit_test(once_is_once),
        cmocka_unit_test(once_is_once_on_a_kept_connection),
        cmocka_unit_test(everything_ends_at_a_deadline),
        cmocka_unit_test(no_answer_breaks_it),
        cmocka_unit_test(a_wrong_certificate_is_refused),
        cmocka_unit_test(many_share_few_connections),
        cmocka_unit_test(what_may_not_be_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
