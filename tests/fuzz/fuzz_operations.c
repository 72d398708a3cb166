/* SPDX-License-Identifier: Apache-2.0 */
/* Each operation of the key manager barbican against servers that answer anything. The input is text: the
 * letter of the operation, then answers, with an empty line behind each:
 *
 *     c
 *     201 T              status, and letters: T a token comes with it, O it is an octet stream, L a redirect,
 *     {"token": ...}     F no whole answer, U nor is it known what became of the request
 *
 *     201
 *     {"secret_ref": ...}
 *
 * Whatever they say: what is made has its form, what fails leaves nothing and has a sentence, and a key is
 * gone only if Barbican says so. */
#include "barbican/barbican.h"
#include "barbican/replies.h"
#include "base/str.h"
#include "fake-http.h"
#include "text.h"

#define ID    "6f1e8a8e-0000-4000-8000-000000000001"
#define OWNER "6f1e8a8e-0000-4000-8000-000000000002"
#define KEYS  2

#define STORED_MAX 8

static const char *at, *end; /* of the answers that are left */
static bool said_404;

/* Keys and orders that the servers say they have, until they are asked to destroy it, or about it. */
static char stored[STORED_MAX][UUID_TEXT];

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* --- the servers, in the place of the files http*.c --- */

static size_t line_length(const char *from)
{
    const char *newline = from < end ? memchr(from, '\n', (size_t)(end - from)) : NULL;
    return newline ? (size_t)(newline - from) : (size_t)(end - from);
}

/* The next body; the empty line behind it is passed over. */
static void take_body(const char **ret, size_t *ret_size)
{
    const char *empty = at < end ? memmem(at, (size_t)(end - at), "\n\n", 2) : NULL;
    *ret = at;
    *ret_size = (size_t)((empty ? empty : end) - at);
    at = empty ? empty + 2 : end;
}

static int next_reply(const struct http_request *q, struct http_reply *ret, struct error *e)
{
    const char *body;
    char first[32] = "";
    size_t n = line_length(at), size;
    memcpy(first, at, n < sizeof first - 1 ? n : sizeof first - 1);
    at += n < (size_t)(end - at) ? n + 1 : n;
    take_body(&body, &size);
    *ret = (struct http_reply){.status = strtol(first, NULL, 10), .outcome = HTTP_NOT_SENT};
    if (first[0] && !strchr(first, 'F'))
        ret->outcome = ret->status / 100 == 2                                           ? HTTP_DONE
                       : strchr(first, 'U') || ret->status >= 500 || ret->status == 408 ? HTTP_PERHAPS
                                                                                        : HTTP_REFUSED;
    if (!first[0] || strchr(first, 'F') || strchr(first, 'U'))
        return error_set(e, -EHOSTUNREACH, "https://keys.test: no whole answer");
    if (strchr(first, 'T'))
        ret->subject_token = fake_http_secret("to-ken", 6);
    if (strchr(first, 'O'))
        memcpy(ret->type, "application/octet-stream", sizeof "application/octet-stream");
    if (strchr(first, 'L'))
        memcpy(ret->location, "https://evil.test:443", sizeof "https://evil.test:443");
    if (q->secret_max && ret->status / 100 == 2)
        ret->secret = fake_http_secret(body, size < q->secret_max ? size : q->secret_max);
    ret->size = ret->secret ? 0 : size;
    ret->text = text_of(body, ret->size);
    said_404 = said_404 || ret->status == 404;
    return 0;
}

/* As http.c does: what is no address is not asked. */
static bool can_be_asked(const char *url)
{
    for (const char *c = url; *c; c++)
        if (*c <= ' ' || *c > '~')
            return false;
    return str_starts(url, "https://") || str_starts(url, "http://");
}

static void note_id(const char id[UUID_TEXT])
{
    for (size_t i = 0; i < STORED_MAX; i++)
        if (!stored[i][0]) {
            memcpy(stored[i], id, UUID_TEXT);
            return;
        }
}

/* A key that the servers say they have made must be destroyed, and an order must be looked at. */
static void note_stored(const struct http_request *q, const struct http_reply *r)
{
    enum order_state state = ORDER_PENDING;
    char id[UUID_TEXT], reason[64];
    bool post = streq(q->method, "POST"), look = streq(q->method, "GET") && strstr(q->url, "/v1/orders/");
    for (size_t i = 0; i < STORED_MAX; i++)
        if ((look || streq(q->method, "DELETE")) && stored[i][0] && str_ends(q->url, stored[i]))
            stored[i][0] = '\0';
    if (post && r->status == 201 && str_ends(q->url, "/v1/secrets") &&
        reply_ref(r->text, r->size, "secret_ref", id) == 0)
        note_id(id);
    if (post && r->status == 202 && str_ends(q->url, "/v1/orders") &&
        reply_ref(r->text, r->size, "order_ref", id) == 0)
        note_id(id);
    if (look && r->status == 200 && reply_order(r->text, r->size, &state, id, reason, sizeof reason) == 0 &&
        state == ORDER_ACTIVE)
        note_id(id);
}

