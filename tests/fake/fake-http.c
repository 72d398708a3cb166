/* SPDX-License-Identifier: Apache-2.0 */
/* See fake-http.h. */
#include "fake-http.h"

#include <stdlib.h>
#include <string.h>

int http_open(const struct http_settings *s, struct http **ret, struct error *e)
{
    (void)s;
    *ret = malloc(1);
    return *ret ? 0 : error_memory(e);
}

struct http *http_close(struct http *h)
{
    free(h);
    return NULL;
}

void http_begin(struct http *h)
{
    (void)h;
}

void http_reply_end(struct http_reply *r)
{
    free(r->text);
    secret_free(r->secret);
    secret_free(r->subject_token);
    *r = (struct http_reply){0};
}

int http_do_many(struct http *h, const struct http_request q[], size_t n, struct http_reply ret[],
                 int result[], struct error *e)
{
    int r = 0;
    (void)h;
    for (size_t i = 0; i < n; i++) {
        ret[i] = (struct http_reply){0};
        result[i] = fake_http_exchange(&q[i], &ret[i], e);
        r = r < 0 ? r : result[i];
    }
    return r;
}

int http_do(struct http *h, const struct http_request *q, struct http_reply *ret, struct error *e)
{
    int result;
    return http_do_many(h, q, 1, ret, &result, e);
}

struct secret *fake_http_secret(const void *bytes, size_t size)
{
    struct secret *s = NULL;
    if (secret_new(size, &s, NULL) < 0)
        abort();
    memcpy(secret_bytes(s), bytes, size);
    return s;
}
