/* SPDX-License-Identifier: Apache-2.0 */
/* Fetches and destroys keys, over several connections at a time. The failure of one key does not keep the
 * others from being done. */
#include "barbican/barbican-internal.h"

#include "base/clock.h"

#include <stdio.h>

/* The same call for each key. */
struct question {
    const char *method;
    const char *below; /* path below the secret's URL: "", "/payload" */
    const char *accept;
    size_t secret_max;
    bool new_secret; /* see struct call */
    long ok, ok_too;
    const char *action;                                                          /* "fetched" */
    void (*take)(const struct question *q, struct call *c, struct key_asked *k); /* a good answer; or NULL */
};

/* Makes the calls of `q` for the keys; each key's outcome becomes its error. */
static void ask(struct barbican *b, const struct question *q, struct key_asked *const k[], size_t n)
{
    struct error why = ERROR_NONE;
    struct call *calls = calloc(n + 1, sizeof *calls);
    int r = calls ? 0 : error_memory(&why);
    for (size_t i = 0; r == 0 && i < n; i++) {
        calls[i] = (struct call){.method = q->method,
                                 .accept = q->accept,
                                 .secret_max = q->secret_max,
                                 .new_secret = q->new_secret};
        snprintf(calls[i].path, sizeof calls[i].path, "/secrets/%.40s%s", k[i]->id, q->below);
    }
    if (r == 0 && n > 0)
        r = barbican_call(b, calls, n, &why);
    for (size_t i = 0; i < n; i++) {
        char object[BARBICAN_OBJECT_MAX];
        barbican_object(k[i]->id, object);
        if (r < 0)
            error_set(&k[i]->error, r, "%s: cannot be %s: %s", object, q->action, why.text);
        else if (call_check(b, &calls[i], q->ok, q->ok_too, object, q->action, &k[i]->error) == 0 && q->take)
            q->take(q, &calls[i], k[i]);
    }
    if (calls)
        calls_end(calls, n);
}

/* Picks the keys without an error; *ret_n of them. The caller frees. */
static struct key_asked **without_error(struct key_asked k[], size_t n, size_t *ret_n)
{
    struct key_asked **good = calloc(n + 1, sizeof(struct key_asked *));
    *ret_n = 0;
    for (size_t i = 0; i < n; i++)
        if (!good)
            error_memory(&k[i].error);
        else if (!k[i].error.errnum)
            good[(*ret_n)++] = &k[i];
    return good;
}

/* Sends the same request for all keys whose id has the form of Barbican's. */
static void ask_about(struct barbican *b, const struct question *q, struct key_asked k[], size_t n)
{
    size_t n_good;
    for (size_t i = 0; i < n; i++)
        (void)!barbican_check_id(k[i].id, &k[i].error);
    _cleanup_free_ struct key_asked **good = without_error(k, n, &n_good);
    ask(b, q, good, n_good);
}

/* ----------------------------------------------------------------- fetching */

static void take_payload(const struct question *q, struct call *c, struct key_asked *k)
{
    size_t size = c->reply.secret ? secret_size(c->reply.secret) : 0;
    if (!streq(c->reply.type, "application/octet-stream"))
        error_set(&k->error, -EHOSTUNREACH,
                  "key barbican:%s: cannot be %s: the answer is not from Barbican, but of type %.60s; check "
                  "its endpoint",
                  k->id, q->action, c->reply.type[0] ? c->reply.type : "(none)");
    else if (size < KEY_BITS_MIN / 8 || size > KEY_BITS_MAX / 8)
        error_set(&k->error, -EKEYREJECTED,
                  "key barbican:%s: cannot be used: it has %zu bytes, and keys have %d to %d; was it made by "
                  "something else?",
                  k->id, size, KEY_BITS_MIN / 8, KEY_BITS_MAX / 8);
    else
        k->secret = TAKE_PTR(c->reply.secret);
}

