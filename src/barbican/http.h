/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP exchanges with the servers of a key manager, by libcurl. TLS is always verified, redirects are never
 * followed, every reply has a size limit, everything ends at a deadline, and secrets go straight into and out
 * of `struct secret`. Only the program mayfly-keyagent links this: there every buffer that libcurl and
 * OpenSSL free is wiped (keyagent/heap.c).
 *
 *     http_open(&settings, &h, e)
 *     http_do(h, &request, &reply, e)      // any status is a success: the caller judges it
 *     http_reply_end(&reply)
 *
 * Retried, with growing pauses and within the deadline: a connection that cannot be made or breaks, 429, and
 * 500, 502, 503, 504. A request that is not idempotent is retried only if no attempt may have been carried
 * out: the connection could not be made, or 429 was the answer. Retry-After is honoured within the deadline.
 *
 * Errors: -EHOSTUNREACH whenever there is no whole reply (refused, no route, name unknown, time-out, broken,
 * certificate wrong, too long). The sentence begins with the server ("https://host:port: ...") and never
 * contains a path's query, a token or a body.
 */
#pragma once

#include "secret/secret.h"

#include <stddef.h>

#define HTTP_URL_MAX         1024
#define HTTP_TOKEN_MAX       16384 /* bytes of a token; fernet has some 250, PKI tokens some thousands */
#define HTTP_CONNECTIONS_MAX 4     /* connections at a time */

struct http_settings {
    const char *ca_file;  /* PEM; NULL or "": the system's */
    const char *ca;       /* the contents of ca_file, if it was read already; NULL: http_open() reads it */
    size_t ca_size;       /* bytes of `ca` */
    unsigned connect_sec; /* for one connection, with its TLS handshake */
    unsigned request_sec; /* for one exchange */
    unsigned total_sec;   /* from http_begin() on, for all exchanges with their pauses and retries */
    unsigned retries;     /* of one request */
    bool allow_plain;     /* http:// also to hosts other than loopback addresses and localhost */
};

struct http;
int http_open(const struct http_settings *s, struct http **ret, struct error *e) _must_check_;
struct http *http_close(struct http *h);
DEFINE_CLEANUP(struct http *, http_close)
#define _cleanup_http_ _cleanup_(http_closep)

/* Starts the deadline of the exchanges that follow. http_open() does so, too. */
void http_begin(struct http *h);

struct http_request {
    const char *method;         /* GET, POST, PUT, PATCH, DELETE */
    const char *url;            /* whole, http:// or https:// */
    const struct secret *token; /* sent as X-Auth-Token; NULL: none */
    const struct secret *body;  /* JSON; NULL: none */
    const char *accept;         /* NULL: application/json */
    size_t secret_max;   /* > 0: a 2xx reply's body goes into reply.secret, of at most so many bytes; with
                            any other status it is text */
    bool not_idempotent; /* must not be carried out twice: see above */
};

/* What the server did with a request, as far as we know; in order, from nothing to done. */
enum http_outcome {
    HTTP_NOT_SENT, /* nothing of it left this host */
    HTTP_REFUSED,  /* the server answered that it did not do it: 3xx, 4xx */
    HTTP_PERHAPS,  /* this or an earlier attempt may have been carried out: no answer, or 5xx, which gateways
                      send even if the server behind them goes on */
    HTTP_DONE,     /* 2xx */
};

struct http_reply {
    long status;
    char *text;                   /* body, NUL-terminated, at most HTTP_TEXT_MAX bytes; "" if empty */
    size_t size;                  /* of text */
    struct secret *secret;        /* body, exactly as long as it came; NULL if there was none */
    struct secret *subject_token; /* X-Subject-Token */
    char type[64];                /* Content-Type, without parameters, in small letters */
    char location[128];           /* scheme and host of a redirect */
    int64_t date_sec;             /* Date, since 1970; 0: none */
    enum http_outcome outcome;    /* set also after an error */
};
#define HTTP_TEXT_MAX ((size_t)4 << 20)

int http_do(struct http *h, const struct http_request *q, struct http_reply *ret,
            struct error *e) _must_check_;

/* Does several requests at once, over at most HTTP_CONNECTIONS_MAX connections. All are carried out, to
 * success or failure; result[i] is 0 or the -errno of request i. Returns the first of the failures, by index,
 * whose sentence goes to `e`, or 0. */
int http_do_many(struct http *h, const struct http_request q[], size_t n, struct http_reply ret[],
                 int result[], struct error *e) _must_check_;

/* Writes scheme, host and port of `url`, without what curl takes for granted; -EINVAL. */
int http_origin(const char *url, char *ret, size_t size);

/* Wipes and frees its contents. May be called for a reply that is zeroed or failed. */
void http_reply_end(struct http_reply *r);
