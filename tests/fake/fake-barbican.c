/* SPDX-License-Identifier: Apache-2.0 */
/* See fake-barbican.h. */
#include "fake-barbican.h"

#include "barbican/json.h"
#include "base/str.h"
#include "fake-http.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <time.h>

struct fake_barbican fake_barbican;
#define F (&fake_barbican)

void fake_barbican_reset(void)
{
    memset(F, 0, sizeof *F);
}

size_t fake_barbican_count(void)
{
    size_t n = 0;
    for (size_t i = 0; i < F->n_secrets; i++)
        n += F->secrets[i].there;
    return n;
}

unsigned fake_barbican_asked(const char *where)
{
    unsigned n = 0;
    for (const char *line = F->requests; *line; line = strchr(line, '\n') + 1)
        n += str_starts(line, where);
    return n;
}

static struct fake_secret *new_of(struct fake_secret table[], size_t *n)
{
    if (*n == FAKE_SECRETS_MAX)
        abort();
    struct fake_secret *s = &table[(*n)++];
    *s = (struct fake_secret){.there = true};
    uuid_make(s->id);
    return s;
}

struct fake_secret *fake_barbican_add(const char *name, uint32_t bits)
{
    struct fake_secret *s = new_of(F->secrets, &F->n_secrets);
    snprintf(s->name, sizeof s->name, "%s", name);
    s->bits = bits;
    s->size = bits / 8;
    return s;
}

/* The one whose id begins the text. */
static struct fake_secret *of_id(struct fake_secret table[], size_t n, const char *text)
{
    for (size_t i = 0; i < n; i++)
        if (str_starts(text, table[i].id))
            return &table[i];
    return NULL;
}

/* ------------------------------------------------------------------- answers */

static int answer(struct http_reply *ret, long status, char *text)
{
    if (!text)
        abort();
    ret->status = status;
    ret->text = text;
    ret->size = strlen(text);
    ret->outcome = status / 100 == 2                ? HTTP_DONE
                   : status >= 500 || status == 408 ? HTTP_PERHAPS
                                                    : HTTP_REFUSED;
    ret->date_sec = (int64_t)time(NULL) + F->ahead_sec;
    return 0;
}

static int answer_text(struct http_reply *ret, long status, const char *text)
{
    return answer(ret, status, strdup(text));
}

static const char *token(void)
{
    static char text[32];
    snprintf(text, sizeof text, "token-%u", F->logins);
    return text;
}

/* ------------------------------------------------------------------ Keystone */

static int keystone(const struct http_request *q, const char *path, struct http_reply *ret)
{
    if (streq(q->method, "GET") && streq(path, "/v3/auth/catalog"))
        return answer_text(ret, 200, "{" FAKE_CATALOG "}");
    if (!streq(q->method, "POST") || !streq(path, "/v3/auth/tokens"))
        return answer_text(ret, 404, FAKE_404);
    F->logins++;
    snprintf(F->login, sizeof F->login, "%.*s", (int)secret_size(q->body),
             (const char *)secret_peek(q->body));
    ret->subject_token = fake_http_secret(token(), strlen(token()));
    return answer_text(
        ret, 201,
        "{\"token\":{\"user\":{\"id\":\"a11ce\",\"name\":\"alice\"},\"project\":{\"id\":\"9907ec7\","
        "\"name\":\"lab\"},\"roles\":[{\"name\":\"creator\"},{\"name\":\"reader\"}]," FAKE_CATALOG "}}");
}

/* ------------------------------------------------------------------ Barbican */

static void take_body(struct fake_secret *s, json_object *o)
{
    char payload[160] = "";
    json_object *bits = reply_member(o, "bit_length", json_type_int);
    s->bits = bits ? (uint32_t)json_object_get_int64(bits) : 0;
    s->size = s->bits / 8; /* of an order */
    memset(s->payload, (int)(0x40 + F->n_secrets), s->size);
    (void)reply_text(o, "name", s->name, sizeof s->name);
    (void)reply_text(o, "mode", s->mode, sizeof s->mode);
    if (reply_text(o, "payload", payload, sizeof payload) && strlen(payload) % 4 == 0) {
        uint8_t bytes[sizeof payload];
        s->size = strlen(payload) / 4 * 3 - str_ends(payload, "=") - str_ends(payload, "==");
        EVP_DecodeBlock(bytes, (const unsigned char *)payload, (int)strlen(payload));
        memcpy(s->payload, bytes, s->size < sizeof s->payload ? s->size : 0);
    }
}

