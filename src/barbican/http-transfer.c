/* SPDX-License-Identifier: Apache-2.0 */
/* One exchange with libcurl: sends the request and waits; http-answer.c takes the answer. Nothing here
 * depends on the environment (proxies, .netrc), nothing is stored (cookies, TLS sessions), nothing is
 * printed. */
#include "barbican/http-internal.h"

#include "base/str.h"
#include "build-config.h"

#include <openssl/ssl.h>
#include <stdio.h>
#include <string.h>

/* --- the answer --- */

static size_t on_header(char *line, size_t one, size_t n, void *context)
{
    return exchange_take_header(context, line, one * n) ? one * n : 0;
}

static long status_of(CURL *easy)
{
    long status = 0;
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    return status;
}

static size_t on_body(char *data, size_t one, size_t n, void *context)
{
    struct exchange *x = context;
    return exchange_take_body(x, status_of(x->easy), data, one * n) ? one * n : 0;
}

/* --- the request --- */

static size_t on_send(char *buffer, size_t one, size_t n, void *context)
{
    struct exchange *x = context;
    size_t left = secret_size(x->request->body) - x->body_sent;
    size_t size = left < one * n ? left : one * n;
    memcpy(buffer, secret_peek(x->request->body) + x->body_sent, size);
    x->body_sent += size;
    return size;
}

/* Refuses to send some bodies again. libcurl itself would repeat a request if the server closed a connection
 * that was used before. A request that does harm when repeated must not begin again: so a callback hands over
 * the body. */
static int on_rewind(void *context, curl_off_t offset, int origin)
{
    struct exchange *x = context;
    if (x->request->not_idempotent || offset != 0 || origin != SEEK_SET)
        return CURL_SEEKFUNC_FAIL;
    x->body_sent = 0;
    return CURL_SEEKFUNC_OK;
}

static CURLcode on_tls(CURL *easy, void *ctx, void *context)
{
    (void)easy;
    (void)context;
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS); /* freed, and so wiped, as soon as they are empty */
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET);
    return CURLE_OK;
}

static bool add_header(struct exchange *x, const char *line)
{
    struct curl_slist *longer = curl_slist_append(x->headers, line);
    if (longer)
        x->headers = longer;
    return longer;
}

static int add_token(struct exchange *x, struct error *e)
{
    static const char name[] = "X-Auth-Token: ";
    const struct secret *token = x->request->token;
    _cleanup_secret_ struct secret *line = NULL;
    int r = secret_new(sizeof name + secret_size(token), &line, e);
    if (r < 0)
        return r;
    memcpy(secret_bytes(line), name, sizeof name - 1);
    memcpy(secret_bytes(line) + sizeof name - 1, secret_peek(token), secret_size(token));
    return add_header(x, (const char *)secret_bytes(line)) ? 0 : error_memory(e);
}

static int add_headers(struct exchange *x, struct error *e)
{
    const struct http_request *q = x->request;
    _cleanup_free_ char *accept = str_format("Accept: %s", q->accept ? q->accept : "application/json");
    if (!accept || !add_header(x, accept) || !add_header(x, "Expect:") ||
        (q->body && !add_header(x, "Content-Type: application/json")))
        return error_memory(e);
    return q->token ? add_token(x, e) : 0;
}

/* Sets options until one of them fails. */
#define SET(option, value)                                                                                   \
    do {                                                                                                     \
        if (code == CURLE_OK)                                                                                \
            code = curl_easy_setopt(easy, option, value);                                                    \
    } while (0)

static CURLcode set_connection(const struct http *h, CURL *easy)
{
    CURLcode code = CURLE_OK;
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_QUICK_EXIT, 1L); /* a name server that hangs must not hold us up after the deadline */
    SET(CURLOPT_PROTOCOLS_STR, "http,https");
    SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    SET(CURLOPT_FOLLOWLOCATION, 0L);
    SET(CURLOPT_PROXY, ""); /* whatever the environment says */
    SET(CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    SET(CURLOPT_USERAGENT, "mayfly/" MAYFLY_VERSION);
    SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    SET(CURLOPT_SSL_VERIFYPEER, 1L);
    SET(CURLOPT_SSL_VERIFYHOST, 2L);
    SET(CURLOPT_SSL_SESSIONID_CACHE, 0L);
    SET(CURLOPT_SSL_CTX_FUNCTION, on_tls);
    if (h->ca_file) {
        if (h->ca.data)
            SET(CURLOPT_CAINFO_BLOB, &h->ca);
        else
            SET(CURLOPT_CAINFO, h->ca_file); /* libcurl then fails, and names the file */
        SET(CURLOPT_CAPATH, NULL);           /* these CAs alone, not the system's besides */
    }

    uint64_t left = http_left_msec(h);
    uint64_t connect = (uint64_t)h->settings.connect_sec * 1000;
    uint64_t request = (uint64_t)h->settings.request_sec * 1000;
    left = left ? left : 1; /* to libcurl 0 means for ever */
    SET(CURLOPT_CONNECTTIMEOUT_MS, (long)(connect && connect < left ? connect : left));
    SET(CURLOPT_TIMEOUT_MS, (long)(request && request < left ? request : left));
    return code;
}

