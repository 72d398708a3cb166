/* SPDX-License-Identifier: Apache-2.0 */
/* Has Barbican make keys, perhaps in its HSM: orders all, then waits for each and fetches it. The orders
 * stay, since those who make orders may not delete them. */
#include "barbican/barbican-internal.h"

#include "barbican/body.h"
#include "barbican/replies.h"
#include "base/clock.h"
#include "base/str.h"

#include <stdio.h>

#define PAUSE_MIN_MSEC 50

static int order_body(const struct barbican *b, const struct key_info *want, struct secret **ret,
                      struct error *e)
{
    char name[SECRET_NAME_MAX];
    int r = secret_name_make(b, want, name, e);
    if (r < 0)
        return r;
    struct body body = {0};
    body_put(&body, "{\"type\":\"key\",\"meta\":{\"name\":");
    body_string(&body, name);
    body_put(&body,
             ",\"algorithm\":\"aes\",\"payload_content_type\":\"application/octet-stream\",\"bit_length\":");
    body_number(&body, want->bits);
    body_put(&body, secret_mode(want->bits));
    body_put(&body, "}}");
    r = body_take(&body, ret, e);
    body_end(&body);
    return r;
}

/* Looks once. *ret_there: the key is there. `outcome` becomes what the order says. */
static int look_at_order(struct barbican *b, const char *order, struct key_made *made, bool *ret_there,
                         enum http_outcome *outcome, struct error *e)
{
    _cleanup_(call_end) struct call c = {.method = "GET"};
    enum order_state state = ORDER_PENDING;
    char id[UUID_TEXT], reason[200];
    *ret_there = false;
    snprintf(c.path, sizeof c.path, "/orders/%.40s", order);
    int r = barbican_call(b, &c, 1, e);
    if (r == 0)
        r = call_check(b, &c, 200, 200, "key manager barbican", "asked for an order", e);
    if (r < 0)
        return r;
    if (reply_order(c.reply.text, c.reply.size, &state, id, reason, sizeof reason) < 0)
        return error_set(e, -EHOSTUNREACH,
                         "order %s: cannot be read: the answer is not Barbican's; check its endpoint", order);
    if (state == ORDER_ERROR) {
        *outcome = HTTP_REFUSED;
        return error_set(e, -EIO, "order %s: Barbican could not make the key: %s; look at its log", order,
                         reason);
    }
    if (state == ORDER_PENDING)
        return 0;
    *outcome = HTTP_DONE;
    *ret_there = true;
    return str_copy(made->id, KEY_ID_MAX, id) < 0 ? -EINVAL : 0;
}

/* Looks at growing intervals, which retry_delay bounds, until `patience_msec` have passed. */
static int wait_for(struct barbican *b, const char *order, uint64_t patience_msec, struct key_made *made,
                    enum http_outcome *outcome, struct error *e)
{
    uint64_t deadline = clock_msec() + patience_msec, pause = PAUSE_MIN_MSEC;
    uint64_t longest = (uint64_t)b->order_delay_sec * 1000;
    longest = longest > PAUSE_MIN_MSEC ? longest : PAUSE_MIN_MSEC;
    for (;;) {
        if (patience_msec)
            http_begin(b->http);
        bool there = false;
        int r = look_at_order(b, order, made, &there, outcome, e);
        if (r < 0 || there)
            return r;
        uint64_t now = clock_msec();
        if (now >= deadline)
            break;
        clock_sleep_msec(pause < deadline - now ? pause : deadline - now);
        pause = pause * 2 < longest ? pause * 2 : longest;
    }
    return error_set(
        e, -EHOSTUNREACH,
        "order %s: Barbican has not made the key within %llu s (number_of_retries x retry_delay in "
        "[barbican]); is its worker running?",
        order, (unsigned long long)patience_msec / 1000);
}

static int read_placed(const struct barbican *b, const struct call *c, char order[UUID_TEXT],
                       enum http_outcome *outcome, struct error *e)
{
    int r = call_check(b, c, 202, 202, "key manager barbican", "asked to make a key", e);
    *outcome = outcome_add(HTTP_NOT_SENT, c->reply.outcome); /* an order means a key that is still to come */
    if (r == 0 && reply_ref(c->reply.text, c->reply.size, "order_ref", order) < 0)
        return error_set(e, -EHOSTUNREACH,
                         "key manager barbican: cannot be asked to make a key: the answer is not "
                         "Barbican's; check its endpoint");
    return r;
}

/* Places all orders at once; orders[i] is "" if none is known to be placed. */
static int place_orders(struct barbican *b, const struct key_info want[], size_t n, char (*orders)[UUID_TEXT],
                        enum http_outcome outcome[], struct error *e)
{
    struct call *calls = calloc(n, sizeof *calls);
    if (!calls)
        return error_memory(e);
    int r = 0;
    for (size_t i = 0; r == 0 && i < n; i++) {
        calls[i] = (struct call){.method = "POST", .path = "/orders", .not_idempotent = true};
        r = order_body(b, &want[i], &calls[i].body, e);
    }
    if (r == 0 && (r = barbican_call(b, calls, n, e)) < 0)
        error_prefix(e, "key manager barbican: cannot be asked to make a key: ");
    /* all of them: each order that was placed must be known */
    for (size_t i = 0; i < n && calls[i].body; i++) {
        int read = read_placed(b, &calls[i], orders[i], &outcome[i], r < 0 ? NULL : e);
        r = r < 0 ? r : read;
    }
    calls_end(calls, n);
    return r;
}

static int collect(struct barbican *b, const char *order, const struct key_info *want, struct key_made *made,
                   enum http_outcome *outcome, struct error *e)
{
    uint64_t patience_msec = (uint64_t)b->order_polls * b->order_delay_sec * 1000;
    int r = wait_for(b, order, patience_msec, made, outcome, e);
    if (r == 0)
        r = barbican_fetch_as(b, made->id, "fetched after its order", &made->secret, e);
    if (r == 0 && secret_size(made->secret) != want->bits / 8)
        r = error_set(e, -EIO, "order %s: Barbican made a key of %zu bytes, not of %u; look at its log",
                      order, secret_size(made->secret), want->bits / 8);
    return r;
}

int barbican_order(struct barbican *b, const struct key_info want[], size_t n, struct key_made made[],
                   enum http_outcome outcome[], struct error *e)
{
    _cleanup_free_ char(*orders)[UUID_TEXT] = calloc(n, sizeof *orders);
    if (!orders)
        return error_memory(e);
    int r = place_orders(b, want, n, orders, outcome, e);
    /* one after the other, as Barbican's worker makes them; each has its own time */
    for (size_t i = 0; r == 0 && i < n; i++)
        r = collect(b, orders[i], &want[i], &made[i], &outcome[i], e);
    if (r == 0)
        return 0;
    http_begin(b->http);
    for (size_t i = 0; i < n; i++)
        if (orders[i][0] && outcome[i] == HTTP_PERHAPS) /* keys that were made meanwhile must be destroyed */
            (void)!wait_for(b, orders[i], 0, &made[i], &outcome[i], NULL);
    return r;
}
