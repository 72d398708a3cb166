/* SPDX-License-Identifier: Apache-2.0 */
/* Makes keys on this host and stores them in Barbican: one POST for each, several at a time.
 *
 * An answer may be lost although the secret was stored. Then the name, which was made for this key alone, is
 * looked up. If Barbican has no secret of that name, the POST is repeated with another random key. Should
 * both be stored after all, the key of the lost answer has never encrypted anything.
 */
#include "barbican/barbican-internal.h"

#include "barbican/body.h"
#include "barbican/replies.h"
#include "base/str.h"

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
    body_put(&body, ",\"algorithm\":\"AES\",\"secret_type\":\"symmetric\",\"bit_length\":");
    body_number(&body, want->bits);
    body_put(&body, secret_mode(want->bits));
    body_put(&body,
             ",\"payload_content_type\":\"application/octet-stream\",\"payload_content_encoding\":\"base64\","
             "\"payload\":");
    body_base64(&body, secret_peek(key), secret_size(key));
    body_put(&body, "}");
    r = body_take(&body, ret, e);
    body_end(&body);
    return r;
}

/* Makes a fresh key, and the request that stores it. */
static int prepare_store(const struct barbican *b, const struct key_info *want, struct key_made *made,
                         struct call *c, struct error *e)
{
    *c = (struct call){.method = "POST", .path = "/secrets", .not_idempotent = true};
    made->secret = secret_free(made->secret);
    int r = secret_random(want->bits / 8, &made->secret, e);
    return r < 0 ? r : store_body(b, want, made->secret, &c->body, e);
}

/* Takes the id out of the answer. `outcome` gets what is known after this attempt and earlier ones. */
static int read_stored(const struct barbican *b, const struct call *c, struct key_made *made,
                       enum http_outcome *outcome, struct error *e)
{
    char id[UUID_TEXT];
    int r = call_check(b, c, 201, 201, "key manager barbican", "asked to keep a key", e);
    if (r == 0 && reply_ref(c->reply.text, c->reply.size, "secret_ref", id) == 0) {
        *outcome = HTTP_DONE;
        return str_copy(made->id, KEY_ID_MAX, id);
    }
    *outcome = outcome_add(*outcome, c->reply.outcome);
    if (r == 0)
        return error_set(
            e, -EHOSTUNREACH,
            "key manager barbican: cannot be asked to keep a key: the answer is not Barbican's; check "
            "its endpoint");
    return r;
}

/* Looks for a secret of the name. If there is one, it is the key, with the bytes that Barbican has, and
 * *outcome gets HTTP_DONE. */
static int take_stored(struct barbican *b, const struct key_info *want, struct key_made *made,
                       enum http_outcome *outcome)
{
    char ids[NAMED_MAX][UUID_TEXT];
    size_t n = 0;
    struct secret *key = NULL;
    int r = barbican_named(b, want, ids, &n, NULL);
    if (r < 0 || n == 0)
        return r;
    r = barbican_fetch_as(b, ids[0], "fetched after it was stored", &key, NULL);
    if (r < 0)
        return r;
    secret_free(made->secret);
    made->secret = key;
    r = str_copy(made->id, KEY_ID_MAX, ids[0]);
    if (r == 0)
        *outcome = HTTP_DONE;
    return r;
}

/* Completes a store whose answer was lost. */
static int store_again(struct barbican *b, const struct key_info *want, struct key_made *made,
                       enum http_outcome *outcome)
{
    int r = -EHOSTUNREACH;
    for (unsigned i = 0; r < 0 && *outcome == HTTP_PERHAPS && i < STORE_RETRIES; i++) {
        r = take_stored(b, want, made, outcome);
        if (r < 0 || *outcome == HTTP_DONE)
            break;
        _cleanup_(call_end) struct call c;
        r = prepare_store(b, want, made, &c, NULL);
        if (r == 0)
            r = barbican_call(b, &c, 1, NULL);
        if (r == 0)
            r = read_stored(b, &c, made, outcome, NULL);
    }
    size_t others = 0;
    if (r == 0) /* an earlier POST may have been carried out meanwhile; its key was never used */
        (void)!barbican_destroy_named(b, want, made->id, &others, NULL);
    return r;
}

int barbican_store(struct barbican *b, const struct key_info want[], size_t n, struct key_made made[],
                   enum http_outcome outcome[], struct error *e)
{
    struct call *calls = calloc(n, sizeof *calls);
    if (!calls)
        return error_memory(e);
    int r = 0;
    for (size_t i = 0; r == 0 && i < n; i++)
        r = prepare_store(b, &want[i], &made[i], &calls[i], e);
    if (r == 0 && (r = barbican_call(b, calls, n, e)) < 0)
        error_prefix(e, "key manager barbican: cannot be asked to keep a key: ");
    for (size_t i = 0; i < n && calls[i].body; i++) { /* all of them: each key that was made must be known */
        struct error why = ERROR_NONE;
        int stored = read_stored(b, &calls[i], &made[i], &outcome[i], &why);
        if (stored < 0 && r == 0 && store_again(b, &want[i], &made[i], &outcome[i]) == 0)
            stored = 0;
        if (stored < 0 && r == 0)
            r = error_pass(e, stored, &why);
    }
    calls_end(calls, n);
    return r;
}
