/* SPDX-License-Identifier: Apache-2.0 */
/* Fetches and destroys one key or several. For all managers alike, this file decides which keys the opened
 * place is asked about, and what its answer means. */
#include "keys/key-audit.h"
#include "keys/place.h"

/* -------------------------------------------------- requests to the manager */

/* Notes the error of a key. One that came without a sentence gets one. */
static void note(const struct keymgr *km, struct key_asked *k, int r)
{
    if (r < 0)
        error_set(&k->error, r, "key %s:%s: %s", km->ops->name, k->id, strerror(-r));
}

static void ask_fetch(struct keymgr *km, struct key_asked k[], size_t n)
{
    if (km->ops->fetch_many)
        km->ops->fetch_many(km, k, n);
    for (size_t i = 0; !km->ops->fetch_many && i < n; i++)
        note(km, &k[i], km->ops->fetch(km, k[i].id, &k[i].secret, &k[i].error));
}

static void ask_may_destroy(struct keymgr *km, struct key_asked k[], size_t n)
{
    if (km->ops->may_destroy_many)
        km->ops->may_destroy_many(km, k, n);
    else
        for (size_t i = 0; km->ops->may_destroy && i < n; i++)
            note(km, &k[i], km->ops->may_destroy(km, k[i].id, &k[i].error));
}

void key_ask_destroy(struct keymgr *km, struct key_asked k[], size_t n)
{
    if (km->ops->destroy_many)
        km->ops->destroy_many(km, k, n);
    for (size_t i = 0; !km->ops->destroy_many && i < n; i++)
        note(km, &k[i], km->ops->destroy(km, k[i].id, &k[i].error));
}

/* ------------------------------------------------- the meaning of an answer */

/* `why` is the manager's own answer; errnum 0: success. */
typedef int judge_fn(struct keymgr *km, const struct key_at *at, const struct error *why, struct error *e);

static int judge_fetched(struct keymgr *km, const struct key_at *at, const struct error *why, struct error *e)
{
    if (why->errnum == -ENOKEY)
        return key_judge_absence(km, at, why, e);
    return why->errnum < 0 ? error_pass(e, why->errnum, why) : 0;
}

static int judge_destroyed(struct keymgr *km, const struct key_at *at, const struct error *why,
                           struct error *e)
{
    struct error judged = ERROR_NONE;
    int r = judge_fetched(km, at, why, &judged);
    return r < 0 && r != -ENOKEY ? error_pass(e, r, &judged) : 0;
}

/* Sets the error of a manager that cannot answer now: -EAGAIN, since -EHOSTUNREACH means that another place
 * keeps the key. */
static int not_now(const struct error *why, struct error *e)
{
    return error_pass(e, -EAGAIN, why);
}

static int judge_may_destroy(struct keymgr *km, const struct key_at *at, const struct error *why,
                             struct error *e)
{
    return why->errnum == -EHOSTUNREACH ? not_now(why, e) : judge_destroyed(km, at, why, e);
}

/* -------------------------------------------------- checks before a request */

/* Checks that this place may be asked. */
typedef int check_fn(struct keymgr *km, const struct key_at *at, struct error *e);

static int check_may_destroy(struct keymgr *km, const struct key_at *at, struct error *e)
{
    struct error why = ERROR_NONE;
    char place[KEY_PLACE_MAX];
    int r = keymgr_place(km, false, place, &why);
    if (r == -EHOSTUNREACH)
        return not_now(&why, e);
    return r < 0 ? error_pass(e, r, &why) : key_check_place(km, at, e);
}

/* --------------------------------------------------------------- operations */

struct operation {
    check_fn *check; /* NULL: the manager is asked whatever the place */
    void (*ask)(struct keymgr *km, struct key_asked k[], size_t n);
    judge_fn *judge;
    const char *audited; /* the action in the audit trail; NULL: changes nothing and hands out no key */
};

/* What the manager is asked, with its own ids. */
struct question {
    struct key_at *at;
    struct key_asked *own;
    size_t *which; /* their indices among the caller's keys */
    size_t n;
};

