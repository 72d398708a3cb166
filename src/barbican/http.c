/* SPDX-License-Identifier: Apache-2.0 */
/* Connections: opening, closing, the deadline, and which URLs may be asked. One exchange is http-transfer.c
 * and http-answer.c, retries http-retry.c, the sentences http-explain.c. */
#include "barbican/http-internal.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/str.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#define CA_FILE_MAX (4U << 20) /* all that a distribution trusts is a quarter of a MiB */

/* Now, since files are hidden from mayfly-keyagent before it talks to a network. */
static void read_ca_file(struct http *h)
{
    char *text = NULL;
    size_t size = 0;
    _cleanup_close_ int fd = open(h->ca_file, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0 || fd_read_text(fd, CA_FILE_MAX, &text, &size) < 0)
        return;
    h->ca = (struct curl_blob){.data = text, .len = size, .flags = CURL_BLOB_NOCOPY};
}

static struct http *free_http(struct http *h)
{
    if (h->multi)
        curl_multi_cleanup(h->multi);
    free(h->ca.data);
    free(h->ca_file);
    free(h);
    curl_global_cleanup();
    return NULL;
}

int http_open(const struct http_settings *s, struct http **ret, struct error *e)
{
    /* A server that closes while we write is an error of write(), not the end of the process: libcurl is told
     * to leave signals alone, since a thread of it looks names up. */
    signal(SIGPIPE, SIG_IGN);
    unsetenv("SSLKEYLOGFILE"); /* libcurl would write the keys of its TLS sessions there */
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return error_memory(e);

    struct http *h = calloc(1, sizeof *h);
    if (!h) {
        curl_global_cleanup();
        return error_memory(e);
    }
    h->settings = *s;
    h->settings.ca_file = NULL;
    bool has_ca = s->ca_file && s->ca_file[0];
    h->ca_file = has_ca ? strdup(s->ca_file) : NULL;
    h->multi = curl_multi_init();
    if ((has_ca && !h->ca_file) || !h->multi ||
        curl_multi_setopt(h->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, (long)HTTP_CONNECTIONS_MAX) != CURLM_OK ||
        curl_multi_setopt(h->multi, CURLMOPT_MAXCONNECTS, (long)HTTP_CONNECTIONS_MAX) != CURLM_OK ||
        curl_multi_setopt(h->multi, CURLMOPT_PIPELINING, (long)CURLPIPE_NOTHING) != CURLM_OK) {
        free_http(h);
        return error_memory(e);
    }
    if (h->ca_file)
        read_ca_file(h);
    http_begin(h);
    *ret = h;
    return 0;
}

struct http *http_close(struct http *h)
{
    return h ? free_http(h) : NULL;
}

void http_begin(struct http *h)
{
    h->deadline_msec = clock_msec() + (uint64_t)h->settings.total_sec * 1000;
}

uint64_t http_left_msec(const struct http *h)
{
    uint64_t now = clock_msec();
    return now < h->deadline_msec ? h->deadline_msec - now : 0;
}

void http_reply_end(struct http_reply *r)
{
    if (r->text)
        explicit_bzero(r->text, r->size);
    free(r->text);
    secret_free(r->secret);
    secret_free(r->subject_token);
    *r = (struct http_reply){0};
}

/* What a URL says of its server. */
struct origin {
    char *scheme, *host, *port, *user, *password;
};

static void origin_end(struct origin *o)
{
    curl_free(o->scheme);
    curl_free(o->host);
    curl_free(o->port);
    curl_free(o->user);
    curl_free(o->password);
}

static int origin_parse(const char *url, struct origin *o)
{
    CURLU *u = curl_url();
    if (!u)
        return -ENOMEM;
    int r = 0;
    if (strlen(url) >= HTTP_URL_MAX || curl_url_set(u, CURLUPART_URL, url, 0) != CURLUE_OK ||
        curl_url_get(u, CURLUPART_SCHEME, &o->scheme, 0) != CURLUE_OK ||
        curl_url_get(u, CURLUPART_HOST, &o->host, 0) != CURLUE_OK ||
        curl_url_get(u, CURLUPART_PORT, &o->port, CURLU_DEFAULT_PORT) != CURLUE_OK)
        r = -EINVAL;
    curl_url_get(u, CURLUPART_USER, &o->user, 0);
    curl_url_get(u, CURLUPART_PASSWORD, &o->password, 0);
    curl_url_cleanup(u);
    return r;
}

static int origin_print(const struct origin *o, char *ret, size_t size)
{
    int n = snprintf(ret, size, "%s://%s:%s", o->scheme, o->host, o->port);
    str_tame(ret);
    return n < 0 || (size_t)n >= size ? -EINVAL : 0;
}

int http_origin(const char *url, char *ret, size_t size)
{
    _cleanup_(origin_end) struct origin o = {0};
    int r = origin_parse(url, &o);
    return r < 0 ? r : origin_print(&o, ret, size);
}

static bool is_loopback(const char *host)
{
    struct in_addr a;
    return streq(host, "localhost") || streq(host, "[::1]") ||
           (inet_pton(AF_INET, host, &a) == 1 && ntohl(a.s_addr) >> 24 == 127);
}

int http_server(const struct http *h, const char *url, char ret[HTTP_SERVER_MAX], struct error *e)
{
    _cleanup_(origin_end) struct origin o = {0};
    int r = origin_parse(url, &o);
    if (r == -ENOMEM)
        return error_memory(e);
    if (r == 0)
        r = origin_print(&o, ret, HTTP_SERVER_MAX);
    /* the URL is not shown: it might have a password in it */
    if (r < 0)
        return error_set(
            e, -EINVAL,
            "key manager: cannot ask it: its address is not of the form https://HOST[:PORT]/PATH; "
            "check OS_AUTH_URL, [barbican] auth_endpoint and barbican_endpoint");
    if (o.user || o.password)
        return error_set(e, -EINVAL,
                         "%s: not asked: its address has a user or password in it; give them as OS_USERNAME "
                         "and OS_PASSWORD, or in clouds.yaml",
                         ret);
    if (!streq(o.scheme, "https") && !streq(o.scheme, "http"))
        return error_set(e, -EINVAL, "%s: not asked: it is neither https:// nor http://; use https://", ret);
    if (streq(o.scheme, "http") && !h->settings.allow_plain && !is_loopback(o.host))
        return error_set(
            e, -EINVAL,
            "%s: not asked: keys and passwords would cross the network unencrypted; use https://, or "
            "set allow_http in [barbican]",
            ret);
    return 0;
}