static int store(const char *text, size_t size, struct http_reply *ret)
{
    _cleanup_json_ json_object *o = reply_parse(text, size);
    struct fake_secret *s = new_of(F->secrets, &F->n_secrets);
    take_body(s, o);
    return answer(ret, 201, str_format("{\"secret_ref\":\"" FAKE_BARBICAN "/v1/secrets/%s\"}", s->id));
}

static int order(const char *text, size_t size, struct http_reply *ret)
{
    _cleanup_json_ json_object *o = reply_parse(text, size);
    struct fake_secret *s = new_of(F->orders, &F->n_orders);
    take_body(s, reply_member(o, "meta", json_type_object));
    s->looks_left = F->order_looks;
    return answer(ret, 202, str_format("{\"order_ref\":\"" FAKE_BARBICAN "/v1/orders/%s\"}", s->id));
}

static int look_at_order(struct fake_secret *o, struct http_reply *ret)
{
    if (o->looks_left) {
        o->looks_left--;
        return answer_text(ret, 200, "{\"status\":\"PENDING\"}");
    }
    if (F->order_error)
        return answer(ret, 200, str_format("{\"status\":\"ERROR\",\"error_reason\":\"%s\"}", F->order_error));
    if (!o->consumer[0]) { /* its key is made once: here is its id */
        struct fake_secret *s = fake_barbican_add(o->name, o->bits);
        memset(s->payload, (int)(0x40 + F->n_secrets), s->size);
        memcpy(s->mode, o->mode, sizeof s->mode);
        memcpy(o->consumer, s->id, UUID_TEXT);
    }
    return answer(ret, 200,
                  str_format("{\"status\":\"ACTIVE\",\"secret_ref\":\"" FAKE_BARBICAN "/v1/secrets/%s\"}",
                             o->consumer));
}

static size_t number(const char *path, const char *name)
{
    const char *at = strstr(path, name);
    return at ? strtoul(at + strlen(name), NULL, 10) : 0;
}

static int list(const char *path, struct http_reply *ret)
{
    const char *name = strstr(path, "name=");
    size_t limit = number(path, "limit="), offset = number(path, "offset="), at = 0, told = 0;
    char *text = strdup("");
    limit = F->page_max && F->page_max < limit ? F->page_max : limit;
    for (size_t i = 0; i < F->n_secrets; i++) {
        const struct fake_secret *s = &F->secrets[i];
        if (!s->there || (name && !streq(name + 5, s->name)) || at++ < offset || told == limit)
            continue;
        char *more =
            str_format("%s%s{\"name\":\"%s\",\"status\":\"ACTIVE\",\"bit_length\":%u,\"created\":"
                       "\"2026-01-02T03:04:05.000000\",\"secret_ref\":\"" FAKE_BARBICAN "/v1/secrets/%s\"}",
                       text, told++ ? "," : "", s->name, s->bits, s->id);
        free(text);
        text = more;
    }
    int r = answer(ret, 200, str_format("{\"secrets\":[%s],\"total\":%zu}", text, fake_barbican_count()));
    free(text);
    for (; F->vanish; F->vanish--)
        F->secrets[F->vanish - 1].there = false;
    return r;
}

static int payload(const struct http_request *q, const struct fake_secret *s, struct http_reply *ret)
{
    if (!q->secret_max || !q->accept || !streq(q->accept, "application/octet-stream"))
        return answer_text(ret, 406, "{\"code\":406}");
    ret->secret = fake_http_secret(s->payload, s->size < q->secret_max ? s->size : q->secret_max);
    snprintf(ret->type, sizeof ret->type, "%s", F->type ? F->type : "application/octet-stream");
    return answer_text(ret, 200, "");
}

/* What is below a secret; `text` is the body. */
static int of_secret(const struct http_request *q, struct fake_secret *s, const char *below, const char *text,
                     struct http_reply *ret)
{
    bool get = streq(q->method, "GET"), put = streq(q->method, "PUT");
    if (streq(below, "/payload") && get)
        return payload(q, s, ret);
    if (streq(below, "/acl") && get)
        return answer_text(ret, 200, s->acl[0] ? s->acl : "{\"read\":{\"project-access\":true}}");
    if (streq(below, "/acl") && put) {
        snprintf(s->acl, sizeof s->acl, "%s", text);
        return answer_text(ret, 200, "{\"acl_ref\":\"x\"}");
    }
    if (streq(below, "/consumers") && streq(q->method, "POST")) {
        snprintf(s->consumer, sizeof s->consumer, "%s", text);
        return answer_text(ret, 200, "{\"name\":\"x\"}");
    }
    if (!*below && put)
        return answer_text(ret, 415, "{\"code\":415}");
    if (!*below && get)
        return answer_text(ret, 200, "{\"status\":\"ACTIVE\"}");
    if (*below || !streq(q->method, "DELETE"))
        return answer_text(ret, 405, "{\"code\":405}");
    s->there = false;
    s->looks_left = F->seen_destroyed;
    return answer_text(ret, 204, "");
}

