/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as the headers and the body of an answer, line by line as libcurl gives them: whatever is taken
 * of them has its ends and its limits. The body goes into a secret where the first byte is odd, and the text
 * of each line is tried as an address, too. */
#include "barbican/http-internal.h"
#include "base/str.h"
#include "text.h"

#define SECRET_MAX 65

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_origin(const char *line, size_t size)
{
    char origin[sizeof((struct http_reply *)0)->location];
    _cleanup_free_ char *url = text_of(line, size);
    url[strcspn(url, "\r\n")] = '\0';
    if (http_origin(url, origin, sizeof origin) < 0)
        return;
    if (!memchr(origin, '\0', sizeof origin) || !strstr(origin, "://"))
        abort();
    for (const char *c = origin; *c; c++)
        if ((unsigned char)*c < ' ')
            abort();
}

/* The lines up to the first empty one. Returns what is left. */
static size_t take_headers(struct exchange *x, const char **at, size_t left)
{
    while (left > 0 && **at != '\n') {
        const char *end = memchr(*at, '\n', left);
        size_t n = end ? (size_t)(end + 1 - *at) : left;
        _cleanup_free_ char *line = malloc(n); /* of the exact size, so that a read beyond it shows */
        memcpy(line, *at, n);
        if (!exchange_take_header(x, line, n))
            return 0;
        if (n > 10 && strncasecmp(line, "Location: ", 10) == 0)
            try_origin(line + 10, n - 10);
        *at += n;
        left -= n;
    }
    return left;
}

static void check_taken(const struct exchange *x)
{
    const struct http_reply *r = &x->reply;
    if (!memchr(r->type, '\0', sizeof r->type) || r->date_sec < 0)
        abort();
    if (r->subject_token && !exchange_takes_token(r->subject_token))
        abort();
    if (r->text && (r->size > HTTP_TEXT_MAX || r->text[r->size] != '\0'))
        abort();
    if (x->secret && x->body_came > SECRET_MAX)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct http_request q = {.method = "GET", .secret_max = size > 0 && data[0] % 2 ? SECRET_MAX : 0};
    struct exchange x = {.request = &q};
    const char *at = (const char *)data;
    size_t left = take_headers(&x, &at, size);
    while (left > 0 && x.refusal == REFUSED_NOT) {
        size_t n = left < 32 ? left : left / 2;
        if (!exchange_take_body(&x, 200, at, n))
            break;
        at += n;
        left -= n;
    }
    (void)take_headers(&x, &at, left); /* trailers */
    check_taken(&x);
    http_reply_end(&x.reply);
    secret_free(x.secret);
    return 0;
}
