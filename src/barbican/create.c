/* SPDX-License-Identifier: Apache-2.0 */
/* Making keys, all or none: stored (or ordered, see order.c), then readable for the host, then with their
 * consumer; each a phase over all keys, a few connections at a time. */
#include "barbican/barbican-internal.h"

#include "barbican/body.h"
#include "barbican/replies.h"
#include "base/str.h"

#include <stdio.h>

/* As many as are certainly more than one: names have a fresh uuid in them. */
#define STRAYS_MAX 8

#define STORE_RETRIES 2

static int store_body(const struct barbican *b, const struct key_info *want, const struct secret *key,
                      struct secret **ret, struct error *e)
{
    char name[SECRET_NAME_MAX];
    int r = secret_name_make(b, want, name, e);
    if (r < 0)
        return r;
    struct body body = {0};
    body_put(&body, "{\"name\":");
    body_string(&body, name);
    body_put(&body, ",\"algorithm\":\"AES\",\"mode\":\"xts\",\"secret_type\":\"symmetric\",\"bit_length\":");
    body_number(&body, want->bits);
    body_put(&body,
             ",\"payload_content_type\":\"application/octet-stream\",\"payload_content_encoding\":\"base64\","
             "\"payload\":");
    body_base64(&body, secret_peek(key), secret_size(key));
    body_put(&body, "}");
    r = body_take(&body, ret, e);
    body_end(&body);
    return r;
}

/* The answer of a store was lost, so perhaps there is a secret: it has the name that was made for it alone.
 * Sets `id` if so;
 * "" where there is none. */
static int look_for(struct barbican *b, const struct key_info *want, char id[KEY_ID_MAX], struct error *e)
{
    _cleanup_(call_end) struct call c = {.method = "GET"};
    char name[SECRET_NAME_MAX], ids[STRAYS_MAX][UUID_TEXT];
    int r = secret_name_make(b, want, name, e);
    if (r < 0)
        return r;
    id[0] = '\0';
    snprintf(c.path, sizeof c.path, "/secrets?limit=%d&name=%s", STRAYS_MAX,
             name); /* of characters that need no escape */
    r = barbican_call(b, &c, 1, e);
    if (r == 0)
        r = call_check(b, &c, 200, 200, "key manager barbican", "asked for a key", e);
    if (r < 0)
        return r;
    int n = reply_named(c.reply.text, c.reply.size, name, ids, STRAYS_MAX);
    if (n < 0)
        return error_set(e, -EHOSTUNREACH,
                         "key manager barbican: cannot tell whether it made a key: the answer is not "
                         "Barbican's; check its endpoint");
    if (n > 0)
        return str_copy(id, KEY_ID_MAX, ids[0]);
    return 0;
}

static int read_stored(const struct barbican *b, const struct call *c, struct key_made *made, struct error *e)
{
    char id[UUID_TEXT];
    int r = call_check(b, c, 201, 201, "key manager barbican", "asked to keep a key", e);
    if (r == 0 && reply_ref(c->reply.text, c->reply.size, "secret_ref", id) == 0)
        return str_copy(made->id, KEY_ID_MAX, id);
    if (r == 0)
        return error_set(
            e, -EHOSTUNREACH,
            "key manager barbican: cannot be asked to keep a key: the answer is not Barbican's; check "
            "its endpoint");
    return r == -ENOKEY ? -EHOSTUNREACH : r;
}

/* What became of a store. It is sent again only when Barbican says that nothing was stored under its name. */
static int take_stored(struct barbican *b, const struct key_info *want, struct call *c, struct key_made *made,
                       struct error *e)
{
    struct error why = ERROR_NONE;
    int r = read_stored(b, c, made, &why);
    for (unsigned i = 0; r < 0 && call_answer_is_lost(c) && i < STORE_RETRIES; i++) {
        if (look_for(b, want, made->id, NULL) < 0)
            break;
        if (made->id[0])
            return 0; /* it was carried out after all */
        struct error again = ERROR_NONE;
        r = barbican_call(b, c, 1, &again);
        if (r == 0)
            r = read_stored(b, c, made, &again);
    }
    return r < 0 ? error_set(e, r, "%s", why.text) : 0;
}

static int store(struct barbican *b, const struct key_info want[], size_t n, struct key_made made[],
                 bool unknown[], struct error *e)
{
    struct call *calls = calloc(n, sizeof *calls);
    if (!calls)
        return error_memory(e);
    int r = 0;
    for (size_t i = 0; r == 0 && i < n; i++) {
        calls[i] = (struct call){.method = "POST", .path = "/secrets", .once = true, .result = -ECANCELED};
        r = secret_random(want[i].bits / 8, &made[i].secret, e);
        if (r == 0)
            r = store_body(b, &want[i], made[i].secret, &calls[i].body, e);
    }
    if (r == 0 && (r = barbican_call(b, calls, n, e)) < 0)
        error_prefix(e, "key manager barbican: cannot be asked to keep a key: ");
    for (size_t i = 0; i < n && calls[i].body; i++) { /* all: what was made must be known */
        int taken = take_stored(b, &want[i], &calls[i], &made[i], r < 0 ? NULL : e);
        unknown[i] = taken < 0 && call_answer_is_lost(&calls[i]);
        r = r < 0 ? r : taken;
    }
    calls_end(calls, n);
    return r;
}

