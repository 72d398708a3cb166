/* SPDX-License-Identifier: Apache-2.0 */
/* Takes an answer, header by header and part by part of its body. An answer beyond the limits is refused
 * before any other code looks at it. */
#include "barbican/http-internal.h"

#include "base/str.h"

#include <ctype.h>
#include <stdio.h>
#include <strings.h>

#define HEADERS_MAX      128
#define HEADER_BYTES_MAX 65536 /* bytes of all headers of an exchange, with those of interim answers */

/* Whether `line` is the header `name`. Gives its value, without blanks around it. */
static bool header_value(const char *line, size_t size, const char *name, const char **ret, size_t *ret_size)
{
    size_t n = strlen(name);
    if (size <= n || strncasecmp(line, name, n) != 0 || line[n] != ':')
        return false;
    const char *from = line + n + 1, *to = line + size;
    while (from < to && isspace((unsigned char)*from))
        from++;
    while (to > from && isspace((unsigned char)to[-1]))
        to--;
    *ret = from;
    *ret_size = (size_t)(to - from);
    return true;
}

/* Whether it can be sent in a header: it must not have characters that end one. */
static bool is_token(const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (text[i] <= ' ' || text[i] > '~')
            return false;
    return size > 0 && size <= HTTP_TOKEN_MAX;
}

bool exchange_takes_token(const struct secret *token)
{
    return is_token((const char *)secret_peek(token), secret_size(token));
}

static bool take_token(struct exchange *x, const char *value, size_t size)
{
    if (!is_token(value, size)) {
        x->refusal = REFUSED_TOKEN;
        return false;
    }
    x->reply.subject_token = secret_free(x->reply.subject_token);
    if (secret_new(size, &x->reply.subject_token, &x->error) < 0) {
        x->refusal = REFUSED_MEMORY;
        return false;
    }
    memcpy(secret_bytes(x->reply.subject_token), value, size);
    return true;
}

static void take_type(struct exchange *x, const char *value, size_t size)
{
    size_t n = 0;
    while (n < size && n < sizeof x->reply.type - 1 && value[n] != ';' && !isspace((unsigned char)value[n])) {
        x->reply.type[n] = (char)tolower((unsigned char)value[n]);
        n++;
    }
    x->reply.type[n] = '\0';
    str_tame(x->reply.type);
}

static void take_date(struct exchange *x, const char *value, size_t size)
{
    char text[64];
    snprintf(text, sizeof text, "%.*s", (int)size, value);
    time_t t = curl_getdate(text, NULL);
    x->reply.date_sec = t > 0 ? t : 0;
}

/* Forgets the headers of interim answers (100 Continue). */
static void forget_headers(struct exchange *x)
{
    x->headers_whole = false;
    x->reply.subject_token = secret_free(x->reply.subject_token);
    x->reply.type[0] = '\0';
    x->reply.date_sec = 0;
}

bool exchange_take_header(struct exchange *x, const char *line, size_t size)
{
    const char *value;
    size_t value_size;
    x->header_bytes += size;
    if (++x->header_count > HEADERS_MAX || x->header_bytes > HEADER_BYTES_MAX) {
        x->refusal = REFUSED_HEADERS;
        return false;
    }
    if (x->in_body) /* a trailer, which is ignored */
        return true;
    if (size >= 5 && strncmp(line, "HTTP/", 5) == 0)
        forget_headers(x);
    else if (header_value(line, size, "X-Subject-Token", &value, &value_size))
        return take_token(x, value, value_size);
    else if (header_value(line, size, "Content-Type", &value, &value_size))
        take_type(x, value, value_size);
    else if (header_value(line, size, "Date", &value, &value_size))
        take_date(x, value, value_size);
    else if (size > 0 && (line[0] == '\r' || line[0] == '\n'))
        x->headers_whole = true;
    return true;
}

static bool take_secret(struct exchange *x, const char *data, size_t size)
{
    size_t max = x->request->secret_max;
    if (size > max - x->body_came) {
        x->refusal = REFUSED_BODY;
        return false;
    }
    if (!x->secret && secret_new(max, &x->secret, &x->error) < 0) {
        x->refusal = REFUSED_MEMORY;
        return false;
    }
    memcpy(secret_bytes(x->secret) + x->body_came, data, size);
    x->body_came += size;
    return true;
}

static bool take_text(struct exchange *x, const char *data, size_t size)
{
    if (size > HTTP_TEXT_MAX - x->body_came) {
        x->refusal = REFUSED_BODY;
        return false;
    }
    size_t need = x->body_came + size + 1;
    if (need > x->text_room) {
        size_t room = need < 4096 ? 4096 : need * 2;
        char *text = realloc(x->reply.text, room);
        if (!text) {
            error_memory(&x->error);
            x->refusal = REFUSED_MEMORY;
            return false;
        }
        x->reply.text = text;
        x->text_room = room;
    }
    memcpy(x->reply.text + x->body_came, data, size);
    x->body_came += size;
    x->reply.size = x->body_came;
    x->reply.text[x->body_came] = '\0';
    return true;
}

bool exchange_take_body(struct exchange *x, long status, const char *data, size_t size)
{
    x->in_body = true;
    bool secret = x->request->secret_max > 0 && status / 100 == 2;
    return secret ? take_secret(x, data, size) : take_text(x, data, size);
}