static void question_end(struct question *q)
{
    free(q->at);
    free(q->own);
    free(q->which);
}

static int question_new(size_t n, struct question *ret, struct error *e)
{
    *ret = (struct question){.at = calloc(n + 1, sizeof *ret->at),
                             .own = calloc(n + 1, sizeof *ret->own),
                             .which = calloc(n + 1, sizeof *ret->which)};
    return ret->at && ret->own && ret->which ? 0 : error_memory(e);
}

static void add(struct keymgr *km, const struct operation *o, struct key_asked k[], size_t i,
                struct question *q)
{
    struct key_at *at = &q->at[q->n];
    int r = key_locate(km, k[i].id, at, &k[i].error);
    if (r == 0 && o->check)
        r = o->check(km, at, &k[i].error);
    if (r < 0)
        return;
    q->own[q->n].id = at->id;
    q->which[q->n++] = i;
}

static int operate(struct keymgr *km, const struct operation *o, struct key_asked k[], size_t n,
                   struct error *e)
{
    _cleanup_(question_end) struct question q;
    struct error no_memory = ERROR_NONE, no_place = ERROR_NONE;
    int r = question_new(n, &q, &no_memory);
    km->no_place = &no_place;
    for (size_t i = 0; i < n; i++) {
        k[i].secret = NULL;
        k[i].error = no_memory;
        if (r == 0)
            add(km, o, k, i, &q);
    }
    if (q.n)
        o->ask(km, q.own, q.n);
    for (size_t i = 0; i < q.n; i++) {
        (void)!o->judge(km, &q.at[i], &q.own[i].error, &k[q.which[i]].error);
        k[q.which[i]].secret = q.own[i].secret;
    }
    km->no_place = NULL;
    for (size_t i = 0; o->audited && i < n; i++)
        key_audit(km, o->audited, k[i].id, NULL, NULL, k[i].error.errnum, &k[i].error);
    return error_first(e, k, n);
}

int keymgr_fetch_many(struct keymgr *km, struct key_asked k[], size_t n, struct error *e)
{
    static const struct operation o = {.ask = ask_fetch, .judge = judge_fetched, .audited = "fetch"};
    return operate(km, &o, k, n, e);
}

int keymgr_may_destroy_many(struct keymgr *km, struct key_asked k[], size_t n, struct error *e)
{
    static const struct operation o = {
        .check = check_may_destroy, .ask = ask_may_destroy, .judge = judge_may_destroy};
    return operate(km, &o, k, n, e);
}

int keymgr_destroy_many(struct keymgr *km, struct key_asked k[], size_t n, struct error *e)
{
    static const struct operation o = {
        .check = key_check_place, .ask = key_ask_destroy, .judge = judge_destroyed, .audited = "destroy"};
    return operate(km, &o, k, n, e);
}

int keymgr_fetch(struct keymgr *km, const char *id, struct secret **ret, struct error *e)
{
    struct key_asked k = {.id = id};
    int r = keymgr_fetch_many(km, &k, 1, e);
    if (r == 0)
        *ret = k.secret;
    return r;
}

/* Tries to fetch the key, and drops it at once. It was not used, so the audit trail gets no entry. */
int keymgr_check_gone(struct keymgr *km, const char *id, struct error *e)
{
    static const struct operation o = {.ask = ask_fetch, .judge = judge_fetched};
    struct key_asked k = {.id = id};
    struct error why = ERROR_NONE;
    int r = operate(km, &o, &k, 1, &why);
    secret_free(k.secret);
    if (r == -ENOKEY)
        return 0;
    return r < 0 ? error_pass(e, r, &why)
                 : error_set(e, -EEXIST, "key %s:%s: is still there", km->ops->name, id);
}

int keymgr_may_destroy(struct keymgr *km, const char *id, struct error *e)
{
    struct key_asked k = {.id = id};
    return keymgr_may_destroy_many(km, &k, 1, e);
}

int keymgr_destroy(struct keymgr *km, const char *id, struct error *e)
{
    struct key_asked k = {.id = id};
    return keymgr_destroy_many(km, &k, 1, e);
}