static struct question fetching(const char *action)
{
    return (struct question){.method = "GET",
                             .below = "/payload",
                             .accept = "application/octet-stream",
                             .secret_max = KEY_BITS_MAX / 8 + 1,
                             .ok = 200,
                             .ok_too = 200,
                             .action = action,
                             .take = take_payload};
}

void barbican_fetch_many(struct keymgr *km, struct key_asked k[], size_t n)
{
    struct barbican *b = (struct barbican *)km;
    const struct question q = fetching("fetched");
    http_begin(b->http);
    ask_about(b, &q, k, n);
}

int barbican_fetch_as(struct barbican *b, const char *id, const char *action, struct secret **ret,
                      struct error *e)
{
    struct question q = fetching(action);
    struct key_asked k = {.id = id};
    q.new_secret = true;
    ask(b, &q, &(struct key_asked *){&k}, 1);
    if (k.error.errnum)
        return error_pass(e, k.error.errnum, &k.error);
    *ret = k.secret;
    return 0;
}

/* --------------------------------------------------------------- destroying */

/* Asks by a PUT, which adds a payload to a secret that has none. Barbican looks first whether the caller may
 * change the secret, and then finds that nothing was sent: 415, or 400, means yes. The rule is that of
 * secret:put. By default it allows what secret:delete allows, except for a secret that is private to another
 * user. A site may make the two differ, but no harmless request is judged by secret:delete. */
void barbican_may_destroy_many(struct keymgr *km, struct key_asked k[], size_t n)
{
    static const struct question q = {
        .method = "PUT", .below = "", .ok = 400, .ok_too = 409, .action = "destroyed by this caller"};
    struct barbican *b = (struct barbican *)km;
    http_begin(b->http);
    ask_about(b, &q, k, n);
    for (size_t i = 0; i < n; i++)
        if (k[i].error.errnum == -EIO) /* 415, say */
            k[i].error = ERROR_NONE;
}

/* Keeps in `k` the keys that are still there. Returns how many. */
static size_t look_if_gone(struct barbican *b, struct key_asked *k[], size_t n)
{
    static const struct question q = {
        .method = "GET", .below = "", .ok = 200, .ok_too = 200, .action = "seen to be gone"};
    size_t there = 0;
    ask(b, &q, k, n);
    for (size_t i = 0; i < n; i++)
        if (k[i]->error.errnum == -ENOKEY)
            k[i]->error = ERROR_NONE;
        else if (!k[i]->error.errnum)
            k[there++] = k[i];
    return there;
}

/* Looks several times, since the first look may be answered by a node of Barbican's database that lags
 * behind. */
static void see_gone(struct barbican *b, struct key_asked k[], size_t n)
{
    static const unsigned pauses_msec[] = {0, 200, 1000, 3000};
    size_t there;
    _cleanup_free_ struct key_asked **left = without_error(k, n, &there);
    for (size_t i = 0; there > 0 && i < ARRAY_SIZE(pauses_msec); i++) {
        clock_sleep_msec(pauses_msec[i]);
        there = look_if_gone(b, left, there);
    }
    for (size_t i = 0; i < there; i++)
        error_set(&left[i]->error, -EIO,
                  "key barbican:%s: is still there after Barbican destroyed it; look at its log",
                  left[i]->id);
}

static const struct question destroying = {
    .method = "DELETE", .below = "", .ok = 204, .ok_too = 204, .action = "destroyed"};

void barbican_destroy_many(struct keymgr *km, struct key_asked k[], size_t n)
{
    struct barbican *b = (struct barbican *)km;
    http_begin(b->http);
    ask_about(b, &destroying, k, n);
    http_begin(b->http); /* a new deadline, to see that they are gone */
    see_gone(b, k, n);
}

int barbican_destroy_now(struct barbican *b, const char *id, struct error *e)
{
    struct key_asked k = {.id = id};
    ask(b, &destroying, &(struct key_asked *){&k}, 1);
    see_gone(b, &k, 1);
    return k.error.errnum ? error_pass(e, k.error.errnum, &k.error) : 0;
}
