/* SPDX-License-Identifier: Apache-2.0 */
/* Makes keys in phases: all are stored or ordered, then all are opened to the host if that is wanted, then
 * all get their consumer; several connections at a time. All or none: after an error the keys that were made
 * are destroyed again. */
#include "barbican/barbican-internal.h"

#include "barbican/body.h"
#include "barbican/replies.h"
#include "base/str.h"

#include <stdio.h>

/* Lets the host's user read the key. */
static int grant_body(const struct barbican *b, const struct key_info *want, struct secret **ret,
                      struct error *e)
{
    (void)want;
    struct body body = {0};
    body_put(&body, "{\"read\":{\"users\":[");
    body_string(&body, b->host_user_id);
    body_put(&body, "],\"project-access\":true}}");
    int r = body_take(&body, ret, e);
    body_end(&body);
    return r;
}

/* Names the instance as the one that uses the key. */
static int consumer_body(const struct barbican *b, const struct key_info *want, struct secret **ret,
                         struct error *e)
{
    (void)b;
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

/* What is done with every key after it is stored. */
struct phase {
    const char *method, *below; /* the request's method, and its path below the secret's URL */
    const char *action;         /* for messages: "cannot be ACTION" */
    int (*body)(const struct barbican *b, const struct key_info *want, struct secret **ret, struct error *e);
};

static const struct phase open_to_host = {"PUT", "acl", "opened to the host (host_access = read)",
                                          grant_body};
static const struct phase give_consumer = {"POST", "consumers", "given its consumer", consumer_body};

static int check_answer(const struct barbican *b, const struct phase *p, const struct call *c, const char *id,
                        struct error *e)
{
    char object[BARBICAN_OBJECT_MAX];
    barbican_object(id, object);
    int r = call_check(b, c, 200, 201, object, p->action, e);
    if (r == 0 && !reply_is_object(c->reply.text, c->reply.size))
        r = error_set(e, -EHOSTUNREACH, "%s: cannot be %s: the answer is not Barbican's; check its endpoint",
                      object, p->action);
    return r;
}

static int do_phase(struct barbican *b, const struct phase *p, const struct key_info want[], size_t n,
                    const struct key_made made[], struct error *e)
{
    struct call *calls = calloc(n, sizeof *calls);
    if (!calls)
        return error_memory(e);
    int r = 0;
    for (size_t i = 0; r == 0 && i < n; i++) {
        calls[i].method = p->method;
        calls[i].new_secret = true;
        snprintf(calls[i].path, sizeof calls[i].path, "/secrets/%.40s/%s", made[i].id, p->below);
        r = p->body(b, &want[i], &calls[i].body, e);
    }
    if (r == 0 && (r = barbican_call(b, calls, n, e)) < 0)
        error_prefix(e, "key barbican:%s: cannot be %s: ", made[0].id, p->action);
    for (size_t i = 0; r == 0 && i < n; i++)
        r = check_answer(b, p, &calls[i], made[i].id, e);
    calls_end(calls, n);
    return r;
}

/* Keys that an undo leaves behind. */
struct remains {
    size_t there;   /* made, and still there */
    size_t perhaps; /* perhaps made, or still to be made by an order */
};

/* Destroys the keys that were made. Returns how many are still there. */
static size_t destroy_made(struct barbican *b, struct key_made made[], size_t n)
{
    _cleanup_free_ struct key_asked *k = calloc(n, sizeof *k);
    size_t m = 0, there = 0;
    for (size_t i = 0; i < n; i++) {
        made[i].secret = secret_free(made[i].secret);
        if (made[i].id[0] && k)
            k[m].id = made[i].id;
        m += made[i].id[0] != '\0';
    }
    if (!k)
        return m;
    barbican_destroy_many(&b->base, k, m);
    for (size_t i = 0; i < m; i++)
        there += k[i].error.errnum < 0;
    return there;
}

/* Destroys a key whose id is not known, by its name. Returns whether one may still appear later. */
static bool may_appear(struct barbican *b, const struct key_info *want, enum http_outcome outcome)
{
    size_t found = 0;
    return outcome == HTTP_PERHAPS && (barbican_destroy_named(b, want, "", &found, NULL) < 0 || found == 0);
}

/* Destroys all keys again. That has deadlines of its own, since the earlier one may be over. */
static void unmake(struct barbican *b, const struct key_info want[], size_t n, struct key_made made[],
                   const enum http_outcome outcome[], struct error *e)
{
    struct remains remains = {.there = destroy_made(b, made, n)};
    for (size_t i = 0; i < n; i++) {
        made[i].id[0] = '\0';
        remains.perhaps += may_appear(b, &want[i], outcome[i]);
    }
    if (remains.there)
        error_append(e, "; %zu keys that were made could not be destroyed again", remains.there);
    if (remains.perhaps)
        error_append(e, "; %zu keys may still appear in Barbican", remains.perhaps);
    if (remains.there || remains.perhaps)
        error_append(e, "; run mayfly recover later, with the same credentials");
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
    _cleanup_free_ enum http_outcome *outcome = calloc(n, sizeof *outcome);
    if (!outcome)
        return error_memory(e);
    http_begin(b->http);
    int r =
        b->orders ? barbican_order(b, want, n, ret, outcome, e) : barbican_store(b, want, n, ret, outcome, e);
    if (r == 0)
        http_begin(b->http); /* orders have deadlines of their own */
    if (r == 0 && b->host_reads)
        r = do_phase(b, &open_to_host, want, n, ret, e);
    if (r == 0)
        r = do_phase(b, &give_consumer, want, n, ret, e);
    if (r < 0)
        unmake(b, want, n, ret, outcome, e);
    return r;
}