int fake_http_exchange(const struct http_request *q, struct http_reply *ret, struct error *e)
{
    int r =
        can_be_asked(q->url) ? next_reply(q, ret, e) : error_set(e, -EINVAL, "key manager: cannot be asked");
    note_stored(q, ret);
    return r;
}

/* --- the operations --- */

static struct keymgr *open_manager(bool orders)
{
    static const char alice[] = "OS_AUTH_URL=https://keys.test/v3\0OS_USERNAME=alice\0OS_PASSWORD=hush\0"
                                "OS_PROJECT_NAME=p\0OS_DEFAULT_DOMAIN=Default";
    static struct config c;
    struct key_context who = KEY_CONTEXT_NONE;
    struct keymgr *km = NULL;
    config_defaults(&c);
    memcpy(c.host_access, "read", sizeof "read");
    memcpy(c.host_user_id, "compute", sizeof "compute");
    memcpy(c.barbican_create, orders ? "order" : "store", sizeof "order");
    c.barbican_order_polls = 3;
    c.barbican_order_delay_sec = 0;
    who.environment = fake_http_secret(alice, sizeof alice);
    if (barbican_manager.open(&barbican_manager, &c, &who, &km, NULL) < 0)
        abort();
    key_context_end(&who);
    km->ops = &barbican_manager;
    return km;
}

/* Behind the place, if it has one. */
static const char *own_id(const char *id)
{
    const char *slash = strchr(id, '/');
    return slash ? slash + 1 : id;
}

static int create(struct keymgr *km, struct error *e)
{
    struct key_info want[KEYS];
    struct key_made made[KEYS];
    for (size_t i = 0; i < KEYS; i++)
        want[i] = (struct key_info){.owner = OWNER, .vg = "vg0", .bits = 512};
    int r = keymgr_create_many(km, want, KEYS, made, e);
    for (size_t i = 0; i < KEYS; i++) {
        if (r < 0 ? made[i].secret != NULL
                  : secret_size(made[i].secret) != 64 || !uuid_valid(own_id(made[i].id)))
            abort();
        secret_free(made[i].secret);
    }
    for (size_t i = 0; r < 0 && i < STORED_MAX; i++)
        if (stored[i][0])
            abort();
    return r;
}

static int fetch(struct keymgr *km, struct error *e)
{
    _cleanup_secret_ struct secret *key = NULL;
    int r = keymgr_fetch(km, ID, &key, e);
    if (r < 0 ? key != NULL : secret_size(key) < KEY_BITS_MIN / 8 || secret_size(key) > KEY_BITS_MAX / 8)
        abort();
    return r;
}

static int list(struct keymgr *km, struct error *e)
{
    _cleanup_key_listing_ struct key_listing l = {.n = 0};
    int r = keymgr_list(km, &l, e);
    for (size_t i = 0; r == 0 && i < l.n; i++)
        if (!uuid_valid(own_id(l.keys[i].id)) || !uuid_valid(l.keys[i].owner))
            abort();
    return r;
}

static int diagnose(struct keymgr *km, struct error *e)
{
    struct key_finding found[KEY_FINDINGS_MAX];
    size_t n = 0;
    int r = keymgr_diagnose(km, found, &n, e);
    for (size_t i = 0; i < n; i++)
        if (!found[i].text[0] || (found[i].result < 0 && i + 1 < n))
            abort();
    return r;
}

static int operate(char letter, struct error *e)
{
    _cleanup_keymgr_ struct keymgr *km = open_manager(letter == 'o');
    bool changed = false;
    switch (letter) {
    case 'c':
    case 'o':
        return create(km, e);
    case 'f':
        return fetch(km, e);
    case 'l':
        return list(km, e);
    case 'm':
        return keymgr_may_destroy(km, ID, e);
    case 'd':
        return keymgr_destroy(km, ID, e);
    case 'g':
    case 'r':
        return keymgr_grant(km, ID, NULL, letter == 'g', &changed, e);
    default:
        return diagnose(km, e);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct error e = ERROR_NONE;
    if (size < 2)
        return 0;
    at = (const char *)data + 2;
    end = (const char *)data + size;
    said_404 = false;
    memset(stored, 0, sizeof stored);
    int r = operate((char)data[0], &e);
    if (r > 0 || (r == 0) != (e.text[0] == '\0') || (r == -ENOKEY && !said_404))
        abort();
    for (const char *c = e.text; *c; c++)
        if ((unsigned char)*c < ' ')
            abort();
    return 0;
}
