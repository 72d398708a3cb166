/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the files http*.c: the connections, and one exchange with its outcome. */
#pragma once

#include "barbican/http.h"

#include <curl/curl.h>

#define HTTP_SERVER_MAX 300 /* room for "https://host:port" */

struct http {
    CURLM *multi;
    char *ca_file;                 /* NULL: the system's */
    struct curl_blob ca;           /* the contents of ca_file: later no file can be opened */
    struct http_settings settings; /* its ca_file is NULL: see `ca_file` and `ca` above */
    uint64_t deadline_msec;        /* of all exchanges, by clock_msec() */
};

/* Writes the server of a URL, as messages name it. -EINVAL, with the reason: no such URL may be asked. */
int http_server(const struct http *h, const char *url, char ret[HTTP_SERVER_MAX], struct error *e);

/* Returns the milliseconds until the deadline; 0 if it is over. */
uint64_t http_left_msec(const struct http *h);

/* Why we cut an answer short ourselves. */
enum http_refusal {
    REFUSED_NOT,
    REFUSED_HEADERS, /* too many, too long */
    REFUSED_BODY,    /* too long */
    REFUSED_TOKEN,   /* too long, or not of printable characters */
    REFUSED_MEMORY,  /* we lack memory, which is not the server's fault: see `error` */
};

/* One attempt at a request: a fresh handle of libcurl, freed right after, so that all its buffers are wiped
 * with the heap. */
struct exchange {
    const struct http_request *request;
    CURL *easy;
    struct curl_slist *headers;
    size_t body_sent;        /* bytes of the request's body that libcurl took */
    struct http_reply reply; /* as far as it came */
    struct secret *secret;   /* the body while it comes, with room for secret_max */
    size_t text_room;        /* bytes of reply.text */
    size_t body_came;
    size_t header_count, header_bytes;
    bool headers_whole, in_body;

    /* set at the end of the exchange */
    enum http_refusal refusal;
    struct error error;
    char detail[CURL_ERROR_SIZE]; /* libcurl's own words */
    bool resolved;                /* an address of the server's name was known */
    bool connected;               /* the connection, with its TLS, was there */
    bool sent;                    /* some of the request left us: it may have been carried out */
    int os_errno;                 /* of a connect() that failed */
    long verify_result;           /* X509_V_ERR_... */
    int64_t retry_after_sec;      /* 0: not said */
};

/* Sets the exchange up; the loop over h->multi carries it out. */
int exchange_start(struct http *h, const struct http_request *q, struct exchange *x, struct error *e);

/* Completes an exchange that ended with `code`: reads results from the handle and frees it. CURLE_OK:
 * x->reply is whole. */
CURLcode exchange_finish(struct http *h, struct exchange *x, CURLcode code);

/* Ends the exchange at any stage. */
void exchange_end(struct http *h, struct exchange *x);

/* Takes one line of the headers, or a part of the body that came with this status. False: the answer is cut
 * short, for the reason in x->refusal. Neither asks libcurl anything. */
bool exchange_take_header(struct exchange *x, const char *line, size_t size);
bool exchange_take_body(struct exchange *x, long status, const char *data, size_t size);

/* Whether the token can be sent in a header. */
bool exchange_takes_token(const struct secret *token);

/* Sets the sentence for an exchange without a whole reply, after so many attempts. Returns -EHOSTUNREACH, or
 * the error of our own side. */
int http_explain(const struct http *h, const char *server, const struct exchange *x, CURLcode code,
                 unsigned attempts, struct error *e);