/* {"read": ...} for the host's user, or {"service": ...} for the instance. */
static int grant_body(const struct barbican *b, struct secret **ret, struct error *e)
{
    struct body body = {0};
    body_put(&body, "{\"read\":{\"users\":[");
    body_string(&body, b->host_user_id);
    body_put(&body, "],\"project-access\":true}}");
    int r = body_take(&body, ret, e);
    body_end(&body);
    return r;
}

static int consumer_body(const struct key_info *want, struct secret **ret, struct error *e)
{
    struct body body = {0};
    body_put(&body, "{\"service\":\"mayfly\",\"resource_type\":");
    body_string(&body, key_scope_name(want->scope));
    body_put(&body, ",\"resource_id\":");
    body_string(&body, want->owner);
    body_put(&body, "}");
    int r = body_take(&body, ret, e);
    body_end(&body);
    return r;
}

/* One phase behind the store: the same call for every key. */
static int adorn(struct barbican *b, const struct key_info want[], size_t n, const struct key_made made[],
                 bool acl, struct error *e)
{
    struct call *calls = calloc(n, sizeof *calls);
    if (!calls)
        return error_memory(e);
    int r = 0;
    for (size_t i = 0; r == 0 && i < n; i++) {
        calls[i].method = acl ? "PUT" : "POST";
        snprintf(calls[i].path, sizeof calls[i].path, "/secrets/%.40s/%s", made[i].id,
                 acl ? "acl" : "consumers");
        r = acl ? grant_body(b, &calls[i].body, e) : consumer_body(&want[i], &calls[i].body, e);
    }
    const char *action = acl ? "opened to the host (host_access = read)" : "given its consumer";
    if (r == 0 && (r = barbican_call(b, calls, n, e)) < 0)
        error_prefix(e, "key barbican:%s: cannot be %s: ", made[0].id, action);
    for (size_t i = 0; r == 0 && i < n; i++) {
        char object[BARBICAN_OBJECT_MAX];
        barbican_object(made[i].id, object);
        r = call_check(b, &calls[i], 200, 201, object, action, e);
        if (r == 0 && !reply_is_object(calls[i].reply.text, calls[i].reply.size))
            r = error_set(e, -EHOSTUNREACH,
                          "%s: cannot be %s: the answer is not Barbican's; check its endpoint", object,
                          action);
    }
    calls_end(calls, n);
    return r == -ENOKEY ? -EHOSTUNREACH : r; /* nothing is lost that was just made */
}

/* None of them: with a time of its own, since the deadline may be what failed. Those that are `unknown` have
 * no id, and may be there all the same. */
static void unmake(struct barbican *b, const struct key_info want[], size_t n, struct key_made made[],
                   const bool unknown[], struct error *e)
{
    size_t left = 0;
    http_begin(b->http);
    for (size_t i = 0; i < n; i++) {
        made[i].secret = secret_free(made[i].secret);
        int r = unknown[i] ? look_for(b, &want[i], made[i].id, NULL) : 0;
        if (r == 0 && made[i].id[0])
            r = barbican_destroy_now(b, made[i].id, NULL);
        if (r < 0)
            left++;
        made[i].id[0] = '\0';
    }
    if (left)
        error_append(e,
                     "; %zu keys that were made, or may have been, could not be destroyed again: mayfly "
                     "recover does it",
                     left);
}

int barbican_create_many(struct keymgr *km, const struct key_info want[], size_t n, struct key_made ret[],
                         struct error *e)
{
    struct barbican *b = (struct barbican *)km;
    if (b->host_reads && !b->host_user_id[0])
        return error_set(
            e, -EINVAL,
            "key manager barbican: cannot make a key: host_access = read needs the id of the host's user, "
            "user_id in [barbican_service_user]; openstack user show -f value -c id NAME tells it");
    _cleanup_free_ bool *unknown = calloc(n, sizeof *unknown);
    if (!unknown)
        return error_memory(e);
    http_begin(b->http);
    int r = b->orders ? barbican_order(b, want, n, ret, unknown, e) : store(b, want, n, ret, unknown, e);
    if (r == 0 && b->host_reads)
        r = adorn(b, want, n, ret, true, e);
    if (r == 0)
        r = adorn(b, want, n, ret, false, e);
    if (r < 0)
        unmake(b, want, n, ret, unknown, e);
    return r;
}
