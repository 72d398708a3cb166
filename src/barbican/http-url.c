/* SPDX-License-Identifier: Apache-2.0 */
/* URLs: which are allowed, and what messages show of them. */
#include "barbican/http-internal.h"

#include "base/str.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

/* The parts of a URL that name the server. */
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
    /* the URL is not shown, since it might contain a password */
    if (r < 0)
        return error_set(
            e, -EINVAL,
            "key manager: cannot ask it: its address is not of the form https://HOST[:PORT]/PATH; "
            "check OS_AUTH_URL (auth_url of clouds.yaml or [barbican_service_user]) and barbican_endpoint of "
            "[barbican]");
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
