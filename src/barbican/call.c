/* SPDX-License-Identifier: Apache-2.0 */
/* Calls of the Barbican API, and the meaning of their answers. */
#include "barbican/barbican-internal.h"

#include "barbican/message.h"
#include "barbican/replies.h"
#include "base/str.h"

#include <ctype.h>
#include <openssl/sha.h>

#include <stdio.h>

void call_end(struct call *c)
{
    http_reply_end(&c->reply);
    c->body = secret_free(c->body);
}

void calls_end(struct call *calls, size_t n)
{
    for (size_t i = 0; i < n; i++)
        call_end(&calls[i]);
    free(calls);
}

void barbican_object(const char *id, char ret[BARBICAN_OBJECT_MAX])
{
    snprintf(ret, BARBICAN_OBJECT_MAX, "key barbican:%s", id);
}

int barbican_check_id(const char *id, struct error *e)
{
    if (uuid_valid(id))
        return 0;
    return error_set(e, -EINVAL, "key barbican:%.64s: is not a Barbican key: its id is not a uuid", id);
}

static const char *given_endpoint(const struct barbican *b)
{
    return b->who.key_manager_endpoint_override[0] ? b->who.key_manager_endpoint_override
                                                   : b->configured_endpoint;
}

/* Makes REGION-HASH: the region is for people. The hash is of the region and the service's id in Keystone,
 * which all interfaces of the service share. For a Barbican that is not in the catalog it is of the
 * address. */
static void make_place(const struct keystone_endpoint *at, char ret[KEY_PLACE_MAX])
{
    uint8_t hash[SHA256_DIGEST_LENGTH];
    char region[40] = "", hex[17];
    _cleanup_free_ char *text = at->service_id[0]
                                    ? str_format("service %s region %s", at->service_id, at->region)
                                    : str_format("url %s", at->url);
    if (!text) {
        ret[0] = '\0'; /* a place that is not known proves nothing */
        return;
    }
    snprintf(region, sizeof region, "%.39s", at->region);
    for (char *c = region; *c; c++)
        if (!str_made_of((char[]){*c, '\0'}, "._") || (c == region && !isalnum((unsigned char)*c)))
            *c = c == region ? 'R' : '-';
    SHA256((const unsigned char *)text, strlen(text), hash);
    str_hex(hash, 8, hex);
    snprintf(ret, KEY_PLACE_MAX, "%s-%s", region[0] ? region : "barbican", hex);
}

int barbican_find_place(struct barbican *b, struct error *e)
{
    int r = barbican_find(b, e);
    struct keystone_endpoint found;
    if (r < 0 || !*given_endpoint(b) || b->place_is_known)
        return r;
    r = keystone_endpoint_by_url(b->keystone, b->endpoint, &found, e);
    if (r < 0)
        return r;
    if (found.service_id[0])
        make_place(&found, b->place);
    b->place_is_known = true;
    return 0;
}

int barbican_find(struct barbican *b, struct error *e)
{
    if (b->endpoint[0])
        return 0;
    struct keystone_endpoint found = {.url = ""};
    char *url = found.url;
    const char *given = given_endpoint(b);
    int r = 0;
    if (*given)
        snprintf(url, sizeof found.url, "%s", given);
    else
        r = keystone_endpoint(b->keystone, b->who.region_name[0] ? b->who.region_name : b->region,
                              b->who.interface[0] ? b->who.interface : b->interface, &found, e);
    if (r < 0)
        return r;
    make_place(&found, b->place);
    size_t n = strlen(url);
    while (n > 0 && url[n - 1] == '/')
        url[--n] = '\0';
    const char *version = str_ends(url, "/v1") ? "" : "/v1";
    if (n + strlen(version) >= sizeof b->endpoint)
        return error_set(e, -EINVAL, "key manager barbican: the URL of its endpoint is too long");
    snprintf(b->endpoint, sizeof b->endpoint, "%s%s", url, version);
    return 0;
}

/* Sends the calls with this token; with `only_refused`, only those that were answered with 401. */
static int carry_out(struct barbican *b, struct call calls[], size_t n, const struct secret *token,
                     bool only_refused, struct error *e)
{
    _cleanup_free_ struct http_request *requests = calloc(n, sizeof *requests);
    _cleanup_free_ struct http_reply *replies = calloc(n, sizeof *replies);
    _cleanup_free_ int *results = calloc(n, sizeof *results);
    _cleanup_free_ size_t *which = calloc(n, sizeof *which);
    _cleanup_free_ char(*urls)[HTTP_URL_MAX + sizeof calls->path] = calloc(n, sizeof *urls);
    if (!requests || !replies || !results || !which || !urls)
        return error_memory(e);
    size_t m = 0;
    for (size_t i = 0; i < n; i++) {
        struct call *c = &calls[i];
        if (only_refused && (c->result < 0 || c->reply.status != 401))
            continue;
        http_reply_end(&c->reply);
        snprintf(urls[m], sizeof urls[m], "%s%s", b->endpoint, c->path);
        requests[m] = (struct http_request){.method = c->method,
                                            .url = urls[m],
                                            .token = token,
                                            .body = c->body,
                                            .accept = c->accept,
                                            .secret_max = c->secret_max,
                                            .not_idempotent = c->not_idempotent};
        which[m++] = i;
    }
    struct error first = ERROR_NONE;
    (void)!http_do_many(b->http, requests, m, replies, results, &first); /* failures are in the results */
    for (size_t i = 0; i < m; i++) {
        struct call *c = &calls[which[i]];
        c->reply = replies[i];
        c->result = results[i];
        if (c->result < 0) /* of several failures the first one speaks for all */
            c->error = first;
    }
    return 0;
}