static int barbican(const struct http_request *q, const char *path, struct http_reply *ret)
{
    const char *text = q->body ? (const char *)secret_peek(q->body) : "";
    size_t size = q->body ? secret_size(q->body) : 0;
    _cleanup_free_ char *body = strndup(text, size);
    if (!q->token || secret_size(q->token) != strlen(token()) ||
        memcmp(secret_peek(q->token), token(), strlen(token())))
        return answer_text(ret, 401, "{\"code\":401}");
    if (streq(q->method, "POST") && streq(path, "/v1/secrets"))
        return store(body, size, ret);
    if (streq(q->method, "POST") && streq(path, "/v1/orders"))
        return order(body, size, ret);
    if (streq(q->method, "GET") && str_starts(path, "/v1/secrets?"))
        return list(path, ret);
    struct fake_secret *o = str_starts(path, "/v1/orders/") ? of_id(F->orders, F->n_orders, path + 11) : NULL;
    if (o)
        return look_at_order(o, ret);
    struct fake_secret *s =
        str_starts(path, "/v1/secrets/") ? of_id(F->secrets, F->n_secrets, path + 12) : NULL;
    if (s && !s->there && s->looks_left && streq(q->method, "GET"))
        return s->looks_left--, answer_text(ret, 200, "{\"status\":\"ACTIVE\"}");
    if (!s || !s->there)
        return answer_text(ret, 404, FAKE_404);
    return of_secret(q, s, path + 12 + UUID_TEXT - 1, body, ret);
}

static int serve(const struct http_request *q, const char *path, struct http_reply *ret)
{
    return str_starts(q->url, FAKE_KEYSTONE "/") ? keystone(q, path, ret) : barbican(q, path, ret);
}

/* ---------------------------------------------------------------------- HTTP */

static bool strikes(const char *line)
{
    struct fake_fault *f = &F->fault;
    if (!f->where || !str_starts(line, f->where))
        return false;
    if (f->after) {
        f->after--;
        return false;
    }
    if (f->times && --f->times == 0)
        f->where = NULL;
    return true;
}

static int unanswered(struct http_reply *ret, enum http_outcome outcome, struct error *e)
{
    http_reply_end(ret);
    ret->outcome = outcome;
    return error_set(e, -EHOSTUNREACH, FAKE_BARBICAN ": no whole answer");
}

static int go_wrong(const struct http_request *q, const char *path, struct http_reply *ret, struct error *e)
{
    const struct fake_fault f = F->fault;
    if (f.how == NOT_SENT)
        return unanswered(ret, HTTP_NOT_SENT, e);
    if (f.how == LATE) {
        F->late.due = true;
        snprintf(F->late.body, sizeof F->late.body, "%.*s", (int)secret_size(q->body),
                 (const char *)secret_peek(q->body));
        return unanswered(ret, HTTP_PERHAPS, e);
    }
    if (f.how != ANSWERED)
        (void)!serve(q, path, ret);
    if (f.how == LOST)
        return unanswered(ret, HTTP_PERHAPS, e);
    http_reply_end(ret);
    if (f.location)
        snprintf(ret->location, sizeof ret->location, "%s", f.location);
    return answer_text(ret, f.status, f.body ? f.body : "");
}

int fake_http_exchange(const struct http_request *q, struct http_reply *ret, struct error *e)
{
    const char *path = strstr(q->url, "://");
    path = path ? strchr(path + 3, '/') : NULL;
    if (!path || strlen(F->requests) + strlen(path) + 16 > sizeof F->requests)
        abort();
    char *line = F->requests + strlen(F->requests);
    sprintf(line, "%s %s\n", q->method, path);
    bool wrong = strikes(line), late = F->late.due && str_starts(line, "GET /v1/secrets?");
    *ret = (struct http_reply){.status = 0};
    int r = wrong ? go_wrong(q, path, ret, e) : serve(q, path, ret);
    if (late) {
        struct http_reply unseen = {.status = 0};
        F->late.due = false;
        store(F->late.body, strlen(F->late.body), &unseen);
        http_reply_end(&unseen);
    }
    return r;
}
