/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the key manager Barbican share. */
#pragma once

#include "barbican/barbican.h"
#include "barbican/http.h"
#include "barbican/keystone.h"
#include "barbican/openstack.h"

#define BARBICAN_HOST_MAX 82 /* HOST in the names of secrets */

struct barbican {
    struct keymgr base;
    struct openstack who;
    struct http *http;
    struct keystone *keystone;
    char endpoint[HTTP_URL_MAX]; /* with /v1; "": not yet known */
    char place[KEY_PLACE_MAX];   /* the place of that endpoint; set by barbican_find_place() */
    bool place_is_known;
    char host[BARBICAN_HOST_MAX];

    char configured_endpoint[OPENSTACK_TEXT_MAX];
    char region[OPENSTACK_TEXT_MAX], interface[16]; /* used if the caller names none */
    char host_user_id[KEY_USER_MAX];
    bool host_reads, orders;
    unsigned order_polls, order_delay_sec;
};

/* One call of the Barbican API. `path` follows /v1. */
struct call {
    const char *method;
    char path[320];
    struct secret *body; /* owned */
    const char *accept;
    size_t secret_max;
    bool not_idempotent;
    bool new_secret; /* it was made a moment ago, so that a 404 does not mean a loss */
    struct http_reply reply;
    int result; /* of the exchange, whatever the status; -ECANCELED: nothing was sent */
    struct error error;
};
void call_end(struct call *c);
void calls_end(struct call *calls, size_t n); /* frees the array too */

/* Carries out the calls with the token of this run; repeats those that got 401 with a renewed one. Returns 0,
 * or why none could be sent. The outcome of each is in its `result` and `reply`. */
int barbican_call(struct barbican *b, struct call calls[], size_t n, struct error *e) _must_check_;

/* Checks that the status is one of the two; else sets the error that the answer (or its absence) means:
 *   "key barbican:ID: cannot be DONE: WORDS (https://host:port); WAY OUT"
 * -ENOKEY only for Barbican's own 404 about a secret that is not new. `object` is the key, or the manager
 * where there is none. */
int call_check(const struct barbican *b, const struct call *c, long ok, long ok_too, const char *object,
               const char *action, struct error *e) _must_check_;

/* Combines what two or more requests tell about the making of a key. A 2xx answer that cannot be read counts
 * as no answer. */
static inline enum http_outcome outcome_add(enum http_outcome before, enum http_outcome unreadable)
{
    enum http_outcome now = unreadable == HTTP_DONE ? HTTP_PERHAPS : unreadable;
    return now > before ? now : before;
}

/* "key barbican:ID" */
#define BARBICAN_OBJECT_MAX (KEY_ID_MAX + 16)
void barbican_object(const char *id, char ret[BARBICAN_OBJECT_MAX]);
int barbican_check_id(const char *id, struct error *e) _must_check_;

/* keys.c: members of struct keymgr_ops */
void barbican_fetch_many(struct keymgr *km, struct key_asked k[], size_t n);
void barbican_may_destroy_many(struct keymgr *km, struct key_asked k[], size_t n);
void barbican_destroy_many(struct keymgr *km, struct key_asked k[], size_t n);

int barbican_create_many(struct keymgr *km, const struct key_info want[], size_t n, struct key_made ret[],
                         struct error *e) _must_check_;
int barbican_list(struct keymgr *km, struct key_listing *ret, struct error *e) _must_check_;
/* keys.c, within the running deadline: for a key that this run has made, or found by its name */
int barbican_fetch_as(struct barbican *b, const char *id, const char *action, struct secret **ret,
                      struct error *e) _must_check_;
int barbican_destroy_now(struct barbican *b, const char *id, struct error *e) _must_check_;
int barbican_grant(struct keymgr *km, const char *id, const char *user, bool allowed, bool *ret_changed,
                   struct error *e) _must_check_;
int barbican_diagnose(struct keymgr *km, struct key_finding ret[KEY_FINDINGS_MAX], size_t *ret_n,
                      struct error *e) _must_check_;

/* Make all keys and fill in made[i]. After an error made[i].id is set if the key is known to exist, and
 * outcome[i] is HTTP_PERHAPS if a key without a known id may exist or appear later. The caller zeroes
 * `outcome`. barbican_order() lets Barbican make the keys, and waits for them beyond the deadline of
 * http_begin(). */
int barbican_store(struct barbican *b, const struct key_info want[], size_t n, struct key_made made[],
                   enum http_outcome outcome[], struct error *e) _must_check_;
int barbican_order(struct barbican *b, const struct key_info want[], size_t n, struct key_made made[],
                   enum http_outcome outcome[], struct error *e) _must_check_;

/* named.c: finds the secrets with the name of this key, NAMED_MAX at most. */
#define NAMED_MAX 8
int barbican_named(struct barbican *b, const struct key_info *want, char ids[NAMED_MAX][UUID_TEXT],
                   size_t *ret_n, struct error *e) _must_check_;
/* Destroys all of them except `keep` ("": all). *ret_n: how many were destroyed. */
int barbican_destroy_named(struct barbican *b, const struct key_info *want, const char *keep, size_t *ret_n,
                           struct error *e) _must_check_;

/* Finds Barbican's address; logs in if that is needed. The second function also finds in the catalog which
 * Barbican it is. */
int barbican_find(struct barbican *b, struct error *e) _must_check_;
int barbican_find_place(struct barbican *b, struct error *e) _must_check_;

/* Returns the mode of a secret, for the body of a request. 512 bits are two keys for XTS: without that mode
 * Barbican accepts an order and fails it later. Other sizes are plain AES keys, which every back end makes
 * and keeps. */
static inline const char *secret_mode(uint32_t bits)
{
    return bits > 256 ? ",\"mode\":\"xts\"" : "";
}

/* Makes HOST. */
void barbican_host_name(char ret[BARBICAN_HOST_MAX]);

/* mayfly/HOST/VG/SCOPE/OWNER, as secret_name_parse() reads it */
#define SECRET_NAME_MAX 255
int secret_name_make(const struct barbican *b, const struct key_info *info, char ret[SECRET_NAME_MAX],
                     struct error *e) _must_check_;