/* Whether the token was refused for any call. If not, it works. */
static bool any_refused(struct barbican *b, const struct call calls[], size_t n)
{
    bool works = false;
    for (size_t i = 0; i < n; i++) {
        if (calls[i].result == 0 && calls[i].reply.status == 401)
            return true;
        works = works || (calls[i].result == 0 && calls[i].reply.status / 100 == 2);
    }
    if (works)
        keystone_token_works(b->keystone);
    return false;
}

int barbican_call(struct barbican *b, struct call calls[], size_t n, struct error *e)
{
    const struct secret *token = NULL;
    for (size_t i = 0; i < n; i++)
        calls[i].result = -ECANCELED;
    int r = keystone_token(b->keystone, &token, e);
    if (r == 0)
        r = barbican_find(b, e);
    if (r == 0)
        r = carry_out(b, calls, n, token, false, e);
    if (r < 0 || !any_refused(b, calls, n))
        return r;
    r = keystone_renew(b->keystone, e);
    if (r == 0)
        r = keystone_token(b->keystone, &token, e);
    if (r == 0)
        r = carry_out(b, calls, n, token, true, e);
    return r == 0 && any_refused(b, calls, n) ? keystone_token_fails(b->keystone, e) : r;
}

/* Whether a 404 is Barbican's own, and about one secret: not about a list, or an order. */
static bool says_gone(const struct call *c)
{
    return str_starts(c->path, "/secrets/") && reply_says_404(c->reply.text, c->reply.size);
}

/* Writes Barbican's address without its path. */
static void server_of(const struct barbican *b, char *ret, size_t size)
{
    const char *host = strstr(b->endpoint, "://");
    size_t n = host ? (size_t)(host + 3 - b->endpoint) + strcspn(host + 3, "/") : 0;
    snprintf(ret, size, "%.*s", (int)n, b->endpoint);
}

struct meaning {
    int errnum;
    const char *way_out;
};

static struct meaning meaning_of(const struct barbican *b, const struct call *c)
{
    switch (c->reply.status) {
    case 401:
        return (struct meaning){-EACCES, "get a fresh token"};
    case 403:
        if (reply_says_quota(c->reply.text, c->reply.size))
            return (struct meaning){-EDQUOT, "delete secrets of the project, or have its quota raised "
                                             "(openstack secret list; Barbican's project-quotas)"};
        return (struct meaning){
            -EACCES, b->who.is_host
                         ? "the host's own user may not do this: use the credentials of the "
                           "project that owns it (OS_*, --os-cloud), or let the host read it "
                           "(mayfly key grant, host_access)"
                         : "use the credentials of the project that owns it, with the role creator"};
    case 404:
        if (says_gone(c) && c->new_secret)
            return (struct meaning){-EHOSTUNREACH,
                                    "it was made a moment ago: check that this is Barbican, and try again"};
        if (says_gone(c))
            return (struct meaning){-ENOKEY,
                                    "the key is gone for good, and what it encrypted cannot be read any "
                                    "more; run mayfly delete"};
        return (struct meaning){-EHOSTUNREACH, "this is not how Barbican says it: check its endpoint"};
    case 406: /* we asked for bytes, and the secret is text */
        return (struct meaning){-EKEYREJECTED,
                                "the secret is not a key of Mayfly but of another type, such as a "
                                "passphrase"};
    case 400:
    case 409:
    case 413:
    case 415:
        return (struct meaning){-EIO, "look at Barbican's log"};
    default:
        if (c->reply.location[0])
            return (struct meaning){-EHOSTUNREACH,
                                    "redirects are not followed: correct barbican_endpoint, or the catalog"};
        if (c->reply.status == 429 || c->reply.status >= 500)
            return (struct meaning){-EHOSTUNREACH, "try again, or look at the service"};
        return (struct meaning){-EHOSTUNREACH, "this is not how Barbican says it: check its endpoint"};
    }
}

int call_check(const struct barbican *b, const struct call *c, long ok, long ok_too, const char *object,
               const char *action, struct error *e)
{
    char server[300], message[MESSAGE_MAX];
    if (c->result == -ENOMEM)
        return error_memory(e);
    if (c->result < 0)
        return error_set(e, c->result, "%s: cannot be %s: Barbican cannot be reached: %s", object, action,
                         c->error.text);
    if (c->reply.status == ok || c->reply.status == ok_too)
        return 0;
    server_of(b, server, sizeof server);
    if (c->reply.secret) /* the body of a good status that was not expected */
        message[0] = '\0';
    else
        reply_message(c->reply.text, c->reply.size, message, sizeof message);
    struct meaning m = meaning_of(b, c);
    return error_set(e, m.errnum, "%s: cannot be %s: Barbican (%s) answers %ld%s%s%s%s; %s", object, action,
                     server, c->reply.status, *message ? ": " : "", message,
                     c->reply.location[0] ? ", to " : "", c->reply.location, m.way_out);
}