static CURLcode set_body(struct exchange *x)
{
    CURL *easy = x->easy;
    const struct http_request *q = x->request;
    CURLcode code = CURLE_OK;
    if (q->body) {
        SET(CURLOPT_POST, 1L);
        SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)secret_size(q->body));
        SET(CURLOPT_READFUNCTION, on_send);
        SET(CURLOPT_READDATA, x);
        SET(CURLOPT_SEEKFUNCTION, on_rewind);
        SET(CURLOPT_SEEKDATA, x);
        return code;
    }
    if (q->method[0] == 'P') { /* PATCH, POST and PUT without a body say so */
        SET(CURLOPT_POSTFIELDS, "");
        SET(CURLOPT_POSTFIELDSIZE, 0L);
    }
    if (q->not_idempotent) /* there is no body that could stop libcurl from sending it again: see on_rewind()
                            */
        SET(CURLOPT_FRESH_CONNECT, 1L);
    return code;
}

static CURLcode set_request(struct exchange *x)
{
    CURL *easy = x->easy;
    CURLcode code = set_body(x);
    SET(CURLOPT_CUSTOMREQUEST, x->request->method);
    SET(CURLOPT_URL, x->request->url);
    SET(CURLOPT_HTTPHEADER, x->headers);
    SET(CURLOPT_HEADERFUNCTION, on_header);
    SET(CURLOPT_HEADERDATA, x);
    SET(CURLOPT_WRITEFUNCTION, on_body);
    SET(CURLOPT_WRITEDATA, x);
    SET(CURLOPT_ERRORBUFFER, x->detail);
    SET(CURLOPT_PRIVATE, x);
    return code;
}
#undef SET

int exchange_start(struct http *h, const struct http_request *q, struct exchange *x, struct error *e)
{
    *x = (struct exchange){.request = q, .easy = curl_easy_init()};
    int r = x->easy ? add_headers(x, e) : error_memory(e);
    CURLcode code = CURLE_OK;
    if (r == 0 && ((code = set_connection(h, x->easy)) != CURLE_OK || (code = set_request(x)) != CURLE_OK))
        r = code == CURLE_OUT_OF_MEMORY
                ? error_memory(e)
                : error_set(e, -ENOTSUP,
                            "libcurl: lacks what Mayfly needs (%s); install the one built with OpenSSL",
                            curl_easy_strerror(code));
    if (r == 0 && curl_multi_add_handle(h->multi, x->easy) != CURLM_OK)
        r = error_memory(e);
    if (r < 0)
        exchange_end(h, x);
    return r;
}

/* --- the end of an exchange --- */

static void free_handle(struct http *h, struct exchange *x)
{
    if (x->easy) {
        curl_multi_remove_handle(h->multi, x->easy);
        curl_easy_cleanup(x->easy);
        x->easy = NULL;
    }
    curl_slist_free_all(x->headers);
    x->headers = NULL;
}

void exchange_end(struct http *h, struct exchange *x)
{
    free_handle(h, x);
    http_reply_end(&x->reply);
    x->secret = secret_free(x->secret);
}

/* Cuts the secret to the size that came, and makes sure that there is a text. */
static CURLcode finish_body(struct exchange *x)
{
    if (x->secret) {
        if (secret_new(x->body_came, &x->reply.secret, &x->error) < 0)
            x->refusal = REFUSED_MEMORY;
        else
            memcpy(secret_bytes(x->reply.secret), secret_peek(x->secret), x->body_came);
        x->secret = secret_free(x->secret);
    }
    if (!x->reply.text && !(x->reply.text = strdup(""))) {
        error_memory(&x->error);
        x->refusal = REFUSED_MEMORY;
    }
    return x->refusal ? CURLE_WRITE_ERROR : CURLE_OK;
}

CURLcode exchange_finish(struct http *h, struct exchange *x, CURLcode code)
{
    long request_bytes = 0, os_errno = 0;
    curl_off_t retry_after = 0, connected_usec = 0, resolved_usec = 0;
    const char *location = NULL;
    curl_easy_getinfo(x->easy, CURLINFO_REQUEST_SIZE, &request_bytes);
    curl_easy_getinfo(x->easy, CURLINFO_OS_ERRNO, &os_errno);
    curl_easy_getinfo(x->easy, CURLINFO_RETRY_AFTER, &retry_after);
    curl_easy_getinfo(x->easy, CURLINFO_PRETRANSFER_TIME_T, &connected_usec);
    curl_easy_getinfo(x->easy, CURLINFO_NAMELOOKUP_TIME_T, &resolved_usec);
    curl_easy_getinfo(x->easy, CURLINFO_REDIRECT_URL, &location);
    curl_easy_getinfo(x->easy, CURLINFO_SSL_VERIFYRESULT, &x->verify_result);
    x->sent = request_bytes > 0 || x->body_sent > 0;
    x->resolved = resolved_usec > 0;
    x->connected = connected_usec > 0;
    x->os_errno = (int)os_errno;
    x->retry_after_sec = retry_after;
    x->reply.status = status_of(x->easy);
    if (location && http_origin(location, x->reply.location, sizeof x->reply.location) < 0)
        x->reply.location[0] = '\0';
    if (code == CURLE_OK && !x->headers_whole) /* to libcurl an answer may end in the middle of its headers */
        code = CURLE_PARTIAL_FILE;
    if (code == CURLE_OK && (x->reply.status < 200 || x->reply.status > 599))
        code = CURLE_WEIRD_SERVER_REPLY;
    free_handle(h, x);
    return code == CURLE_OK ? finish_body(x) : code;
}
